"""The OpenAPI 3.1 document, made from the routes and what their actions declare, and the page that shows it."""
