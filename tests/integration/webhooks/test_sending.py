"""Deliveries on their way: signed, tried again, given up; the body that a receiver gets."""

from __future__ import annotations

import base64
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, transaction
from django.db.models.functions import Now
from standardwebhooks import Webhook, WebhookVerificationError

from executions.models import Execution, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from executions.webhooks import deliveries, endpoints, sending
from executions.webhooks.sending import Outcome
from orchestrator import deliveries as sender_module
from orchestrator.deliveries import AT_ONCE_TO_AN_ENDPOINT, Sender
from tenants.models import Tenant
from tests.integration.engine.world import World, noop, published, submitted
from tests.integration.webhooks.receiving import (
    body,
    due_now,
    endpoint,
    endpoint_and_secret,
    fan_out_all,
    sender,
    standing,
    turned_until,
)
from tests.unit.orchestrator.raw_server import Server, answering, reply, serving
from tests.waiting import eventually

SUCCEEDED = "execution.succeeded"


@pytest.fixture
def execution(alice: Tenant) -> Execution:
    """One that has been created and queued; what has happened to it is told to endpoints that are made later too."""
    return submitted(alice, published(alice, [noop("only")]))


def event_for(hook: WebhookEndpoint, execution: Execution) -> WebhookDelivery:
    """A delivery of the execution's first event to it."""
    return WebhookDelivery.objects.create(
        tenant_id=hook.tenant_id,
        endpoint=hook,
        execution=execution,
        sequence=1,
        event_type="execution.created",
        due_at=Now(),
    )


def sent(delivery: WebhookDelivery, attempts: int = 1) -> WebhookDelivery:
    """The delivery after so many attempts, without waiting between them."""
    with sender() as who:
        for number in range(1, attempts + 1):
            due_now(delivery.id)
            ended = WebhookAttempt.objects.filter(delivery=delivery, number=number).exclude(status="sending")
            turned_until(who, ended.exists)
    delivery.refresh_from_db()
    return delivery


def last_attempt(delivery: WebhookDelivery) -> Any:
    return WebhookAttempt.objects.filter(delivery=delivery).order_by("-number").values()[0]


def answered(server: Server) -> list[str]:
    """The message ids in the order in which they came."""
    return [seen.headers["webhook-id"] for seen in server.seen]


def test_a_receiver_is_told_what_happened_and_can_check_who_says_so(alice: Tenant, world: World) -> None:
    with serving(answering(reply(b"thank you"))) as server, sender() as who:
        _, secret = endpoint_and_secret(alice, f"{server.address}/hook?a=b", SUCCEEDED)
        execution = submitted(alice, published(alice, [noop("only")]), {"n": 1}, client_safe_metadata={"shop": 7})
        world.drain()
        turned_until(who, lambda: server.seen)
        turned_until(who, WebhookDelivery.objects.filter(status="delivered").exists)
    (seen,) = server.seen
    assert (seen.method, seen.target, seen.headers["content-type"]) == ("POST", "/hook?a=b", "application/json")
    assert seen.headers["user-agent"] == "Traceway"
    message = Webhook(secret).verify(seen.body, seen.headers)
    assert message.keys() == {"type", "timestamp", "data"}
    event = execution.events.get(type=SUCCEEDED)
    data = message["data"]
    assert (message["type"], message["timestamp"]) == (SUCCEEDED, data["createdAt"])
    assert data["id"] == seen.headers["webhook-id"]
    assert (data["sequence"], data["executionId"], data["eventType"]) == (event.sequence, str(execution.id), SUCCEEDED)
    summary = data["execution"]
    assert (summary["id"], summary["status"]) == (str(execution.id), "workflow_succeeded")
    assert summary["clientSafeMetadata"] == {"shop": 7}
    assert not summary.keys() & {"requestPayload", "responsePayload"}
    (attempt,) = WebhookAttempt.objects.values()
    assert (attempt["response_status"], attempt["response_excerpt"]) == (200, "thank you")


def test_what_is_not_taken_is_sent_again_as_the_same_message_until_it_is(alice: Tenant, execution: Execution) -> None:
    answers = iter([reply(b"", 500), reply(b"", 404), reply(b"", 302, "Location: /other"), reply(b"", 204)])
    with serving(lambda _, out: bool(out.write(next(answers)))) as server:
        hook, secret = endpoint_and_secret(alice, server.address)
        delivery = sent(event_for(hook, execution), 4)
    assert standing(delivery) == ("delivered", ["failed", "failed", "failed", "delivered"])
    assert delivery.finished_at is not None
    assert len(set(answered(server))) == 1
    assert {seen.target for seen in server.seen} == {"/"}, "no redirect is followed"
    for seen in server.seen:
        Webhook(secret).verify(seen.body, seen.headers)
    hook.refresh_from_db()
    assert (hook.failures, hook.failing_since, hook.rest_until) == (0, None, None)


def test_a_delivery_waits_longer_after_each_failure(alice: Tenant, execution: Execution) -> None:
    delays = []
    with serving(answering(reply(b"", 500))) as server:
        delivery = event_for(endpoint(alice, server.address), execution)
        for number in range(1, 4):
            sent(delivery, number)
            assert delivery.due_at is not None
            delays.append((delivery.due_at - last_attempt(delivery)["finished_at"]).total_seconds())
    assert [5 <= delays[0] < 6.1, 20 <= delays[1] < 24.1, 80 <= delays[2] < 96.1] == [True] * 3, delays


def test_a_receiver_that_says_when_to_come_again_is_listened_to(alice: Tenant, execution: Execution) -> None:
    with serving(answering(reply(b"", 429, "Retry-After: 120"))) as server:
        hook = endpoint(alice, server.address)
        delivery = sent(event_for(hook, execution))
    waited = delivery.due_at - last_attempt(delivery)["finished_at"]
    assert timedelta(seconds=120) <= waited < timedelta(seconds=121)
    hook.refresh_from_db()
    assert hook.rest_until is not None
    assert hook.rest_until > last_attempt(delivery)["finished_at"] + timedelta(seconds=59)


@pytest.mark.parametrize("retries", [0, 2])
def test_a_delivery_fails_for_good_after_as_many_retries_as_its_endpoint_allows(
    alice: Tenant, execution: Execution, retries: int
) -> None:
    with serving(answering(reply(b"no", 500))) as server:
        hook = endpoint(alice, server.address, max_retries=retries)
        delivery = sent(event_for(hook, execution), retries + 1)
    assert standing(delivery) == ("failed", ["failed"] * (retries + 1))
    attempt = last_attempt(delivery)
    assert (attempt["response_status"], attempt["response_excerpt"]) == (500, "no")
    assert (attempt["error_kind"], attempt["error_message"]) == ("http_status", "it answered 500")


def test_what_failed_is_sent_once_more_where_somebody_asks_for_it(alice: Tenant, execution: Execution) -> None:
    answers = iter([500, 500, 200])
    with serving(lambda _, out: bool(out.write(reply(b"", next(answers))))) as server:
        delivery = sent(event_for(endpoint(alice, server.address, max_retries=0), execution))
        for number, outcome in ((2, "failed"), (3, "delivered")):
            with transaction.atomic():
                assert deliveries.retry(alice, str(delivery.id)).status == "pending"
            assert sent(delivery, number).status == outcome
    assert len(set(answered(server))) == 1


def test_a_retry_is_sent_at_once_though_the_endpoint_rests(alice: Tenant, execution: Execution) -> None:
    with serving(answering(reply(b"", 500))) as server, sender() as who:
        delivery = event_for(endpoint(alice, server.address), execution)
        turned_until(who, WebhookAttempt.objects.filter(status="failed").exists)
        WebhookEndpoint.objects.update(rest_until=Now() + timedelta(hours=1))
        with transaction.atomic():
            deliveries.retry(alice, str(delivery.id))
        turned_until(who, lambda: len(server.seen) == 2)


def test_a_retry_of_what_is_being_sent_sends_nothing_twice(alice: Tenant, execution: Execution) -> None:
    may_answer = threading.Event()
    with serving(lambda _, out: bool(may_answer.wait(20) and out.write(reply()))) as server, sender() as who:
        delivery = event_for(endpoint(alice, server.address), execution)
        turned_until(who, lambda: server.seen)
        with transaction.atomic():
            deliveries.retry(alice, str(delivery.id))
        who.turn()
        may_answer.set()
        turned_until(who, WebhookDelivery.objects.filter(status="delivered").exists)
    assert standing(delivery) == ("delivered", ["delivered"])
    assert len(server.seen) == 1


def test_a_replay_is_a_delivery_of_its_own_of_the_same_message(alice: Tenant, execution: Execution) -> None:
    with serving(answering(reply())) as server:
        first = sent(event_for(endpoint(alice, server.address), execution))
        with transaction.atomic():
            again = deliveries.replay(alice, str(first.id))
        sent(again)
    assert (standing(first)[0], standing(again)[0], again.replay_of) == ("delivered", "delivered", first.id)
    assert again.id != first.id
    assert len(server.seen) == 2
    assert len(set(answered(server))) == 1


def test_an_endpoint_that_says_that_it_is_gone_is_disabled(alice: Tenant, execution: Execution) -> None:
    with serving(answering(reply(b"", 410))) as server:
        hook = endpoint(alice, server.address)
        held = event_for(hook, submitted(alice, published(alice, [noop("only")])))
        WebhookDelivery.objects.filter(id=held.id).update(due_at=Now() + timedelta(hours=1))
        delivery = sent(event_for(hook, execution))
    hook.refresh_from_db()
    assert (hook.status, hook.disabled_reason) == ("disabled", "gone")
    assert standing(delivery) == ("failed", ["failed"])
    assert standing(held) == ("pending", [])


def test_an_endpoint_that_took_nothing_for_five_days_is_disabled(alice: Tenant, execution: Execution) -> None:
    with serving(answering(reply(b"", 500))) as server:
        hook = endpoint(alice, server.address)
        failing_for = [(8, 6), (9, 4), (9, 6)]
        found = []
        for failures, days in failing_for:
            began = Now() - timedelta(days=days)
            WebhookEndpoint.objects.update(failures=failures, failing_since=began)
            WebhookDelivery.objects.all().delete()
            sent(event_for(hook, execution))
            hook.refresh_from_db()
            found.append((hook.status, hook.disabled_reason))
    assert found == [("enabled", None), ("enabled", None), ("disabled", "failing")]


def test_an_endpoint_whose_delivery_failed_is_left_alone_for_a_while(alice: Tenant, execution: Execution) -> None:
    with serving(answering(reply(b"", 500))) as server, sender() as who:
        hook = endpoint(alice, server.address)
        first = event_for(hook, execution)
        turned_until(who, WebhookAttempt.objects.filter(delivery=first, status="failed").exists)
        WebhookEndpoint.objects.update(rest_until=Now() + timedelta(seconds=30))
        event_for(hook, submitted(alice, published(alice, [noop("only")])))
        for _ in range(5):
            who.turn()
        assert len(server.seen) == 1
        due_now()
        turned_until(who, lambda: len(server.seen) == 2)
        assert len(server.seen) == 2, "one at a time while it fails"


def test_what_is_pending_for_a_disabled_endpoint_is_held_until_it_is_enabled(
    alice: Tenant, execution: Execution
) -> None:
    with serving(answering(reply())) as server, sender() as who:
        hook = endpoint(alice, server.address)
        delivery = event_for(hook, execution)
        with transaction.atomic():
            endpoints.disable(alice, str(hook.id))
        who.turn()
        assert standing(delivery) == ("pending", [])
        with transaction.atomic():
            endpoints.enable(alice, str(hook.id))
        turned_until(who, lambda: standing(delivery)[0] == "delivered")
    assert len(server.seen) == 1


def test_what_is_pending_for_a_deleted_endpoint_is_dropped(alice: Tenant, execution: Execution) -> None:
    with serving(answering(reply())) as server, sender() as who:
        hook = endpoint(alice, server.address)
        delivery = event_for(hook, execution)
        with transaction.atomic():
            endpoints.delete(alice, str(hook.id))
        assert standing(delivery) == ("dropped", [])
        # One that was just being made as the endpoint was deleted.
        late = event_for(hook, submitted(alice, published(alice, [noop("only")])))
        who.turn()
        sending.forget()
        assert standing(late) == ("dropped", [])
        who.turn()
    assert server.seen == []
    hook.refresh_from_db()
    assert hook.sealed == ""


def test_a_new_secret_signs_beside_the_one_before_for_a_day(alice: Tenant, execution: Execution) -> None:
    with serving(answering(reply())) as server:
        hook, oldest = endpoint_and_secret(alice, server.address)
        with transaction.atomic():
            _, old = endpoints.regenerate_secret(alice, str(hook.id))
        with transaction.atomic():
            _, new = endpoints.regenerate_secret(alice, str(hook.id))
        sent(event_for(hook, execution))
        WebhookEndpoint.objects.update(overlap_until=Now() - timedelta(seconds=1))
        with transaction.atomic():
            sent(deliveries.replay(alice, str(WebhookDelivery.objects.get().id)))
    during, after = server.seen
    assert len(during.headers["webhook-signature"].split()) == 2
    assert len(after.headers["webhook-signature"].split()) == 1
    Webhook(new).verify(during.body, during.headers)
    Webhook(old).verify(during.body, during.headers)
    Webhook(new).verify(after.body, after.headers)
    for seen, secret in ((during, oldest), (after, old)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(seen.body, seen.headers)


def test_a_secret_is_256_bits_of_chance_and_is_not_stored_as_it_is(alice: Tenant) -> None:
    hook, secret = endpoint_and_secret(alice)
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret.removeprefix("whsec_")[:20] not in str(vars(WebhookEndpoint.objects.get(id=hook.id)))
    assert endpoint_and_secret(alice)[1] != secret


def test_an_address_that_may_not_be_reached_fails_and_says_why(alice: Tenant, execution: Execution) -> None:
    delivery = sent(event_for(endpoint(alice, "http://10.0.0.1/hook"), execution))
    attempt = last_attempt(delivery)
    assert (attempt["error_kind"], delivery.status) == ("egress_refused", "pending")
    assert "10.0.0.1" in attempt["error_message"]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:9/", "connection_failed"),
        ("http://no-such-host.invalid/", "connection_failed"),
        ("http://[::1/", "invalid_request"),
        ("http://127.0.0.1:99999/", "connection_failed"),
    ],
)
def test_what_cannot_be_sent_fails_and_says_why(alice: Tenant, execution: Execution, url: str, kind: str) -> None:
    attempt = last_attempt(sent(event_for(endpoint(alice, url), execution)))
    assert (attempt["error_kind"], attempt["response_status"]) == (kind, None)


@pytest.mark.parametrize("dripped", ["the head", "the body"])
def test_an_answer_that_drips_holds_a_place_no_longer_than_the_time_out(
    alice: Tenant, execution: Execution, monkeypatch: pytest.MonkeyPatch, dripped: str
) -> None:
    monkeypatch.setattr(sender_module, "TIMEOUT", 1.0)

    def drip(_: Any, out: Any) -> bool:
        out.write(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 1000\r\n\r\n" if dripped == "the body" else b""))
        while not server.ended.wait(0.2):
            out.write(b"x")
            out.flush()
        return False

    with serving(drip) as server:
        delivery = event_for(endpoint(alice, server.address), execution)
        began = time.monotonic()
        sent(delivery)
        assert time.monotonic() - began < 5
    attempt = last_attempt(delivery)
    if dripped == "the body":
        assert (attempt["status"], attempt["response_status"]) == ("delivered", 200)
    else:
        assert (attempt["status"], attempt["error_kind"]) == ("failed", "timeout")


def test_of_an_answer_only_the_beginning_is_kept_as_text_that_can_be_stored(
    alice: Tenant, execution: Execution
) -> None:
    with serving(answering(reply(b"a\x00\xff" + b"b" * 1_000_000))) as server:
        attempt = last_attempt(sent(event_for(endpoint(alice, server.address), execution)))
    assert attempt["response_excerpt"] == ("a\ufffd\ufffd" + "b" * 1_000_000)[:1_000]


def test_dead_endpoints_keep_nobody_from_his_deliveries(alice: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "TIMEOUT", 2.0)
    executions = [submitted(alice, published(alice, [noop("only")])) for _ in range(12)]
    with serving(answering(reply())) as quick, serving(lambda *_: bool(dead.ended.wait(30))) as dead, sender() as who:
        hooks = [endpoint(alice, dead.address) for _ in range(12)]
        for execution in executions:
            for hook in hooks:
                event_for(hook, execution)
        for _ in range(3):
            who.turn()
        assert len(dead.seen) <= 32
        good = endpoint(alice, quick.address)
        for execution in executions:
            event_for(good, execution)
        waiting = WebhookDelivery.objects.filter(endpoint=good, status="pending")
        turned_until(who, lambda: not waiting.exists())
        assert WebhookEndpoint.objects.filter(failures__gt=0).count() > 0
        dead.ended.set()


def test_endpoints_that_work_come_first_and_those_that_fail_share_a_few_places(alice: Tenant) -> None:
    executions = [submitted(alice, published(alice, [noop("only")])) for _ in range(6)]
    failing, working = ([endpoint(alice) for _ in range(3)] for _ in range(2))
    for hook in (*failing, *working):
        for one in executions:
            event_for(hook, one)
    WebhookEndpoint.objects.filter(id__in=[hook.id for hook in failing]).update(failures=1)
    WebhookDelivery.objects.filter(endpoint__in=failing).update(due_at=Now() - timedelta(hours=1))

    def claimed(free: int, *busy: WebhookEndpoint) -> Counter[UUID]:
        with transaction.atomic():
            found = Counter(one.endpoint_id for one in sending.claim(free, 2, 4, [hook.id for hook in busy]))
            transaction.set_rollback(True)
        return found

    everything = claimed(100)
    assert [everything[hook.id] for hook in working] == [4, 4, 4]
    assert sorted(everything[hook.id] for hook in failing) == [0, 1, 1]
    assert claimed(5).keys() <= {hook.id for hook in working}
    first = working[0]
    assert claimed(100, first, first, first)[first.id] == 1
    assert claimed(100, first, first, first, first, first)[first.id] == 0
    assert sum(claimed(100, failing[0])[hook.id] for hook in failing[1:]) == 2


def test_one_endpoint_is_sent_a_bounded_number_at_once(alice: Tenant, execution: Execution) -> None:
    executions = [submitted(alice, published(alice, [noop("only")])) for _ in range(10)]
    with serving(lambda *_: bool(server.ended.wait(30))) as server, sender() as who:
        hook = endpoint(alice, server.address)
        for one in executions:
            event_for(hook, one)
        turned_until(who, lambda: len(server.seen) == AT_ONCE_TO_AN_ENDPOINT)
        for _ in range(5):
            who.turn()
        assert len(server.seen) == AT_ONCE_TO_AN_ENDPOINT
        server.ended.set()


def test_a_delivery_that_cannot_be_made_fails_alone(alice: Tenant, execution: Execution) -> None:
    with serving(answering(reply())) as server, sender() as who:
        hook = endpoint(alice, server.address)
        unreadable = endpoint(alice, server.address)
        WebhookEndpoint.objects.filter(id=unreadable.id).update(sealed="nonsense")
        wrong = [event_for(unreadable, execution), event_for(hook, submitted(alice, published(alice, [noop("only")])))]
        WebhookDelivery.objects.filter(id=wrong[1].id).update(sequence=99)
        good = event_for(hook, execution)
        turned_until(who, lambda: standing(good)[0] == "delivered")
        turned_until(who, lambda: all(standing(one)[1] == ["failed"] for one in wrong))
    kinds = [last_attempt(one)["error_kind"] for one in wrong]
    assert kinds == ["invalid_secret", "not_found"]


def test_an_outcome_is_kept_until_the_database_takes_it(
    alice: Tenant, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(answering(reply())) as server, sender() as who:
        delivery = event_for(endpoint(alice, server.address), execution)
        with monkeypatch.context() as outage:
            outage.setattr(sending, "record", raising)
            eventually(lambda: refused(who))
            assert refused(who), "and again"
        who.turn()
        assert standing(delivery) == ("delivered", ["delivered"])
    assert len(server.seen) == 1


def raising(*_: object) -> None:
    raise OperationalError("the database is away")


def refused(who: Sender) -> bool:
    """Whether the database refuses what the sender has to record."""
    try:
        who.turn()
    except OperationalError:
        return True
    who.wait(0.02)
    return False


def test_an_outcome_that_comes_after_its_lease_is_still_what_happened(alice: Tenant, execution: Execution) -> None:
    delivery = event_for(endpoint(alice, max_retries=0), execution)
    (late,) = sending.claim(1, 1, 1, [])
    due_now()
    (second,) = sending.claim(1, 1, 1, [])
    assert standing(delivery) == ("pending", ["lost", "sending"])
    sending.record(late, Outcome(500, "", "http_status", "no"))
    assert standing(delivery) == ("pending", ["failed", "sending"]), "a newer attempt decides"
    sending.record(second, Outcome(200, ""))
    assert standing(delivery) == ("delivered", ["failed", "delivered"])
    sending.record(second, Outcome(500, "", "http_status", "no"))
    assert standing(delivery) == ("delivered", ["failed", "delivered"]), "recorded again it changes nothing"


def test_deliveries_are_forgotten_after_thirty_days(
    alice: Tenant, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(answering(reply())) as server:
        delivery = sent(event_for(endpoint(alice, server.address), execution))
    assert sending.forget() == 0
    monkeypatch.setattr(sending, "KEPT_FOR", timedelta(0))
    assert sending.forget() == 1
    assert not WebhookAttempt.objects.exists()
    assert not WebhookDelivery.objects.filter(id=delivery.id).exists()


def test_a_sender_that_is_to_end_records_what_is_on_its_way(alice: Tenant, execution: Execution) -> None:
    with serving(lambda _, out: bool(server.ended.wait(0.5) or out.write(reply()))) as server:
        delivery = event_for(endpoint(alice, server.address), execution)
        with sender() as who:
            turned_until(who, lambda: server.seen)
            assert isinstance(who, Sender)
            who.finish(10)
        assert standing(delivery) == ("delivered", ["delivered"])


def test_the_message_is_the_same_at_every_endpoint(alice: Tenant, world: World) -> None:
    with serving(answering(reply())) as server, sender() as who:
        for _ in range(2):
            endpoint(alice, server.address, SUCCEEDED)
        submitted(alice, published(alice, [noop("only")]))
        world.drain()
        fan_out_all()
        turned_until(who, lambda: len(server.seen) == 2)
    assert body(server.seen[0]) == body(server.seen[1])
    assert len(set(answered(server))) == 1
