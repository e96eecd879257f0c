"""The methods of the clients, a module for each part of the API."""
