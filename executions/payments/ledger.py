"""The ledger: double entries for everything that happens to money. They are added and never changed."""

from __future__ import annotations

from datetime import datetime

from executions.models import Charge, LedgerEntry, Refund
from executions.payments.words import LedgerAccount, Posting

FEE = 0
"""What Traceway keeps of a charge, in minor units."""


def post_charge(charge: Charge, now: datetime) -> None:
    """Money has arrived."""
    lines = {
        LedgerAccount.PROVIDER: charge.amount - FEE,
        LedgerAccount.FEES: FEE,
        LedgerAccount.SALES: -charge.amount,
    }
    _post(charge, charge, Posting.PAID, lines, now)


def post_refund(refund: Refund, posting: Posting, now: datetime) -> None:
    """A refund was asked for, came about, failed, or came back after it had come about."""
    source, target = _ACCOUNTS[posting]
    _post(refund, refund, posting, {source: -refund.amount, target: refund.amount}, now)


_ACCOUNTS = {
    Posting.REFUND_ASKED: (LedgerAccount.REFUNDS_OWED, LedgerAccount.SALES),
    Posting.REFUNDED: (LedgerAccount.PROVIDER, LedgerAccount.REFUNDS_OWED),
    Posting.REFUND_FAILED: (LedgerAccount.SALES, LedgerAccount.REFUNDS_OWED),
    Posting.REFUND_CAME_BACK: (LedgerAccount.SALES, LedgerAccount.PROVIDER),
}
"""(from, to)"""


def _post(
    row: Charge | Refund, source: Charge | Refund, posting: Posting, lines: dict[LedgerAccount, int], now: datetime
) -> None:
    LedgerEntry.objects.bulk_create(
        LedgerEntry(
            payment_id=row.payment_id,
            posting=posting.value,
            source=source.id,
            account=account.value,
            amount=amount,
            currency=row.currency,
            created_at=now,
        )
        for account, amount in lines.items()
    )
