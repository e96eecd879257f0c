"""What seals by itself: nothing is missed or signed twice, whoever dies; what was altered is not signed."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from contract.away import Unreachable
from executions import log_reading
from executions.models import Lineage, LogCursor, Receipt, SealingRefusal
from executions.receipts import background, sealing
from executions.receipts.checking import ended_runs
from executions.receipts.reading import receipt_of
from tests.integration.engine.moments import at_once
from tests.integration.engine.world import World, database_url, failing, noop, published, submitted
from tests.integration.http_client import Caller
from tests.integration.receipts.ending import asked, ended, reason, redriven, seal_all, verdict
from tests.waiting import eventually


def altered(statement: str, *values: Any) -> None:
    """Somebody writes past the product."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement, values)
        assert cursor.rowcount == 1
        cursor.execute("RESET session_replication_role")


def many(alice: Caller, world: World, count: int) -> None:
    assert alice.tenant is not None
    workflow = published(alice.tenant, [noop("only")])
    for _ in range(count):
        submitted(alice.tenant, workflow)
    world.drain(30)


def statements(alice: Caller, world: World, count: int) -> int:
    """What it costs to seal so many executions at once."""
    many(alice, world, count)
    with CaptureQueriesContext(connection) as captured:
        background.seal_what_ended()
    return len(captured.captured_queries)


def test_a_batch_costs_the_same_statements_for_one_execution_and_for_sixty(alice: Caller, world: World) -> None:
    statements(alice, world, 1)
    one, sixty = statements(alice, world, 1), statements(alice, world, 60)
    assert Receipt.objects.count() == 62
    assert one == sixty <= 24


def test_batches_are_bounded_by_executions_and_by_events_and_miss_none(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(alice, world, 12)
    monkeypatch.setattr(background, "MOST_EXECUTIONS", 5)
    assert background.seal_what_ended() is True
    assert Receipt.objects.count() == 5
    monkeypatch.setattr(background, "MOST_EVENTS", 1)
    assert background.seal_what_ended() is True
    assert Receipt.objects.count() == 6, "one at least"
    monkeypatch.setattr(background, "SCANNED", 3)
    seal_all()
    assert Receipt.objects.count() == 12


def test_an_execution_that_goes_on_is_read_past_and_signed_when_it_ends(alice: Caller, world: World) -> None:
    assert alice.tenant is not None
    execution = submitted(alice.tenant, published(alice.tenant, [noop("only")]))
    seal_all()
    assert not Receipt.objects.exists()
    world.drain()
    seal_all()
    assert Receipt.objects.get().execution_id == execution.id


def test_what_a_slow_transaction_ends_is_signed_though_later_ones_were(alice: Caller, world: World) -> None:
    assert alice.tenant is not None
    workflow = published(alice.tenant, [noop("only")], price={"amount": 1, "currency": "EUR"})
    may_end, has_written = threading.Event(), threading.Event()
    slow = submitted(alice.tenant, workflow)

    def cancel_slowly() -> None:
        with transaction.atomic():
            alice.post(f"/v1/executions/{slow.id}/cancel")
            has_written.set()
            assert may_end.wait(20)
        connections.close_all()

    thread = threading.Thread(target=cancel_slowly)
    thread.start()
    assert has_written.wait(20)
    quick = ended(alice, world)
    seal_all()
    assert not Receipt.objects.exists(), "what an older transaction can still come before is not read yet"
    may_end.set()
    thread.join()
    seal_all()
    assert {receipt.execution_id for receipt in Receipt.objects.all()} == {slow.id, quick.id}


def test_two_that_seal_at_the_same_moment_make_one_receipt(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = ended(alice, world)
    gate, write = threading.Barrier(2), sealing._Batch.write

    def together(batch: Any) -> None:
        assert len(batch.receipts) == 1, "both have signed"
        gate.wait(20)
        write(batch)

    monkeypatch.setattr(sealing._Batch, "write", together)
    got: list[str] = []

    def ask() -> None:
        got.append(receipt_of(execution, execution.run_id).jws)

    at_once(ask, background.seal_what_ended)
    at_once(ask, ask)
    assert set(got) == {Receipt.objects.get().jws}
    assert len(got) == 3
    assert verdict(execution).intact


def test_of_two_sweepers_one_seals(alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    many(alice, world, 3)
    within, may_go_on = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> None:
        within.set()
        assert may_go_on.wait(20)
        sealing.seal(*arguments)

    monkeypatch.setattr(background, "seal", slowly)
    thread = threading.Thread(target=lambda: at_once(background.seal_what_ended))
    thread.start()
    assert within.wait(20)
    assert background.seal_what_ended() is False
    assert not Receipt.objects.exists()
    may_go_on.set()
    thread.join()
    assert Receipt.objects.count() == 3


def test_one_that_is_killed_before_it_commits_leaves_all_of_it_to_the_next(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(alice, world, 3)
    write = sealing._Batch.write

    def killed(batch: Any) -> None:
        write(batch)
        with psycopg.connect(database_url(), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])

    with monkeypatch.context() as patch:
        patch.setattr(sealing._Batch, "write", killed)
        with pytest.raises(Exception, match=r"terminating|closed"):
            background.seal_what_ended()
    connection.close()
    assert (Receipt.objects.count(), LogCursor.objects.count(), Lineage.objects.count()) == (0, 0, 0)
    seal_all()
    assert Receipt.objects.count() == 3


def test_sealing_waits_while_executions_are_due_but_not_for_ever(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(alice, world)
    assert alice.tenant is not None
    submitted(alice.tenant, published(alice.tenant, [noop("due")]))
    assert background.turn() is False
    assert Receipt.objects.count() == 0
    monkeypatch.setattr(background, "LONGEST_DELAY_SECONDS", 0)
    background.turn()
    assert Receipt.objects.count() == 1


def test_the_further_sealing_is_behind_the_less_it_rests(alice: Caller, world: World) -> None:
    """Under a load that never ends what waits for a receipt would grow for ever."""
    assert background._rest(1.0) == background.REST
    ended(alice, world)
    assert background._rest(1.0) == background.REST
    with connection.cursor() as cursor:
        behind = 10 * background.LONGEST_DELAY_SECONDS
        cursor.execute("UPDATE event SET created_at = clock_timestamp() - %s * interval '1 second'", [behind])
    assert background._rest(1.0) == pytest.approx(background.REST / 10, rel=0.1)
    background.seal_what_ended()
    assert background._rest(1.0) == background.REST


class Waits(threading.Event):
    """Notes how long it was to be waited, and is over after the second time."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return len(self.seconds) > 1


def test_after_a_batch_it_rests_for_the_time_it_had_a_processor_and_less_where_it_is_behind(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked, waited = 0.05, 0.3

    def batch() -> bool:
        until = time.thread_time() + worked
        while time.thread_time() < until:
            pass
        time.sleep(waited)
        return True

    def rest() -> float:
        over = Waits()
        background.seal_for_ever(over)
        return over.seconds[1] or 0.0

    monkeypatch.setattr(background, "turn", batch)
    assert background.REST * worked <= rest() < background.REST * waited
    ended(alice, world)
    with connection.cursor() as cursor:
        behind = 10 * background.LONGEST_DELAY_SECONDS
        cursor.execute("UPDATE event SET created_at = clock_timestamp() - %s * interval '1 second'", [behind])
    assert rest() < background.REST * waited / 10


def test_what_ended_is_sealed_by_the_next_look_once_nothing_is_due(alice: Caller, world: World) -> None:
    ended(alice, world)
    background.turn()
    assert Receipt.objects.count() == 1


def test_a_look_at_which_nothing_has_happened_costs_one_statement(alice: Caller, world: World) -> None:
    ended(alice, world)
    seal_all()
    with CaptureQueriesContext(connection) as captured:
        assert background.turn() is False
    assert len(captured.captured_queries) == 1


def test_it_goes_on_after_the_database_was_away_and_ends_when_it_is_told_to(alice: Caller, world: World) -> None:
    over = threading.Event()
    thread = threading.Thread(target=background.seal_for_ever, args=(over,))
    thread.start()
    try:
        ended(alice, world)
        eventually(lambda: Receipt.objects.count() == 1)
        with psycopg.connect(database_url(), autocommit=True) as other:
            other.execute(_END_OTHERS, [connection.connection.info.backend_pid])
        world.close()
        with World() as another:
            ended(alice, another)
        eventually(lambda: Receipt.objects.count() == 2, seconds=20)
    finally:
        over.set()
        thread.join(20)
    assert not thread.is_alive()


_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)"""


def test_after_a_dump_was_restored_what_had_no_receipt_gets_one(alice: Caller, world: World) -> None:
    early = ended(alice, world)
    seal_all()
    late = ended(alice, world)
    # Another cluster counts its transactions from the start.
    LogCursor.objects.filter(name=background.READER).update(xid=2**40, event=7)
    assert background._is_time()
    signed = Receipt.objects.get().jws
    seal_all()
    assert {row.execution_id for row in Receipt.objects.all()} == {early.id, late.id}
    assert Receipt.objects.get(execution=early).jws == signed
    with connection.cursor() as cursor:
        assert not log_reading.is_of_another_server(cursor, log_reading.place_of(cursor, background.READER))


ALTERED: dict[str, tuple[str, str]] = {
    "an event's body": ("UPDATE event SET body = replace(body, 'workflow', 'workfl0w') WHERE sequence = 1", "event 1"),
    "an event's hash": (r"UPDATE event SET hash = '\x00' WHERE sequence = 3", "event 3"),
    "an event's time": ("UPDATE event SET created_at = created_at + interval '1 us' WHERE sequence = 2", "event 2"),
    "an event's type": ("UPDATE event SET type = 'execution.failed' WHERE sequence = 8", "event 8"),
    "an event that is gone": ("DELETE FROM event WHERE sequence = 4", "event 4"),
    "an event that was written anew, with its hash": (
        """UPDATE event SET body = replace(body, 'test:1', 'test:2'),
          hash = sha256(convert_to(replace(body, 'test:1', 'test:2'), 'UTF8')) WHERE sequence = 4""",
        "event 5 previous",
    ),
    "a step's status": ("UPDATE step SET status = 'failed' WHERE index = 0", "steps/first status"),
    "an attempt's output": ("UPDATE attempt SET output = '{}' WHERE step_index = 0", "steps/first attempt 1 output"),
    "an attempt's input": ("UPDATE attempt SET input = '{}' WHERE step_index = 1", "steps/second attempt 1 input"),
    "an attempt that is gone": ("DELETE FROM attempt WHERE step_index = 0", "steps/first attempt 1"),
    "who carried it out": ("UPDATE attempt SET worker_name = 'x' WHERE step_index = 0", "steps/first attempt 1 worker"),
    "the output": ("UPDATE execution SET output = '{}'", "execution output"),
    "the status": ("UPDATE execution SET status = 'workflow_failed'", "execution status"),
    "the input": ("UPDATE submission SET input = '{}'", "submission input"),
    "who asked for it": ("UPDATE submission SET source_system = 'x'", "submission"),
    "the head of the chain": (r"UPDATE execution SET chain_head = '\x00'", "execution chain_head"),
    "the definition": (
        """UPDATE workflows_workflowversion SET definition = replace(definition::text, 'first', 'f1rst')::json""",
        "definition text",
    ),
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_was_altered_is_not_signed_and_says_what_it_was(alice: Caller, world: World, what: str) -> None:
    statement, where = ALTERED[what]
    execution = ended(alice, world)
    altered(statement)
    seal_all()
    assert not Receipt.objects.exists()
    refusal = SealingRefusal.objects.get()
    assert refusal.execution_id == execution.id
    assert refusal.finding.startswith(where), refusal.finding
    if what != "the status":
        answer = asked(alice, execution)
        assert reason(answer) == (409, "record_altered")
        assert refusal.finding in answer.json()["message"]


def test_what_was_altered_keeps_no_other_from_its_receipt_and_is_let_alone_until_somebody_asks(
    alice: Caller, world: World
) -> None:
    bad, good = ended(alice, world), ended(alice, world)
    output = bad.attempts.get(step_index=0).output
    altered("UPDATE attempt SET output = '{}' WHERE step_index = 0 AND execution_id = %s", bad.id)
    seal_all()
    assert Receipt.objects.get().execution_id == good.id
    altered("UPDATE attempt SET output = %s WHERE step_index = 0 AND execution_id = %s", output, bad.id)
    seal_all()
    assert SealingRefusal.objects.count() == 1
    assert asked(alice, bad).status_code == 200
    assert not SealingRefusal.objects.exists()


def test_a_chain_that_was_written_anew_is_not_signed_after_its_beginning_was(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = ended(alice, world)
    seal_all()
    [signed] = Receipt.objects.all()
    forged = Receipt.objects.get()
    altered("UPDATE receipt SET sequence = 7 WHERE execution_id = %s", execution.id)
    sealing.seal([execution.id])
    assert Receipt.objects.count() == 1
    assert "is not as signed" in SealingRefusal.objects.get().finding
    assert signed.jws == forged.jws


def test_a_record_that_cannot_even_be_read_keeps_no_other_from_its_receipt(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = ended(alice, world), ended(alice, world)

    def raising(record: Any, there: Any) -> Any:
        if record.execution.id == bad.id:
            raise ZeroDivisionError
        return ended_runs(record, there)

    monkeypatch.setattr(sealing, "ended_runs", raising)
    seal_all()
    assert Receipt.objects.get().execution_id == good.id
    assert SealingRefusal.objects.get().finding == "record: cannot be read: ZeroDivisionError"


def test_while_large_payloads_cannot_be_read_nothing_is_refused_and_all_is_read_again(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = ended(alice, world)

    def away(*_: Any) -> Any:
        raise Unreachable

    with monkeypatch.context() as patch:
        patch.setattr(sealing, "lineage_of", away)
        assert background.turn() is None
        assert asked(alice, execution).status_code == 503
    assert not SealingRefusal.objects.exists()
    seal_all()
    assert Receipt.objects.get().execution_id == execution.id


def test_a_redrive_before_the_receipt_was_made_loses_none(alice: Caller, world: World) -> None:
    execution = ended(alice, world, [failing("first", times=1), noop("second", "first")])
    redriven(alice, execution)
    world.drain()
    seal_all()
    assert [row.status for row in Receipt.objects.order_by("sequence")] == ["workflow_failed", "workflow_succeeded"]
    assert verdict(execution).intact
