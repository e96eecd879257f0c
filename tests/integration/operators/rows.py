"""Executions in every stage, with rows beside them, for pages that show them."""

from __future__ import annotations

from typing import Any

from executions import commands
from executions.models import (
    Application,
    Arrival,
    Attempt,
    DueStep,
    EarlierRun,
    Event,
    Execution,
    ImportedBundle,
    Lineage,
    Payment,
    PaymentEvent,
    Receipt,
    Retention,
    SealingRefusal,
    Step,
    Task,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    Worker,
)
from executions.payments import accounts
from executions.receipts import keys
from executions.receipts.payload import receipt_id
from executions.webhooks.fan_out import fan_out
from tenants.models import Tenant
from tenants.registry import default_agent_of
from tests.integration.engine.world import noop, published, submitted

PRICE = {"amount": 4950, "currency": "EUR"}
NOTHING_FOUND = '{"intact":true,"findings":[],"notes":[],"checked":{},"signedBy":[],"known_keys":[]}'
WHEN = "2026-11-22T10:00:00Z"
BOOT = "01890000-0000-7000-8000-000000000000"


def unpaid(tenant: Tenant) -> Execution:
    """An execution that awaits its payment."""
    return submitted(tenant, published(tenant, [noop("only")], price=PRICE))


def given_back(tenant: Tenant) -> Payment:
    """An order, by an account with a provider, that was paid and, in part, given back; and an event too early."""
    accounts.use_by_hand(tenant)
    payment = commands.confirm_payment(unpaid(tenant).payment, "bank-1", "key:k")
    payment, _ = commands.refund_payment(payment, 1000, "too slow", "key:k")
    PaymentEvent.objects.create(
        tenant=tenant, provider="stripe", event_id="evt_1", type="refund.created", reference="pi_1", notice="{}",
        outcome="early", received_at=WHEN,
    )  # fmt: skip
    return payment


def queued(tenant: Tenant, **members: Any) -> Execution:
    """An execution that nobody has taken yet."""
    return submitted(tenant, published(tenant, [noop("only")]), **members)


def with_steps(tenant: Tenant, count: int) -> Execution:
    """An execution with rows of `count` steps, each with two attempts and an event."""
    execution = queued(tenant, value={"secret": "<script>"})
    steps = [Step(execution=execution, index=i, name=f"s{i}", status="succeeded", parents_left=0) for i in range(count)]
    Step.objects.bulk_create(steps)
    Attempt.objects.bulk_create(attempt(execution, i, number) for i in range(count) for number in (1, 2))
    Event.objects.bulk_create(event(execution, i) for i in range(count))
    return execution


def attempt(execution: Execution, index: int, number: int) -> Attempt:
    """One that failed, of a worker of the past."""
    return Attempt(
        execution=execution,
        step_index=index,
        number=number,
        status="failed",
        worker=BOOT,
        worker_name=f"host:{number}",
        code_version="test",
        input='{"n":1}',
        output="[1,2]",
        error='{"kind":"timeout","message":"no answer","details":null}',
        started_at=WHEN,
        finished_at=WHEN,
    )


def event(execution: Execution, index: int) -> Event:
    """One that follows those of the creation."""
    body = '{"data":{"message":"no answer"}}'
    return Event(
        execution=execution,
        sequence=index + 10,
        type="step.failed",
        step=f"s{index}",
        body=body,
        hash=b"\1" * 32,
        created_at=WHEN,
    )


def one_of_each(tenant: Tenant) -> None:
    """At least one row of every model."""
    unpaid(tenant)
    given_back(tenant)
    execution = with_steps(tenant, 1)
    EarlierRun.objects.create(
        run_id=BOOT, execution=execution, status="workflow_failed", queued_at=WHEN, finished_at=WHEN
    )
    DueStep.objects.create(execution=execution, step_index=0, due_at=WHEN)
    Arrival.objects.create(execution=execution, kind="cancel", actor="somebody", created_at=WHEN)
    agent = default_agent_of(tenant)
    Task.objects.create(execution=execution, step_index=0, number=1, agent=agent, status="open", opened_at=WHEN)
    ImportedBundle.objects.create(
        tenant=tenant, digest="0" * 64, bytes=1, intact=True, imported_by="operator:ada", verdict=NOTHING_FOUND
    )
    Worker.objects.create(boot_id=BOOT, name="host:1", started_at=WHEN, beat_at=WHEN, expires_at=WHEN)
    Application.objects.create(tenant=tenant, external_ref="a-1", data='{"a":1}', created_at=WHEN)
    told(execution)
    signed(execution)
    Lineage.objects.create(tenant=tenant, execution=execution, position=0, number=1, field="/a", kind="input")
    Retention.objects.create(tenant=tenant, payload_days=30)


def signed(execution: Execution) -> Receipt:
    """A receipt of it, and an alarm that its record does not verify."""
    SealingRefusal.objects.create(execution=execution, finding="event 1 hash: is not the hash", refused_at=WHEN)
    signer = keys.signer()
    return Receipt.objects.create(
        id=receipt_id(execution.id, execution.run_id),
        execution=execution,
        run_id=execution.run_id,
        sequence=1,
        status="workflow_succeeded",
        kid=signer.kid,
        jws=signer.sign({"format": "<script>"}),
        created_at=WHEN,
    )


def told(execution: Execution) -> WebhookDelivery:
    """A delivery that failed, of the execution's first event, with everything around it."""
    endpoint = WebhookEndpoint.objects.create(
        tenant=execution.tenant, name="shop", url="https://example.org/hook", subscribed=["*"], sealed="sealed secret"
    )
    delivery = WebhookDelivery.objects.create(
        tenant=execution.tenant,
        endpoint=endpoint,
        execution=execution,
        sequence=1,
        event_type="execution.created",
        status="failed",
        finished_at=WHEN,
    )
    WebhookAttempt.objects.create(
        delivery=delivery,
        number=1,
        status="failed",
        response_status=500,
        response_excerpt="<script>",
        error_kind="http_status",
        error_message="it answered 500",
        started_at=WHEN,
        finished_at=WHEN,
    )
    fan_out()
    return delivery
