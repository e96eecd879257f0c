"""Carry one claim out within its time and its size: whatever an action does, an outcome comes back."""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import structlog
from billiard.common import terminate_handler_fired  # type: ignore[attr-defined]  # younger than its stubs

from contract import json_values
from contract.json_values import JSON
from executions.retry import Failure
from orchestrator.actions.action import Action, ActionFailed, Attempted, Started
from orchestrator.actions.opening import OpenSecrets, opened
from orchestrator.actions.time_limit import TimedOut, within
from orchestrator.held import Held
from orchestrator.outcomes import Claim, Failed, Handed, Limits, Succeeded, encode
from tenants.masking import Masker, hiding
from workflows.effects import Effect
from workflows.failures import StepFailed

log = structlog.get_logger(__name__)

MAX_MESSAGE = 4_000
MAX_KIND = 100
FRAMES = 20
MAX_RETRY_AFTER = 86_400.0
"""A day, in seconds."""


class Carrier:
    """Carries claims out, each by the action of its step's type. What is secret of one is in no outcome and no log."""

    def __init__(self, actions: Mapping[str, Action], limits: Limits, held: Held, open_secrets: OpenSecrets) -> None:
        self._actions = actions
        self._limits = limits
        self._held = held
        self._open_secrets = open_secrets

    def __call__(self, claim: Claim) -> Succeeded | Failed | Handed:
        """The outcome, always; raises only what ends the process: the SystemExit of its pool's SIGTERM."""
        attempted = self._attempted(claim)
        closed = partial(self._held.is_closed, claim.fence)
        try:
            return within(attempted.seconds, partial(self._carry_out, claim, attempted), closed)
        except TimedOut:
            return Failed(_timeout(attempted))
        except BaseException as error:
            if terminate_handler_fired():
                raise
            # Not the worker's own end: it ignores SIGINT, and a tool's sys.exit() is a failure like any other.
            return Failed(Failure("exception", _told(error), retryable=attempted.repeatable))

    def _attempted(self, claim: Claim) -> Attempted:
        step, execution_id = claim.step, str(claim.execution_id)
        return Attempted(
            execution_id=execution_id,
            index=step.index,
            step=step.name,
            turn=f"{claim.generation}.{claim.failures}",
            number=claim.number,
            idempotency_key=f"{execution_id}:{step.name}:{claim.generation}",
            seconds=step.timeout_seconds,
            output_bytes=self._limits.output_bytes,
            repeatable=step.effect is not Effect.AT_MOST_ONCE,
            cancelled=partial(self._held.is_cancelled, claim.fence),
        )

    def _carry_out(self, claim: Claim, attempted: Attempted) -> Succeeded | Failed | Handed:
        """All that runs on what an action returned or raised is done here, inside the time limit."""
        try:
            config, masker = opened(claim, self._limits, self._open_secrets)
        except StepFailed as failed:
            return Failed(Failure(failed.kind, failed.message, retryable=False))
        with hiding(masker):
            return _masked(self._outcome(claim.step.type, config, attempted), masker)

    def _outcome(self, step_type: str, config: dict[str, JSON], attempted: Attempted) -> Succeeded | Failed | Handed:
        try:
            output = self._actions[step_type](config, attempted)
            return Handed(output.execution_id) if isinstance(output, Started) else Succeeded(self._encoded(output))
        except ActionFailed as failed:
            failure = Failure(
                _text(failed.kind)[:MAX_KIND],
                _text(failed.message),
                bool(failed.retryable),
                _seconds(failed.retry_after),
                bool(failed.ambiguous),
                bool(failed.on_request),
            )
            return Failed(failure, self._details(failed.details))
        except StepFailed as failed:
            failure = Failure(_text(failed.kind)[:MAX_KIND], _text(failed.message), retryable=False)
            return Failed(failure, self._details(failed.details))
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is how its attempt failed
            told = _told(error)
            # Not exc_info: an exception's text and its chain are as long as a tool makes them.
            at = "".join(traceback.format_tb(error.__traceback__, limit=-FRAMES))
            log.warning("action_raised", execution_id=attempted.execution_id, step=attempted.step, error=told, at=at)
            return Failed(Failure("exception", told, retryable=attempted.repeatable))

    def _encoded(self, output: JSON) -> str:
        try:
            return encode(output, self._limits, "output")
        except TypeError as error:
            raise StepFailed("invalid_output", f"the output is not JSON: {error}") from error

    def _details(self, details: JSON) -> JSON:
        """`details` if they can be stored, else why they cannot."""
        try:
            encode(details, self._limits, "detail")
        except (StepFailed, TypeError) as error:
            return f"left out: {_text(error)}"
        return details


def _masked(outcome: Succeeded | Failed | Handed, masker: Masker) -> Succeeded | Failed | Handed:
    """The outcome as it may be recorded: the one place where secrets are taken out of what comes back."""
    if not masker or isinstance(outcome, Handed):
        return outcome
    if isinstance(outcome, Succeeded):
        return Succeeded(json_values.stored(masker.json(json_values.load(outcome.output))))
    failure, details = outcome.failure, masker.json(outcome.details, cut=True)
    return replace(outcome, failure=replace(failure, message=masker.cut_text(failure.message)), details=details)


def _timeout(attempted: Attempted) -> Failure:
    message = f"the step took longer than its {attempted.seconds:g} seconds"
    return Failure("timeout", message, retryable=attempted.repeatable, ambiguous=True)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {_text(error)}"


def _text(value: object) -> str:
    """`value` as text that can be stored, whatever it is and holds, and not longer than an error needs."""
    try:
        text = str(value)[:MAX_MESSAGE]
    except Exception as error:  # noqa: BLE001 - whatever a tool's exception raises when it is shown
        text = f"(its text could not be made: {type(error).__name__})"
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def _seconds(value: object) -> float | None:
    """A delay that can be added to a time; None for anything else."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return min(max(float(value), 0.0), MAX_RETRY_AFTER)
