"""What events and statuses say to people: level, title, a sentence. The same fixed words everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from contract import json_values
from contract.json_values import JSON
from executions.states import Status


@dataclass(frozen=True, slots=True)
class Words:
    level: str
    title: str
    message: str


EVENTS: dict[str, Words] = {
    "execution.created": Words("info", "Created", "The execution was created."),
    "execution.awaiting_payment": Words("info", "Awaiting payment", "It starts once it is paid for."),
    "execution.payment_confirmed": Words("info", "Payment confirmed", "The payment was confirmed."),
    "execution.queued": Words("info", "Queued", "It waits for a worker."),
    "execution.started": Words("info", "Started", "A worker took it."),
    "execution.waiting": Words("info", "Waiting", "It waits for something outside."),
    "execution.resumed": Words("info", "Resumed", "It goes on."),
    "execution.paused": Words("info", "Paused", "Nothing new begins until it is resumed."),
    "execution.continued": Words("info", "Continued", "Its outcome was set to pass."),
    "execution.succeeded": Words("info", "Succeeded", "Every step has ended."),
    "execution.failed": Words("error", "Failed", "It could not be completed."),
    "execution.cancelled": Words("warning", "Cancelled", "It was cancelled."),
    "execution.redriven": Words("info", "Redriven", "It was started again where it had ended."),
    "execution.payloads_dropped": Words("info", "Payloads dropped", "Its inputs and outputs are kept no more."),
    "step.started": Words("info", "Step started", "An attempt at the step began."),
    "step.waiting": Words("info", "Step waiting", "The step waits for something to come."),
    "step.succeeded": Words("info", "Step succeeded", "The step gave its output."),
    "step.failed": Words("error", "Step failed", "The step failed."),
    "step.retrying": Words("warning", "Step retrying", "The attempt failed; another follows."),
    "step.skipped": Words("info", "Step skipped", "The step was not needed."),
    "step.completed": Words("info", "Step completed", "The step's output was given by hand."),
    "step.cancelled": Words("info", "Step cancelled", "The step was not wanted any more."),
    "step.reset": Words("info", "Step reset", "The step begins anew."),
    "step.outcome_unknown": Words(
        "warning", "Outcome unknown", "Nobody knows whether an effect that must not be repeated came about."
    ),
    "step.late_outcome": Words("warning", "Late outcome", "An outcome came after its attempt had been closed."),
    "payment.opened": Words("info", "Payment opened", "The order can be paid."),
    "payment.failed": Words("error", "Payment failed", "The order was not paid."),
    "payment.refunded": Words("info", "Refunded", "Money was given back."),
    "payment.expired": Words("warning", "Payment expired", "The order can be paid no more."),
    "payment.paid": Words("info", "Paid", "The payment was received."),
}

STATUSES: dict[Status, str] = {
    Status.AWAITING_PAYMENT: "The execution starts once it is paid for.",
    Status.PAYMENT_CONFIRMED: "The payment is confirmed; the execution is about to be queued.",
    Status.QUEUED: "The execution waits for a worker.",
    Status.RUNNING: "The execution is running.",
    Status.WAITING: "The execution waits for something outside.",
    Status.SUCCEEDED: "The execution succeeded.",
    Status.FAILED: "The execution failed.",
    Status.CANCELLED: "The execution was cancelled.",
}


def event_message(event: str, body: JSON) -> str:
    """What an event says: its own message or reason where it has one, else the fixed sentence of its type."""
    data = body["data"]
    return str(data.get("message") or data.get("reason") or EVENTS[event].message)


def body_of(text: str) -> JSON:
    """The body of a stored event."""
    return json_values.load(text)
