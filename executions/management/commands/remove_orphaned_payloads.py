"""Remove what nobody refers to from the payload store."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from executions.payloads.retention import remove_orphans


class Command(BaseCommand):
    help = "Remove objects of executions that do not exist (older than a day), or whose payloads were dropped."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"of {remove_orphans():,} executions")
