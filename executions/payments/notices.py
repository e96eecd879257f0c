"""Notices as JSON, as they stand in payment_event, and back. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from contract.json_values import JSON
from executions.payments.port import Notice, RefundMoved
from executions.payments.words import RefundStatus


def written(notice: Notice) -> dict[str, JSON]:
    """Its kind and its members."""
    members = {name: str(value) if isinstance(value, UUID) else value for name, value in asdict(notice).items()}
    return {"kind": type(notice).__name__, **members}


def refund_notice(told: dict[str, Any]) -> RefundMoved:
    """The notice of a refund that was written so."""
    members = {name: value for name, value in told.items() if name != "kind"}
    ours = UUID(members["ours"]) if members["ours"] else None
    return RefundMoved(**members | {"status": RefundStatus(members["status"]), "ours": ours})
