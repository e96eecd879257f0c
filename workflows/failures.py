"""How a step fails by its own doing: one exception, whose kind is a stable word that `retry.on` and events name."""

from __future__ import annotations

from contract.json_values import JSON


class StepFailed(Exception):
    """A step cannot succeed with what it was given.

    `kind` is one of the stable words (expression_error, guardrail_failed, invalid_arguments, ...), `details` JSON for
    the record, `output` what the step yields although it failed (None when it yields nothing).
    """

    def __init__(self, kind: str, message: str, *, details: JSON = None, output: JSON = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.details = details
        self.output = output
