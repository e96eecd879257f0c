"""Drop the payloads of executions, as their owner asks for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contract.problems import Conflict
from executions.models import Execution
from executions.payloads.dropping import REQUEST, drop_payloads

ACTOR = "operator:command"


class Command(BaseCommand):
    help = "Drop the payloads of executions that have ended; their digests and events stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("execution", nargs="+", type=UUID, help="an execution's id")

    def handle(self, *args: Any, **options: Any) -> None:
        for execution_id in options["execution"]:
            try:
                dropped = drop_payloads(execution_id, REQUEST, ACTOR)
            except (Conflict, Execution.DoesNotExist) as refusal:
                raise CommandError(f"{execution_id}: {refusal}") from refusal
            self.stdout.write(f"{execution_id}: {'dropped' if dropped else 'was dropped before'}")
