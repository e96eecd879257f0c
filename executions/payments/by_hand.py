"""The two providers without a network: `manual`, where an operator sees the money, and `sandbox`, which pretends."""

from __future__ import annotations

from collections.abc import Mapping

from executions.payments.port import BadSignature, Checkout, Message, Order, Outcome, Wanted
from executions.payments.words import RefundStatus


class ByHand:
    """Our own page is its checkout, it signs nothing, and a refund is done when it is said."""

    remote = False

    def open_checkout(self, order: Order) -> Checkout | None:  # noqa: ARG002
        """None."""
        return None

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Message:  # noqa: ARG002
        """Raises BadSignature."""
        raise BadSignature("this provider sends no webhooks")

    def refund(self, wanted: Wanted) -> Outcome:
        """Done: who gives the money back by hand reads of it in the list of refunds."""
        return Outcome(RefundStatus.SUCCEEDED, str(wanted.refund_id))
