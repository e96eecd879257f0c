"""Carry one claim out within its time and its size: whatever an action does, an outcome comes back.

The time limit interrupts Python code by SIGALRM; code that never comes back to Python is ended
with its process by the watchdog, and recovered as a lost attempt.
"""

from __future__ import annotations

import faulthandler
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import structlog

from executions.retry import Failure
from orchestrator.actions.action import Action, ActionFailed, Attempted
from orchestrator.advance import Claim, Failed, Limits, Succeeded, encode
from workflows.failures import StepFailed

log = structlog.get_logger(__name__)

WATCHDOG_SECONDS = 10.0
"""How long after its time-out a step that cannot be interrupted keeps its process."""


class TimedOut(BaseException):
    """Raised into an action whose time is over. No Exception, so that an action's own handlers let it through."""


class Carrier:
    """Carries claims out, each by the action of its step's type."""

    def __init__(self, actions: Mapping[str, Action], limits: Limits) -> None:
        self._actions = actions
        self._limits = limits

    def __call__(self, claim: Claim) -> Succeeded | Failed:
        step = claim.step
        attempted = Attempted(
            execution_id=str(claim.execution_id),
            step=step.name,
            number=claim.number,
            idempotency_key=f"{claim.execution_id}:{step.name}:1",
            seconds=step.timeout_seconds,
            output_bytes=self._limits.output_bytes,
        )
        try:
            with _within(step.timeout_seconds):
                output = self._actions[step.type](claim.config, attempted)
            return Succeeded(encode(output, self._limits, "output"))
        except TimedOut:
            message = f"the step took longer than its {step.timeout_seconds:g} seconds"
            return Failed(Failure("timeout", message))
        except ActionFailed as failed:
            failure = Failure(failed.kind, _text(failed.message), failed.retryable, failed.retry_after)
            return Failed(failure, failed.details)
        except StepFailed as failed:
            return Failed(Failure(failed.kind, _text(failed.message), retryable=False), failed.details)
        except Exception as error:
            log.warning("action_raised", execution_id=attempted.execution_id, step=step.name, exc_info=error)
            return Failed(Failure("exception", _text(f"{type(error).__name__}: {error}")))


def _text(message: str) -> str:
    """`message` as it can be stored, whatever it holds, and not longer than an error needs."""
    return message.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")[:4000]


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise TimedOut in here when `seconds` are over. Signals reach only a process's main thread, where workers run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGALRM, _raise)
    faulthandler.dump_traceback_later(seconds + WATCHDOG_SECONDS, exit=True)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, previous)


def _raise(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TimedOut
