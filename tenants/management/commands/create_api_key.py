"""`manage.py create_api_key --tenant SLUG [--name N] [--scopes a,b]`: prints the key, alone, this once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contract.problems import Refusal
from tenants import registry
from tenants.scopes import EVERYTHING


class Command(BaseCommand):
    """Creates an API key of a tenant."""

    help = "Create an API key and print it. It cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        """--tenant, --name and --scopes."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--name", default="command line")
        parser.add_argument("--scopes", default=EVERYTHING, help="separated by commas; left out: *")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the key, or ends with what is wrong."""
        if not 0 < len(options["name"]) <= 255:
            raise CommandError("--name: 1 to 255 characters are wanted")
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        try:
            _, key = registry.create_key(
                registry.tenant_named(options["tenant"]), options["name"], scopes, created_by="create_api_key"
            )
        except Refusal as error:
            raise CommandError(error.message) from error
        self.stdout.write(key)
