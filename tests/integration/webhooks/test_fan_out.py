"""From events to deliveries: each event once for each endpoint that wants it, and never one less."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from executions.models import Event, Execution, LogCursor, WebhookDelivery
from executions.webhooks import endpoints, fan_out
from tenants.models import Tenant
from tests.integration.engine.world import World, database_url, noop, published, submitted
from tests.integration.webhooks.receiving import endpoint, fan_out_all, happened, told, types_told


def executed(tenant: Tenant, world: World, *steps: dict[str, Any]) -> Execution:
    """An execution that has ended."""
    execution = submitted(tenant, published(tenant, list(steps) or [noop("only")]))
    world.drain()
    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"
    return execution


def read_up_to(xid: int) -> None:
    """Say of the log that it was read up to the end of this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE log_cursor SET xid = %s, event = 0", [str(xid)])


def in_threads(count: int, act: Callable[[], object]) -> None:
    """`act` in so many threads at once; raises what the first of them raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_an_endpoint_that_names_no_types_is_told_of_executions_and_payments_but_not_of_steps(
    alice: Tenant, world: World
) -> None:
    hook = endpoint(alice)
    execution = executed(alice, world)
    fan_out_all()
    assert types_told(hook) == ["execution.created", "execution.queued", "execution.started", "execution.succeeded"]
    assert told(hook) == happened(execution, "execution.", "payment.")


@pytest.mark.parametrize(
    ("subscribed", "types"),
    [
        (["execution.succeeded"], ["execution.succeeded"]),
        (["step.*"], ["step.started", "step.succeeded"]),
        (["step.started", "execution.created"], ["execution.created", "step.started"]),
        (["*", "step.*"], ["execution.created", "execution.queued", "execution.started", "step.started",
                           "step.succeeded", "execution.succeeded"]),
        (["payment.*"], []),
    ],
)  # fmt: skip
def test_an_endpoint_is_told_once_of_what_any_of_its_patterns_names(
    alice: Tenant, world: World, subscribed: list[str], types: list[str]
) -> None:
    hook = endpoint(alice, "http://127.0.0.1:9/", *subscribed)
    executed(alice, world)
    fan_out_all()
    assert types_told(hook) == types


def test_every_endpoint_of_the_tenant_is_told_and_none_of_another_one(alice: Tenant, bob: Tenant, world: World) -> None:
    first, second, foreign = endpoint(alice), endpoint(alice), endpoint(bob)
    execution = executed(alice, world)
    fan_out_all()
    assert told(first) == told(second) == happened(execution, "execution.")
    assert told(foreign) == []
    assert set(WebhookDelivery.objects.values_list("tenant", flat=True)) == {alice.id}


def test_an_endpoint_is_not_told_of_what_happened_before_it_was_made(alice: Tenant, world: World) -> None:
    endpoint(alice)
    executed(alice, world)
    late = endpoint(alice)
    after = executed(alice, world)
    fan_out_all()
    assert told(late) == happened(after, "execution.")


def test_a_disabled_endpoint_is_told_of_nothing_that_happens_until_it_is_enabled(alice: Tenant, world: World) -> None:
    hook = endpoint(alice)
    with transaction.atomic():
        endpoints.disable(alice, str(hook.id))
    executed(alice, world)
    fan_out_all()
    with transaction.atomic():
        endpoints.enable(alice, str(hook.id))
    fan_out_all()
    assert told(hook) == []
    after = executed(alice, world)
    fan_out_all()
    assert told(hook) == happened(after, "execution.")


def test_reading_again_makes_nothing_again(alice: Tenant, world: World) -> None:
    hook = endpoint(alice)
    executed(alice, world)
    fan_out_all()
    before = told(hook)
    fan_out_all()
    assert told(hook) == before
    read_up_to(0)
    fan_out_all()
    assert told(hook) == before, "the database keeps it, wherever reading begins"


def test_more_events_than_are_read_at_once_are_all_told_of(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "BATCH", 2)
    hook = endpoint(alice)
    execution = executed(alice, world, *[noop(f"s{number}") for number in range(5)])
    fan_out_all()
    assert told(hook) == happened(execution, "execution.")


def test_what_a_slow_transaction_writes_is_told_of_though_later_ones_were_read(alice: Tenant, world: World) -> None:
    hook = endpoint(alice)
    workflow = published(alice, [noop("only")])
    slow_may_end, slow_has_written = threading.Event(), threading.Event()
    made: list[Execution] = []

    def slow() -> None:
        with transaction.atomic():
            made.append(submitted(alice, workflow))
            slow_has_written.set()
            assert slow_may_end.wait(20)

    thread = threading.Thread(target=lambda: in_threads(1, slow))
    thread.start()
    assert slow_has_written.wait(20)
    quick = submitted(alice, workflow)
    fan_out_all()
    early = told(hook)
    slow_may_end.set()
    thread.join()
    fan_out_all()
    assert set(told(hook)) == {*happened(quick, "execution."), *happened(made[0], "execution.")}
    assert len(told(hook)) == 4
    assert early == [], "what an older transaction can still come before is not read yet"


def test_readers_at_the_same_moment_make_each_delivery_once_and_miss_none(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "BATCH", 7)
    hooks = [endpoint(alice, "http://127.0.0.1:9/", "*") for _ in range(2)]
    workflow = published(alice, [noop("first"), noop("second", "first")])
    submitted_all = threading.Event()
    executions: list[Execution] = []

    def read() -> None:
        while not submitted_all.is_set():
            fan_out_all()

    def write() -> None:
        executions.extend(submitted(alice, workflow) for _ in range(15))

    def write_and_work() -> None:
        in_threads(2, write)
        world.drain()
        submitted_all.set()

    writer = threading.Thread(target=lambda: in_threads(1, write_and_work))
    writer.start()
    in_threads(3, read)
    writer.join()
    fan_out_all()
    everything = [(str(event.execution_id), event.sequence) for event in Event.objects.order_by("xid", "id")]
    assert len(executions) == 30
    assert len(everything) == 30 * 8
    for hook in hooks:
        assert sorted(told(hook)) == sorted(everything)


def test_a_reader_that_dies_before_it_commits_leaves_the_events_for_the_next(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = endpoint(alice)
    execution = executed(alice, world)
    fan_out.fan_out()
    whole = fan_out._deliveries

    def killed(found: Any) -> Any:
        WebhookDelivery.objects.bulk_create(whole(found))
        with psycopg.connect(database_url(), autocommit=True) as other:
            own = connection.connection.info.backend_pid
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [own])
        return []

    with monkeypatch.context() as patch:
        patch.setattr(fan_out, "_deliveries", killed)
        with pytest.raises(Exception, match=r"terminating|closed"):
            fan_out.fan_out()
    connection.close()
    assert told(hook) == []
    fan_out_all()
    assert told(hook) == happened(execution, "execution.")


def test_where_nobody_wants_events_none_are_read_and_nothing_is_written(alice: Tenant, world: World) -> None:
    executed(alice, world)
    with CaptureQueriesContext(connection) as captured:
        fan_out_all()
    assert not LogCursor.objects.exists()
    assert not [query for query in captured.captured_queries if " event" in query["sql"]]


def test_reading_begins_where_the_first_endpoint_begins_to_be_told(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        executed(alice, world)
    hook = endpoint(alice)
    after = executed(alice, world)
    monkeypatch.setattr(fan_out, "BATCH", after.events.count())
    fan_out.fan_out()
    assert fan_out.fan_out() is True, "the events before the endpoint would have filled the first batch"
    assert told(hook) == happened(after, "execution.")


def test_after_a_dump_was_restored_what_happens_then_is_told_of(alice: Tenant, world: World) -> None:
    hook = endpoint(alice)
    executed(alice, world)
    fan_out_all()
    before = told(hook)
    # Another cluster counts its transactions from the start.
    read_up_to(2**40)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE webhook_endpoint SET since = %s", [str(2**40)])
    fan_out_all()
    after = executed(alice, world)
    fan_out_all()
    assert told(hook) == [*before, *happened(after, "execution.")]
