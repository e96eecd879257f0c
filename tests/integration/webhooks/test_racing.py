"""Several senders at once, and one that is killed: at least once, and as a rule once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import pytest
from django.db import connection, connections

from contract.problems import Conflict
from executions.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from executions.webhooks import endpoints, sending
from orchestrator.deliveries import deliver_for_ever
from tenants.models import Tenant
from tests.integration.engine.world import World, noop, published, submitted
from tests.integration.webhooks.receiving import due_now, endpoint, sender, standing, turned_until
from tests.unit.orchestrator.raw_server import answering, reply, serving
from tests.waiting import eventually

CHECKOUT = Path(__file__).resolve().parents[3]

KILLED = """
import os, signal, threading
import django
django.setup()
from orchestrator import deliveries

post = deliveries.post

def killed(outbound, request):
    outcome = post(outbound, request)
    print(outcome.status, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    return outcome

deliveries.post = killed
deliveries.deliver_for_ever(threading.Event())
"""
"""A sender that dies when the receiver has answered and nobody has written that down."""


def test_of_a_sender_that_is_killed_after_the_answer_the_delivery_is_sent_again_as_the_same_message(
    alice: Tenant,
) -> None:
    with serving(answering(reply())) as server:
        endpoint(alice, server.address)
        submitted(alice, published(alice, [noop("only")]))
        process = subprocess.run(
            [sys.executable, "-c", KILLED],
            cwd=CHECKOUT,
            env={**os.environ, "DATABASE_URL": own_database(), "EGRESS_ALLOWED_HOSTS": "127.0.0.1"},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert process.returncode == -signal.SIGKILL, process.stderr
        first = WebhookDelivery.objects.order_by("id")[0]
        assert standing(first) == ("pending", ["sending"])
        sent_before = len(server.seen)
        with sender() as who:
            for _ in range(3):
                who.turn()
            assert standing(first) == ("pending", ["sending"]), "until its lease ends it is left alone"
            due_now()
            turned_until(who, lambda: not WebhookDelivery.objects.filter(status="pending").exists())
        assert standing(first) == ("delivered", ["lost", "delivered"])
    ids = Counter(seen.headers["webhook-id"] for seen in server.seen)
    assert sent_before >= 1
    assert len(ids) == WebhookDelivery.objects.count() == 2
    assert max(ids.values()) == 2


def test_senders_at_the_same_moment_send_each_delivery_once(alice: Tenant, world: World) -> None:
    with serving(answering(reply())) as server:
        for _ in range(3):
            endpoint(alice, server.address, "*")
        workflow = published(alice, [noop("first"), noop("second", "first")])
        for _ in range(12):
            submitted(alice, workflow)
        world.drain()
        senders = [threading.Thread(target=all_sent, name=f"sender-{number}") for number in range(3)]
        for thread in senders:
            thread.start()
        for thread in senders:
            thread.join()
    assert WebhookDelivery.objects.filter(status="delivered").count() == WebhookDelivery.objects.count() == 12 * 8 * 3
    assert WebhookAttempt.objects.count() == 12 * 8 * 3
    assert set(Counter(seen.headers["webhook-id"] for seen in server.seen).values()) == {3}


def all_sent() -> None:
    """Send until everything has been delivered."""
    expected = 12 * 8 * 3
    try:
        with sender() as who:
            turned_until(
                who, lambda: WebhookDelivery.objects.filter(status="delivered").count() == expected, seconds=60
            )
    finally:
        connections.close_all()


def test_of_two_that_claim_at_the_same_moment_one_gets_the_delivery(alice: Tenant) -> None:
    hook = endpoint(alice)
    execution = submitted(alice, published(alice, [noop("only")]))
    rounds = 15
    got: list[tuple[UUID, int]] = []
    gate = threading.Barrier(2)

    def claim_each() -> None:
        for _ in range(rounds):
            gate.wait(20)
            got.extend((one.delivery_id, one.number) for one in sending.claim(4, 4, 4, []))
            gate.wait(20)
        connections.close_all()

    threads = [threading.Thread(target=claim_each) for _ in range(2)]
    for sequence in range(1, 1 + rounds * 2):
        WebhookDelivery.objects.create(
            tenant=alice,
            endpoint=hook,
            execution=execution,
            sequence=sequence,
            event_type="t",
            due_at="2026-01-01T00:00Z",
        )
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == rounds * 2
    assert {number for _, number in got} == {1}


def test_creations_at_the_same_moment_stay_within_the_number_of_endpoints(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 3)
    gate, refused = threading.Barrier(8), []

    def create() -> None:
        gate.wait(20)
        try:
            endpoint(alice)
        except Conflict as refusal:
            refused.append(refusal.reason)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert WebhookEndpoint.objects.count() == 3
    assert refused == ["too_many_endpoints"] * 5


def test_a_sender_goes_on_after_the_database_was_away(alice: Tenant, settings: Any) -> None:
    settings.EGRESS_ALLOWED_HOSTS = ["127.0.0.1"]
    workflow = published(alice, [noop("only")])
    over = threading.Event()
    thread = threading.Thread(target=deliver_for_ever, args=(over,))
    with serving(answering(reply())) as server:
        endpoint(alice, server.address)
        thread.start()
        try:
            submitted(alice, workflow)
            eventually(lambda: delivered() == 2)
            with connection.cursor() as cursor:
                cursor.execute(_END_OTHERS)
            submitted(alice, workflow)
            eventually(lambda: delivered() == 4)
        finally:
            over.set()
            thread.join()
    assert not thread.is_alive()


_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""


def delivered() -> int:
    return WebhookDelivery.objects.filter(status="delivered").count()


def own_database() -> str:
    """The test's own database, for another process."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
