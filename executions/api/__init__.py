"""One module per front door: each translates its JSON into the same services and back."""
