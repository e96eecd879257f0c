"""The rows of the engine: what was asked for, where it stands, every step, attempt and event.

Only executions/transitions.py writes a status; the constraints here repeat what it keeps.
"""

from __future__ import annotations

from executions.models.event import Arrival, ArrivalKind, Event
from executions.models.execution import DEADLINE_PASSED, OTHERWISE_FAILED, EarlierRun, Execution, Submission
from executions.models.imported import ImportedBundle
from executions.models.lineage import Lineage
from executions.models.log_cursor import LogCursor
from executions.models.money import Charge, LedgerEntry, PaymentAccount, PaymentEvent, Refund
from executions.models.order import Application, Payment
from executions.models.receipt import Receipt, SealingRefusal, SigningKey
from executions.models.retention import PayloadRemoval, Retention
from executions.models.step import Attempt, DueStep, Step
from executions.models.task import Task
from executions.models.webhook import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from executions.models.worker import Worker

__all__ = [
    "DEADLINE_PASSED",
    "OTHERWISE_FAILED",
    "Application",
    "Arrival",
    "ArrivalKind",
    "Attempt",
    "Charge",
    "DueStep",
    "EarlierRun",
    "Event",
    "Execution",
    "ImportedBundle",
    "LedgerEntry",
    "Lineage",
    "LogCursor",
    "PayloadRemoval",
    "Payment",
    "PaymentAccount",
    "PaymentEvent",
    "Receipt",
    "Refund",
    "Retention",
    "SealingRefusal",
    "SigningKey",
    "Step",
    "Submission",
    "Task",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Worker",
]
