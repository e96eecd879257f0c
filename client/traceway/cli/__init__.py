"""The command line `traceway`: what it asks for is done by the client, what it says is told here."""
