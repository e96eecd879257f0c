"""/v1/payments: what an order costs, its confirmation and its refunds, in the executions dialect."""

from __future__ import annotations

from uuid import UUID

from contract.answers import shown
from contract.http import Answer, absolute
from contract.json_values import JSON
from contract.shapes import Shape, Text, Whole
from contract.timestamps import wire
from executions.api.answers import PAYMENT
from executions.commands import confirm_payment, refund_payment
from executions.models import Payment
from executions.payments.settling import send
from executions.payments.words import RefundStatus
from executions.reading import payment_of_order
from executions.states import PaymentStatus
from tenants.door import Door, takes


class Confirm(Shape):
    """The body of POST /v1/payments/{orderId}/confirm."""

    reference = Text()


class GiveBack(Shape):
    """The body of POST /v1/payments/{orderId}/refund; `amount` in minor units."""

    amount = Whole(low=1, required=False)
    reason = Text(longest=1000)


class PaymentDoor(Door):
    """Payments of the caller's tenant."""

    pending: UUID | None = None
    """The refund that is on record by now, and that its provider has yet to be asked for."""

    @takes("payments:read", answers=shown(PAYMENT))
    def show(self, order_id: str) -> Answer:
        """One."""
        return self.ok(show(payment_of_order(self.tenant, order_id)))

    @takes("payments:write", body=Confirm.read, answers=shown(PAYMENT))
    def confirm(self, order_id: str) -> Answer:
        """Paid: its execution is queued."""
        payment = payment_of_order(self.tenant, order_id)
        return self.ok(show(confirm_payment(payment, self.input["reference"], self._actor())))

    @takes("payments:write", body=GiveBack.read, answers=shown(PAYMENT))
    def refund(self, order_id: str) -> Answer:
        """Give back a part, or what is left."""
        payment = payment_of_order(self.tenant, order_id)
        payment, refund = refund_payment(payment, self.input.get("amount"), self.input["reason"], self._actor())
        self.pending = refund.id if refund.status == RefundStatus.PENDING else None
        return self.ok(show(payment))

    def after_commit(self, answer: Answer) -> Answer:
        """The answer, once the provider was asked for a refund that is pending: with what came of it."""
        if self.pending is None:
            return answer
        send(self.pending)
        return self.ok(show(payment_of_order(self.tenant, self.kwargs["order_id"])))

    def _actor(self) -> str:
        return f"{self.credential.kind}:{self.credential.name}"


def show(payment: Payment) -> JSON:
    unpaid = payment.status == PaymentStatus.UNPAID
    return {
        "orderId": str(payment.order_id),
        "executionId": str(payment.execution_id),
        "provider": payment.provider,
        "status": payment.status,
        "amount": payment.amount,
        "currency": payment.currency,
        "refundedAmount": payment.refunded_amount,
        "reference": payment.reference,
        "checkoutUrl": absolute(f"/pay/{payment.order_id}") if unpaid else None,
        "createdAt": wire(payment.created_at),
        "paidAt": wire(payment.paid_at),
        "expiresAt": wire(payment.expires_at),
    }
