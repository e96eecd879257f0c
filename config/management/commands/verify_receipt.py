"""`manage.py verify_receipt FILE [--keys FILE]`: the check of `traceway verify`, in need of no database."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from traceway.records import Unreadable, as_members, in_words, load, read_jwks, verify_file


class Command(BaseCommand):
    """Ends with status 0 for what is intact, 1 for what does not match, 2 for what cannot be read."""

    help = "Check an exported receipt or bundle, offline, and name the first thing that does not match."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """FILE, --keys and --json."""
        parser.add_argument("file")
        parser.add_argument("--keys", metavar="FILE", help="the keys to trust (a JWKS), in place of those in the file")
        parser.add_argument("--json", action="store_true", help="the verdict as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the verdict. Raises CommandError for a file that cannot be read."""
        try:
            keys = None if options["keys"] is None else read_jwks(load(options["keys"]))
            verdict = verify_file(options["file"], keys)
        except Unreadable as error:
            raise CommandError(str(error), returncode=2) from error
        lines = [json.dumps(as_members(verdict), indent=2)] if options["json"] else in_words(verdict)
        self.stdout.write("\n".join(lines))
        if not verdict.intact:
            sys.exit(1)
