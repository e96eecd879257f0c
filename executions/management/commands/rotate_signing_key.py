"""`manage.py rotate_signing_key`: a new key signs receipts from now on; what those before signed stays good."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from executions.receipts import keys


class Command(BaseCommand):
    """Rotates the key that signs receipts."""

    help = "Have a new key sign receipts from now on. Earlier keys stay published in /.well-known/jwks.json."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the id of the new key, alone."""
        self.stdout.write(keys.rotate().kid)
