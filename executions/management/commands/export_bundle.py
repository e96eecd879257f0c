"""`manage.py export_bundle EXECUTION [-o FILE]`: all that is on record of an execution, in one file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contract.identifiers import parse_id
from executions.models import Execution
from executions.provenance.bundle import bundle_of, file_name


class Command(BaseCommand):
    """Writes a bundle."""

    help = "Write the bundle of an execution, which `traceway verify` checks and import_bundle takes in."

    def add_arguments(self, parser: CommandParser) -> None:
        """EXECUTION and -o."""
        parser.add_argument("execution", help="its id")
        parser.add_argument("-o", "--output", type=Path, help="the file; else traceway-<id>.zip, here")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the file's name, alone, on stdout."""
        execution_id = parse_id(options["execution"])
        if execution_id is None:
            raise CommandError(f"{options['execution']!r} is no id")
        try:
            bundle = bundle_of(execution_id)
        except Execution.DoesNotExist as error:
            raise CommandError(f"there is no execution {execution_id}") from error
        path: Path = options["output"] or Path(file_name(execution_id))
        with bundle, path.open("wb") as file:
            shutil.copyfileobj(bundle, file)
        self.stdout.write(str(path))
