"""The sweeper process. Any number may run; one may be absent for a while."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from executions.announce import announce
from executions.payloads.retention import retain_for_ever
from executions.payments.settling import settle_for_ever
from executions.receipts.background import seal_for_ever
from orchestrator.deliveries import deliver_for_ever
from orchestrator.sweep import sweep_for_ever


class Command(BaseCommand):
    help = (
        "Wake workers for what is due, find what dead workers left behind, send webhooks, settle money, sign receipts, "
        "drop payloads, until TERM or INT."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        over = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        deliveries = threading.Thread(target=deliver_for_ever, args=(over,), name="deliveries")
        deliveries.start()
        settling = threading.Thread(target=settle_for_ever, args=(over,), name="settling")
        settling.start()
        sealing = threading.Thread(target=seal_for_ever, args=(over,), name="sealing")
        sealing.start()
        retaining = threading.Thread(target=retain_for_ever, args=(over,), name="retaining")
        retaining.start()
        sweep_for_ever(settings.DATABASE_URL, announce, over)
        sealing.join()
        retaining.join()
        settling.join()
        deliveries.join()
