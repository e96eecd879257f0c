"""What callers, operators and agents' workers may tell an execution. Each is one transaction that locks it first, but
for what a worker does with a task that stands beside it (claiming.py).

What changes where the execution stands is written at once; what concerns its steps goes to its inbox, which its own
advance consumes. Every refusal leaves the tables as they were.
"""

from __future__ import annotations

from executions.commands.claiming import beat, claim
from executions.commands.continuing import continue_pass
from executions.commands.deciding import decide
from executions.commands.ending import cancel
from executions.commands.overruling import complete, resolve, skip
from executions.commands.pausing import pause, resume
from executions.commands.payment import confirm_payment, decline_payment, refund_payment
from executions.commands.redriving import preview_redrive, redrive
from executions.commands.reporting import complete_task, fail_task
from executions.commands.signalling import signal

__all__ = [
    "beat",
    "cancel",
    "claim",
    "complete",
    "complete_task",
    "confirm_payment",
    "continue_pass",
    "decide",
    "decline_payment",
    "fail_task",
    "pause",
    "preview_redrive",
    "redrive",
    "refund_payment",
    "resolve",
    "resume",
    "signal",
    "skip",
]
