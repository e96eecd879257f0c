"""The rows of the engine: what was asked for, where it stands, every step, attempt and event.

Only executions/transitions.py writes a status; the constraints here repeat what it keeps.
"""

from __future__ import annotations

from executions.models.event import Arrival, ArrivalKind, Event
from executions.models.execution import EarlierRun, Execution, Submission
from executions.models.order import Application, Payment
from executions.models.step import Attempt, DueStep, Step
from executions.models.worker import Worker

__all__ = [
    "Application",
    "Arrival",
    "ArrivalKind",
    "Attempt",
    "DueStep",
    "EarlierRun",
    "Event",
    "Execution",
    "Payment",
    "Step",
    "Submission",
    "Worker",
]
