"""The stream of a tenant: the events of all its executions, whatever the order in which transactions commit."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
import pytest
from django.db import connection, transaction

from contract.pages import seal_cursor
from executions.models import Event, Execution
from tenants.models import Tenant
from tests.integration.engine.world import database_url, submitted
from tests.integration.engine.world import published as published_by
from tests.integration.http.arranging import created, published
from tests.integration.http_client import Caller
from tests.integration.streams.listening import Block, heard, listening
from tests.integration.streams.test_execution_streams import CHAIN, HELD, drained, listed
from tests.waiting import eventually

ALL = "/v1/executions/stream"
WRITERS = 6
TRANSACTIONS = 25


def next_of(events: Iterator[Block], count: int) -> list[Block]:
    return [next(events) for _ in range(count)]


def test_it_tells_what_happens_from_now_on_in_every_execution(alice: Caller, address: str) -> None:
    workflow = published(alice, CHAIN)
    created(alice, workflow)
    drained()
    with listening(address, ALL, alice.key) as stream:
        made = [created(alice, workflow)["execution"]["id"] for _ in range(3)]
        drained()
        events = [event for execution in made for event in listed(alice, execution)]
        told = [block.data for block in next_of(stream.events(), len(events))]
    for execution in made:
        assert [event for event in told if event["executionId"] == execution] == listed(alice, execution)


def test_nothing_of_another_tenant_is_told(alice: Caller, bob: Caller, address: str) -> None:
    hers, his = published(alice, HELD), published(bob, HELD)
    with listening(address, ALL, alice.key) as alices, listening(address, ALL, bob.key) as bobs:
        for _ in range(3):
            created(bob, his)
            created(alice, hers)
        drained()
        for caller, stream in ((alice, alices), (bob, bobs)):
            assert caller.tenant is not None
            told = next_of(stream.events(), Event.objects.filter(execution__tenant=caller.tenant).count())
            assert {block.data["organizationId"] for block in told} == {str(caller.tenant.id)}


def test_whoever_was_cut_off_before_the_first_event_misses_none(alice: Caller, address: str) -> None:
    with listening(address, ALL, alice.key) as stream:
        cursor = stream.response.headers["last-event-id"]
    execution = created(alice, published(alice, HELD))["execution"]["id"]
    told = heard(address, ALL, alice.key, last=cursor, max_seconds=2)
    assert [block.data for block in told] == listed(alice, execution)


def test_a_cursor_of_another_tenant_or_of_none_is_refused(alice: Caller, bob: Caller, address: str) -> None:
    with listening(address, ALL, bob.key) as stream:
        bobs = stream.response.headers["last-event-id"]
    assert alice.tenant is not None
    to_come = seal_cursor(UUID(int=2**62 << 64), f"{alice.tenant.id}{ALL}")
    for cursor in (bobs, to_come, "1", bobs[:-1], "nonsense", "(" * 38):
        with listening(address, ALL, alice.key, last=cursor) as refused:
            body = refused.response.json()
        assert (body["code"], body["details"][0]["code"]) == (400, "invalid_cursor")


def test_the_events_of_one_execution_are_in_order_although_a_later_one_was_written_by_an_older_transaction(
    alice: Caller,
) -> None:
    assert alice.tenant is not None
    workflow = published_by(alice.tenant, HELD)
    with transaction.atomic(), connection.cursor() as older:
        older.execute("SELECT pg_current_xact_id()")
        with ThreadPoolExecutor(1) as elsewhere:
            execution = elsewhere.submit(_submitted_elsewhere, alice.tenant, workflow).result()
        answer = alice.post(f"/v1/executions/{execution.id}/pause")
        assert answer.status_code == 200
    events = Event.objects.filter(execution=execution)
    by_place = list(events.order_by("xid", "id").values_list("sequence", flat=True))
    assert by_place == list(events.order_by("sequence").values_list("sequence", flat=True))
    assert len(by_place) > 2


def _submitted_elsewhere(tenant: Tenant, workflow: str) -> Execution:
    try:
        return submitted(tenant, workflow)
    finally:
        connection.close()


@dataclass
class Writers:
    """Transactions that overlap, commit in any order or not at all; each writer has an execution of its own."""

    executions: list[Execution]
    written: list[tuple[str, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, number: int) -> None:
        chance, execution = random.Random(number), self.executions[number]
        sequence = Event.objects.filter(execution=execution).count()
        connection.close()
        with psycopg.connect(database_url()) as connected:
            for _ in range(TRANSACTIONS):
                count = chance.randint(1, 4)
                for more in range(1, count + 1):
                    body = json.dumps({"data": {}})
                    values = (execution.id, sequence + more, "step.started", "s", body, b"")
                    connected.execute(_WRITE, values)
                    time.sleep(chance.choice([0, 0, 0.002, 0.03]))
                if chance.random() < 0.2:
                    connected.rollback()
                    continue
                connected.commit()
                with self.lock:
                    self.written += [(str(execution.id), sequence + more) for more in range(1, count + 1)]
                sequence += count


_WRITE = """
INSERT INTO event (execution_id, sequence, type, step, body, hash, created_at) VALUES (%s, %s, %s, %s, %s, %s, now())"""


@dataclass
class Reader:
    """Reads, is cut off at random, comes again from where it was."""

    address: str
    key: str | None
    cursor: str
    over: threading.Event = field(default_factory=threading.Event)
    received: list[tuple[str, int]] = field(default_factory=list)
    times: int = 0

    def read(self) -> None:
        chance = random.Random(7)
        while not self.over.is_set():
            self.times += 1
            query = {"max_seconds": 1} if chance.random() < 0.3 else {}
            with listening(self.address, ALL, self.key, last=self.cursor, **query) as stream:
                for count, block in enumerate(stream.blocks()):
                    if block.fields:
                        self.received.append((block.data["executionId"], block.data["sequence"]))
                        self.cursor = block.id
                    if self.over.is_set() or (count > chance.randint(1, 60)):
                        break


@pytest.mark.django_db(transaction=True)
def test_every_event_comes_once_and_in_order_however_transactions_overlap_and_readers_are_cut_off(
    alice: Caller, bob: Caller, address: str
) -> None:
    assert alice.tenant is not None
    workflow = published_by(alice.tenant, HELD)
    writers = Writers([submitted(alice.tenant, workflow) for _ in range(WRITERS)])
    before = {(str(e.execution_id), e.sequence) for e in Event.objects.all()}
    with listening(address, ALL, alice.key) as stream:
        readers = [Reader(address, alice.key, stream.response.headers["last-event-id"]) for _ in range(3)]
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(WRITERS + len(readers)))
        for reader in readers:
            stack.callback(reader.over.set)
        reading = [pool.submit(reader.read) for reader in readers]
        for writing in [pool.submit(writers.write, number) for number in range(WRITERS)]:
            writing.result()
        eventually(lambda: all(len(reader.received) >= len(writers.written) for reader in readers), seconds=20)
        for reader in readers:
            reader.over.set()
        for done in reading:
            done.result()
    rows = Event.objects.order_by("xid", "id").values_list("execution_id", "sequence")
    in_order = [(str(execution), sequence) for execution, sequence in rows]
    expected = [event for event in in_order if event not in before]
    assert set(expected) == set(writers.written)
    for reader in readers:
        assert Counter(reader.received).most_common(1)[0][1] == 1
        assert reader.received == expected
        assert reader.times > 5
