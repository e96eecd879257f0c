"""`manage.py trust_issuer --tenant SLUG --issuer ISS --audience AUD (--jwks FILE | --jwks-url URL) --scopes a,b`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from contract import json_values
from contract.json_values import JSON
from contract.problems import Refusal
from tenants import issuers, registry
from tenants.jwks import ALGORITHMS


class Command(BaseCommand):
    """Trusts an issuer of JWTs to vouch for users of a tenant."""

    help = "Trust an issuer of JWTs to vouch for users of a tenant, and print the id of that trust."

    def add_arguments(self, parser: CommandParser) -> None:
        """--tenant, --issuer, --audience, --jwks or --jwks-url, --scopes and --algorithms."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--issuer", required=True, metavar="ISS", help="the iss of its tokens, to the letter")
        parser.add_argument("--audience", required=True, metavar="AUD", help="what their aud is, or holds")
        keys = parser.add_mutually_exclusive_group(required=True)
        keys.add_argument("--jwks", metavar="FILE", type=Path, help="its public keys, as a JSON Web Key Set")
        keys.add_argument("--jwks-url", metavar="URL", help="where it publishes them")
        parser.add_argument("--scopes", required=True, help="the most that its tokens may do, separated by commas")
        parser.add_argument("--algorithms", default=",".join(ALGORITHMS), help=f"of {', '.join(ALGORITHMS)}")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the id, or ends with what is wrong."""
        try:
            row = issuers.trust(
                registry.tenant_named(options["tenant"]),
                options["issuer"],
                options["audience"],
                keys=_read(options["jwks"]) if options["jwks"] else options["jwks_url"],
                algorithms=_listed(options["algorithms"]),
                granted=_listed(options["scopes"]),
            )
        except Refusal as error:
            raise CommandError(error.message) from error
        except ValidationError as error:
            raise CommandError("; ".join(_told(error))) from error
        self.stdout.write(str(row.id))


def _read(path: Path) -> JSON:
    try:
        return json_values.parse(path.read_bytes())
    except (OSError, json_values.InvalidJson) as error:
        raise CommandError(f"--jwks: {error}") from error


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _told(error: ValidationError) -> list[str]:
    return [f"{name}: {' '.join(said)}" for name, said in error.message_dict.items()]
