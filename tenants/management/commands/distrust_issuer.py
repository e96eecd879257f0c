"""`manage.py distrust_issuer --issuer ISS --audience AUD`: from now on its tokens open nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contract.problems import Refusal
from tenants import issuers


class Command(BaseCommand):
    """Ends the trust in an issuer of JWTs."""

    help = "Trust an issuer of JWTs no longer."

    def add_arguments(self, parser: CommandParser) -> None:
        """--issuer and --audience."""
        parser.add_argument("--issuer", required=True, metavar="ISS")
        parser.add_argument("--audience", required=True, metavar="AUD")

    def handle(self, *args: Any, **options: Any) -> None:
        """Nothing is printed unless it was not trusted."""
        try:
            issuers.distrust(options["issuer"], options["audience"])
        except Refusal as error:
            raise CommandError(error.message) from error
