"""What is owed back when an execution that was paid for fails or is cancelled. Pure."""

from __future__ import annotations

from workflows.spec import Refund as Policy


def owed(policy: Policy, amount: int, steps: int, delivered: int) -> int:
    """Minor units of `amount` to give back: all of it, nothing, or by the step.

    By the step, each of the definition's `steps` has an equal share in the price, and what was `delivered` (succeeded,
    and was not undone by its compensation) is kept, rounded in the payer's favour.
    """
    if policy is Policy.NEVER:
        return 0
    if policy is Policy.ON_FAILURE or steps == 0:
        return amount
    return amount - amount * delivered // steps
