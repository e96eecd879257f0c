"""`manage.py set_secret --tenant SLUG NAME`: the value is read from standard input.

So it stands in no list of processes and no shell history.
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contract.problems import Refusal
from tenants import registry, secrets


class Command(BaseCommand):
    """Sets a secret of a tenant."""

    help = "Give a tenant a secret, or a secret a new value. It is read from standard input, without its last newline."

    def add_arguments(self, parser: CommandParser) -> None:
        """--tenant and NAME."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("name", metavar="NAME")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the secret's version, or ends with what is wrong."""
        try:
            tenant = registry.tenant_named(options["tenant"])
            secret = secrets.put(tenant, options["name"], sys.stdin.read().removesuffix("\n"))
        except UnicodeDecodeError as error:
            raise CommandError("standard input is not UTF-8") from error
        except Refusal as error:
            raise CommandError(error.message) from error
        self.stdout.write(str(secret.version))
