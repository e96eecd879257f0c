"""`manage.py create_tenant SLUG [--name N] [--rate-limit N]`: prints the tenant's id, alone."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import RegexValidator

from contract.problems import Refusal
from tenants import registry
from tenants.models import HIGHEST_RATE_LIMIT

_check_slug = RegexValidator(
    r"\A[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z",
    "a slug is 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end",
)


class Command(BaseCommand):
    """Creates a tenant with its default agent."""

    help = "Create a tenant and print its id."

    def add_arguments(self, parser: CommandParser) -> None:
        """SLUG, --name and --rate-limit."""
        parser.add_argument("slug")
        parser.add_argument("--name", help="left out: the slug")
        parser.add_argument("--rate-limit", type=int, metavar="N", help="requests a minute; left out: no limit")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the id, or ends with what is wrong."""
        slug, name = options["slug"], options["name"] or options["slug"]
        if len(name) > 255:
            raise CommandError("--name: at most 255 characters are allowed")
        limit: int | None = options["rate_limit"]
        if limit is not None and not 1 <= limit <= HIGHEST_RATE_LIMIT:
            raise CommandError(f"--rate-limit: 1 to {HIGHEST_RATE_LIMIT} is wanted")
        try:
            _check_slug(slug)
            tenant = registry.create_tenant(slug, name, limit)
        except (ValidationError, Refusal) as error:
            raise CommandError(error.message) from error
        self.stdout.write(str(tenant.id))
