"""How the admin writes dates, in place of a locale's own way."""
