"""The sweeper process. Any number may run; one may be absent for a while."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from executions.announce import announce
from orchestrator.sweep import sweep_for_ever


class Command(BaseCommand):
    help = "Wake workers for what is due and find what dead workers left behind, until TERM or INT."

    def handle(self, *args: Any, **options: Any) -> None:
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        sweep_for_ever(settings.DATABASE_URL, announce, over)
