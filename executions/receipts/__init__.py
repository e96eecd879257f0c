"""Receipts: what a run came to, signed by a key of the installation, so that whoever holds one can check the record."""
