"""/v1/payments: what an order costs, and its confirmation, in the executions dialect."""

from __future__ import annotations

from contract.http import Answer, absolute
from contract.json_values import JSON
from contract.shapes import Shape, Text
from contract.timestamps import wire
from executions.commands import confirm_payment
from executions.models import Payment
from executions.reading import payment_of_order
from executions.states import PaymentStatus
from tenants.door import Door, takes


class Confirm(Shape):
    """The body of POST /v1/payments/{orderId}/confirm."""

    reference = Text()


class PaymentDoor(Door):
    """Payments of the caller's tenant."""

    @takes("payments:read")
    def show(self, order_id: str) -> Answer:
        """One."""
        return self.ok(show(payment_of_order(self.tenant, order_id)))

    @takes("payments:write", body=Confirm.read)
    def confirm(self, order_id: str) -> Answer:
        """Paid: its execution is queued."""
        payment = payment_of_order(self.tenant, order_id)
        actor = f"{self.credential.kind}:{self.credential.name}"
        return self.ok(show(confirm_payment(payment, self.input["reference"], actor)))


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
