"""What callers and operators may tell an execution. Each is one transaction that locks the execution first.

What changes where the execution stands is written at once; what concerns its steps goes to its inbox, which its own
advance consumes. Every refusal leaves the tables as they were.
"""

from __future__ import annotations

from executions.commands.deciding import decide
from executions.commands.ending import cancel
from executions.commands.overruling import complete, resolve, skip
from executions.commands.pausing import pause, resume
from executions.commands.payment import confirm_payment
from executions.commands.redriving import preview_redrive, redrive
from executions.commands.signalling import signal

__all__ = [
    "cancel",
    "complete",
    "confirm_payment",
    "decide",
    "pause",
    "preview_redrive",
    "redrive",
    "resolve",
    "resume",
    "signal",
    "skip",
]
