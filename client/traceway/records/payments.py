"""What events tell of money: what an execution costs, and where its payment stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from traceway.records.chain import Detail

_ENDED = {"payment.failed": "failed", "payment.expired": "expired"}


@dataclass(slots=True)
class PaymentTold:
    """One order. `opened` is what the event of its opening says; `paid_with` the reference of what paid it."""

    opened: Mapping[str, Detail]
    status: str = "unpaid"
    paid_with: Detail = None
    paid_at: str | None = None
    refunded: int = 0
    _given_back: dict[Detail, int] = field(default_factory=dict)

    @property
    def statuses(self) -> frozenset[str]:
        """Where it may stand: that a checkout is under way is told by no event."""
        return frozenset({"unpaid", "processing"}) if self.status == "unpaid" else frozenset({self.status})

    def apply(self, kind: str, data: Mapping[str, Detail], at: str) -> None:
        """Work the next event about it in."""
        self.status = _ENDED.get(kind, self.status)
        if kind == "payment.paid" and self.paid_at is None and self._fits(data):
            self.paid_with, self.paid_at = data.get("reference"), at
            self._count()
        elif kind in {"payment.refunded", "payment.refund_failed"}:
            amount = data.get("amount")
            signed = (amount if kind == "payment.refunded" else -amount) if type(amount) is int else 0
            of_charge = data.get("reference")
            self._given_back[of_charge] = self._given_back.get(of_charge, 0) + signed
            self._count()

    def _fits(self, data: Mapping[str, Detail]) -> bool:
        return all(data.get(name) == self.opened.get(name) for name in ("amount", "currency"))

    def _count(self) -> None:
        if self.paid_at is None:
            return
        self.refunded = self._given_back.get(self.paid_with, 0)
        whole = self.opened.get("amount") == self.refunded
        self.status = ("refunded" if whole else "partially_refunded") if self.refunded else "paid"
