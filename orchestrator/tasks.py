"""Every Celery task: a few lines each. A message is only a hint to look; what is due stands in the database."""

from __future__ import annotations

import time
from typing import Any

from celery import shared_task
from celery.signals import worker_process_shutdown
from django.conf import settings

from executions.announce import WAKE
from orchestrator.actions.time_limit import heed_interrupts, on_duty
from orchestrator.process import WorkerProcess

DRAIN_SECONDS = 1.0
"""How long one message keeps a process: prefork children never see TERM, they end between messages."""
LINGER_SECONDS = 0.1
"""How long a process that found something stays awake after the last, within that time."""

_process: list[WorkerProcess] = []


@shared_task(name=WAKE, ignore_result=True)
def wake() -> int:
    """Carry out what is due, for a while; the number of attempts carried out."""
    with on_duty():
        process, until = _this_process(), time.monotonic() + DRAIN_SECONDS
        before = process.engine.taken
        carried = process.engine.drain(DRAIN_SECONDS)
        # Who finds nothing at first had a message too many; there may be more of them, and they are soon done with.
        while process.engine.taken > before and process.bell.rung(min(LINGER_SECONDS, until - time.monotonic())):
            carried += process.engine.drain(until - time.monotonic())
        return carried


@worker_process_shutdown.connect
def end(**_: Any) -> None:
    """Nothing is in hand between messages: the lease can go at once."""
    for process in _process:
        process.lease.end()


def _this_process() -> WorkerProcess:
    """This process as a worker, made by its first message: nothing made before the fork may be used after it."""
    if not _process:
        heed_interrupts()
        process = WorkerProcess(settings.DATABASE_URL)
        process.lease.start()
        _process.append(process)
    return _process[0]
