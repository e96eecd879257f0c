"""Who is calling: tenants, their keys and agents, scopes, and the door each request comes in by."""
