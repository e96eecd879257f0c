"""A worker that has stopped hearing connects anew: it looks whether messages wait although it has nothing to do."""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.worker import state

from executions.announce import QUEUE

EVERY_SECONDS = 1.0
STRIKES = 3


class Hearing(bootsteps.StartStopStep):
    """Restarts the consumer after `STRIKES` looks at which messages waited and nothing was in hand."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None
        self._strikes = 0

    def start(self, consumer: Any) -> None:
        self._strikes = 0
        self._timer = consumer.timer.call_repeatedly(EVERY_SECONDS, self._look, (consumer,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 - what every step takes
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, consumer: Any) -> None:
        """Raises ConnectionError, upon which the consumer begins again on a connection of its own."""
        # Not the channel's own client: a blocking read is under way on its connection.
        with consumer.task_consumer.channel.conn_or_acquire() as client:
            waiting = client.llen(QUEUE)
        self._strikes = self._strikes + 1 if waiting and not state.reserved_requests else 0
        if self._strikes >= STRIKES:
            raise ConnectionError("messages wait and none is received")
