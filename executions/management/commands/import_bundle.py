"""`manage.py import_bundle FILE --tenant SLUG`: a bundle of another installation, to be looked at in the admin here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from executions.provenance.imports import Altered, import_bundle
from tenants.models import Tenant
from traceway.records import Unreadable, in_words

ACTOR = "operator:command"


class Command(BaseCommand):
    """Takes in a bundle."""

    help = "Verify a bundle and keep it, so that it can be looked at. It never becomes an execution of this place."

    def add_arguments(self, parser: CommandParser) -> None:
        """FILE, --tenant and --even-if-altered."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="whose it is here")
        parser.add_argument("--even-if-altered", action="store_true", help="keep it although something does not match")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints its id here, alone, on stdout, and on stderr what verification says; exit 1 where it was refused."""
        tenant = Tenant.objects.filter(slug=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"there is no tenant {options['tenant']!r}")
        try:
            data = options["file"].read_bytes()
            row, _ = import_bundle(tenant, data, ACTOR, even_if_altered=options["even_if_altered"])
        except (OSError, Unreadable) as error:
            raise CommandError(f"{options['file']}: {error}") from error
        except Altered as altered:
            raise CommandError("\n".join(in_words(altered.verdict))) from altered
        self.stdout.write(str(row.id))
