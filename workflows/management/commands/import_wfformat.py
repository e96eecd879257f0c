"""`manage.py import_wfformat FILE [--tenant SLUG] [--publish]`: a WfFormat file as a workflow with no-op steps.

Without a tenant it prints the definition, as JSON; with one it creates the workflow and prints its id, alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from contract import json_values
from contract.json_values import JSON, InvalidJson
from contract.problems import Refusal
from tenants import registry
from workflows import authoring
from workflows.authoring import Written
from workflows.wfformat import InvalidWfFormat, definition_of


class Command(BaseCommand):
    """Reads one file; creates nothing unless all of it can be imported."""

    help = "Turn a WfFormat file (WfCommons, schemas 1.4 and 1.5) into a workflow with no-op steps."

    def add_arguments(self, parser: CommandParser) -> None:
        """FILE, --tenant and --publish."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--tenant", metavar="SLUG", help="create the workflow for this tenant")
        parser.add_argument("--publish", action="store_true", help="publish it too; needs --tenant")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the definition or the workflow's id, or ends with what is wrong with the file."""
        file, slug, publish = options["file"], options["tenant"], options["publish"]
        if publish and slug is None:
            raise CommandError("--publish needs --tenant")
        definition = _definition(file)
        try:
            written = authoring.read_definition(definition)
            if slug is None:
                self.stdout.write(json.dumps(definition, indent=2, ensure_ascii=False))
            else:
                self.stdout.write(_create(slug, written, publish=publish))
        except Refusal as error:
            raise CommandError(_explained(error)) from error


def _definition(file: Path) -> JSON:
    try:
        return definition_of(json_values.parse(file.read_bytes()))
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error
    except (InvalidJson, InvalidWfFormat) as error:
        raise CommandError(f"{file}: {error}") from error


def _create(slug: str, written: Written, *, publish: bool) -> str:
    with transaction.atomic():
        tenant = registry.tenant_named(slug)
        workflow = authoring.create(tenant, written)
        if publish:
            authoring.publish(tenant, workflow.id)
    return str(workflow.id)


def _explained(refusal: Refusal) -> str:
    return "\n".join([refusal.message, *(f"{problem.field}: {problem.message}" for problem in refusal.fields)])
