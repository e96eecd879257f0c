"""The order of an execution that costs something: written with it, in its transaction, and told by its third event."""

from __future__ import annotations

from datetime import timedelta

from executions.events import Detail
from executions.models import Execution, Payment
from executions.payments.accounts import provider_for
from executions.payments.words import MANUAL
from executions.states import PaymentStatus
from tenants.models import Tenant
from workflows.spec import Price

OPEN_FOR = timedelta(hours=24)
"""How long an order can be paid at a checkout; one that an operator sees to stays open."""


def open_order(tenant: Tenant, price: Price) -> Payment:
    """The order, at this price from now on, for an execution that is yet to be written."""
    return Payment(
        tenant=tenant,
        provider=provider_for(tenant.id),
        status=PaymentStatus.UNPAID.value,
        amount=price.amount,
        currency=price.currency,
        refund_policy=price.refund.value,
    )


def told(order: Payment) -> dict[str, Detail]:
    """What the event of its opening says."""
    return {
        "order": str(order.order_id),
        "provider": order.provider,
        "amount": order.amount,
        "currency": order.currency,
        "refund": order.refund_policy,
    }


def place(order: Payment, execution: Execution) -> Payment:
    """The order, written for this execution."""
    order.execution, order.created_at = execution, execution.created_at
    order.expires_at = None if order.provider == MANUAL else order.created_at + OPEN_FOR
    order.save(force_insert=True)
    return order
