"""`manage.py verify_record`: whether what stands in the database is what happened, and names whatever is not.

Everything is recomputed: hashes, statuses and attempts from the events, counters from the definition, signatures.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from contract.identifiers import RUN, parse_id
from contract.timestamps import parse
from executions.models import Execution
from executions.provenance.verification import batches, check, on_record
from tenants.models import Tenant

EVERY_SECONDS = 5.0
"""How often progress is told."""


class Command(BaseCommand):
    """Verifies executions as they stand on record here."""

    help = "Verify what is on record of executions: exit 1, with every finding on stdout, if anything does not match."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which executions."""
        parser.add_argument("execution", nargs="*", help="their ids")
        parser.add_argument("--tenant", metavar="SLUG", help="those of this tenant")
        parser.add_argument("--all", action="store_true", help="every one")
        parser.add_argument("--since", metavar="TIME", help="of these, those that were created since (RFC 3339)")

    def handle(self, *args: Any, **options: Any) -> None:
        """A line for each finding on stdout, progress and the sum on stderr."""
        began = told = time.monotonic()
        checked = altered = events = 0
        for batch, count in _batches(options):
            for one in check(batch):
                checked += 1
                altered += not one.verdict.intact
                for finding in one.verdict.findings:
                    self.stdout.write(f"{one.execution_id} {finding}")
            events += count
            if time.monotonic() - told > EVERY_SECONDS:
                told = time.monotonic()
                self.stderr.write(f"{checked:,} executions, {checked / (told - began):,.0f} a second")
        seconds = max(time.monotonic() - began, 0.001)
        rate = f"{checked / seconds:,.0f} executions and {events / seconds:,.0f} events a second"
        self.stderr.write(f"{checked:,} executions verified ({rate}), {altered:,} not as they happened")
        if altered:
            raise CommandError(f"{altered:,} of {checked:,} executions are not on record as they happened")


def _batches(options: dict[str, Any]) -> Iterator[tuple[list[UUID], int]]:
    """So many executions at a time, with how many events they have together. Raises CommandError."""
    rows = dict(_named(options["execution"])) if options["execution"] else None
    if sum((rows is not None, options["tenant"] is not None, options["all"])) != 1:
        raise CommandError("name executions, or --tenant SLUG, or --all")
    if rows is not None:
        yield from ((batch, sum(rows[id_] for id_ in batch)) for batch in batches(rows.items()))
        return
    counts: dict[UUID, int] = {}
    for batch in batches(_counted(on_record(_tenant(options["tenant"]), _since(options["since"])), counts)):
        yield batch, sum(counts.pop(id_) for id_ in batch)


def _counted(rows: Iterator[tuple[UUID, int]], counts: dict[UUID, int]) -> Iterator[tuple[UUID, int]]:
    for id_, events in rows:
        counts[id_] = events
        yield id_, events


def _named(texts: list[str]) -> Iterator[tuple[UUID, int]]:
    """Executions by their ids, or those of their runs."""
    for text in texts:
        identifier = parse_id(text, RUN)
        if identifier is None:
            raise CommandError(f"{text!r} is no id")
        runs = Q(run_id=identifier) | Q(earlier_runs__run_id=identifier)
        found = Execution.objects.filter(runs).values_list("id", flat=True).first() or identifier
        yield found, Execution.objects.filter(id=found).values_list("event_sequence", flat=True).first() or 0


def _tenant(slug: str | None) -> UUID | None:
    if slug is None:
        return None
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise CommandError(f"there is no tenant {slug!r}")
    return tenant.id


def _since(text: str | None) -> Any:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        raise CommandError(f"--since: {error}") from error
