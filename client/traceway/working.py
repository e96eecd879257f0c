"""A worker of an agent as a loop: claim a task, carry it out with a function of its name, tell what came of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from traceway.client import Traceway
from traceway.drivers import Direct
from traceway.errors import Conflict
from traceway.resources.agents import Task

Carrier = Callable[[Any], Any]
"""From a task's arguments to its output, any JSON. What it raises fails the task, which may be tried again."""

CLAIM_SECONDS = 20
PAUSE_SECONDS = 1.0
BEAT_SECONDS = 20.0
"""A lease lasts a minute from its last heartbeat."""
LONGEST_ERROR = 4_000

logger = logging.getLogger("traceway")


def work(
    client: Traceway, agent_id: str, carriers: Mapping[str, Carrier], *, stop: threading.Event | None = None
) -> None:
    """Carry out the agent's tasks, one after the other, until `stop` is set (seen after 20 s at the latest, if idle).

    The lease of a task is kept while its function runs, by a thread; a task that is lost all the same is left to
    whoever has it then. One that no function is named after fails for good. Raises what claiming raises.
    """
    stop = stop or threading.Event()
    while not stop.is_set():
        claimed = client.agents.claim(agent_id, wait_seconds=CLAIM_SECONDS)
        for task in claimed:
            try:
                _carry_out(task, carriers.get(task.task))
            except Conflict as lost:
                logger.warning("task %s of %s was lost: %s", task.task_id, task.execution_id, lost)
        if not claimed:
            # A server that has too many waiting claims answers the next at once.
            stop.wait(PAUSE_SECONDS)


def _carry_out(task: Task[Direct], carrier: Carrier | None) -> None:
    if carrier is None:
        task.fail(f"this worker knows no task `{task.task}`", retryable=False)
        return
    try:
        with _kept(task):
            output = carrier(task.arguments)
    except Exception as error:
        logger.warning("task %s of %s failed", task.task_id, task.execution_id, exc_info=error)
        task.fail(f"{type(error).__name__}: {error}"[:LONGEST_ERROR])
    else:
        task.complete(output)


@contextmanager
def _kept(task: Task[Direct]) -> Iterator[None]:
    """The lease of the task, while the block runs."""
    done = threading.Event()
    beating = threading.Thread(target=_beat, args=(task, done), daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()


def _beat(task: Task[Direct], done: threading.Event) -> None:
    while not done.wait(BEAT_SECONDS):
        try:
            task.heartbeat()
        except Exception as error:  # noqa: BLE001 - the last word on a lease is had when the outcome is told
            logger.warning("no heartbeat for task %s: %s", task.task_id, error)
