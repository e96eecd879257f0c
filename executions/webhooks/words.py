"""The words of endpoints and deliveries: how they stand and why, and what may be subscribed to. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from executions.telling import EVENTS


class DeliveryStatus(StrEnum):
    """Where a delivery stands. Each value says who moves it out."""

    PENDING = "pending"  # a sweeper, which sends it; while its endpoint is disabled nobody
    DELIVERED = "delivered"  # nobody
    FAILED = "failed"  # a caller or an operator who has it sent once more
    DROPPED = "dropped"  # nobody: its endpoint was deleted


class SendStatus(StrEnum):
    """How one attempt at a delivery came out."""

    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    LOST = "lost"  # whoever sent it died before it could say how it came out; the delivery is sent again


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing."""

    REQUESTED = "requested"  # a caller or an operator disabled it
    GONE = "gone"  # it answered 410
    FAILING = "failing"  # nothing it was sent was taken for days


class Format(StrEnum):
    """What an endpoint is sent of an event."""

    EVENT = "event"  # the event as the API shows it, with a summary of its execution
    OPEN_LINEAGE = "openlineage"  # a run event of OpenLineage


ENABLED: Final = "enabled"
DISABLED: Final = "disabled"

EVERYTHING: Final = "*"
DEFAULT: Final = ("execution.*", "payment.*")
"""What an endpoint is told of that names nothing: steps have many more events than most receivers want."""

# Of payments, these are in the published list before anything here tells of them.
TYPES: Final = frozenset(EVENTS) | {"payment.opened", "payment.failed", "payment.refunded"}
"""Every type of event that may be subscribed to."""

SUBSCRIBABLE: Final = TYPES | {f"{name.partition('.')[0]}.*" for name in TYPES} | {EVERYTHING}
