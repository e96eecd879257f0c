"""The webhook step's delivery: verified by the specification's own library and by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from standardwebhooks import Webhook

from orchestrator.actions.action import ActionFailed, Attempted
from orchestrator.actions.webhook import WebhookAction
from tenants.egress import client
from tests.unit.orchestrator.attempts import LOOPBACK, attempted, failing
from tests.unit.orchestrator.raw_server import Seen, answering, reply, serving

KEY = bytes(range(200, 232))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def deliver(url: str, attempt: Attempted | None = None, **members: Any) -> Any:
    config = {"url": url, "event": "credit.decided", "payload": {"n": 1}, "secret": SECRET, **members}
    with client(LOOPBACK) as outbound:
        return WebhookAction(outbound)(config, attempt or attempted())


def delivered(**members: Any) -> Seen:
    with serving(answering(reply(b"", 202))) as server:
        assert deliver(server.address, **members)["status"] == 202
    return server.seen[0]


def refused(**members: Any) -> ActionFailed:
    with serving(answering(reply())) as server, failing() as raised:
        deliver(server.address, **members)
    assert server.seen == []
    return raised[0]


def test_a_delivery_is_verified_by_the_library() -> None:
    seen = delivered(payload={"text": "caf\xe9 \u2028"})

    body = Webhook(SECRET).verify(seen.body, seen.headers)
    assert (body["type"], body["data"]) == ("credit.decided", {"text": "caf\xe9 \u2028"})
    assert (seen.method, seen.headers["content-type"]) == ("POST", "application/json")


def test_a_delivery_is_verified_by_hand_as_the_specification_says() -> None:
    seen = delivered()

    stamp = seen.headers["webhook-timestamp"]
    signed = f"{seen.headers['webhook-id']}.{stamp}.".encode() + seen.body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert seen.headers["webhook-signature"] == f"v1,{expected}"
    assert abs(time.time() - int(stamp)) < 60


@pytest.mark.parametrize(
    "secret", [SECRET, SECRET.removeprefix("whsec_"), SECRET.rstrip("="), SECRET.removeprefix("whsec_").rstrip("=")]
)
def test_a_secret_is_taken_with_and_without_its_prefix_and_padding(secret: str) -> None:
    seen = delivered(secret=secret)
    Webhook(SECRET).verify(seen.body, seen.headers)


@pytest.mark.parametrize("secret", ["not base64!", "whsec_caf\xe9", "whsec_a", "a-_b", "MfKQ 9r8G"])
def test_a_secret_that_is_not_base64_fails_for_good_before_anything_is_sent_and_is_not_told(secret: str) -> None:
    error = refused(secret=secret)
    assert (error.kind, error.retryable, error.message) == (
        "invalid_secret", False, "the webhook's secret is not base64",
    )  # fmt: skip


@pytest.mark.parametrize("secret", ["", "whsec_"])
def test_an_empty_secret_fails_for_good(secret: str) -> None:
    assert (refused(secret=secret).kind, refused(secret=secret).message) == (
        "invalid_secret", "the webhook's secret is empty",
    )  # fmt: skip


def test_without_a_secret_nothing_is_signed() -> None:
    assert "webhook-signature" not in delivered(secret=None).headers


def test_retries_keep_the_delivery_id_and_renew_the_timestamp() -> None:
    with serving(answering(reply())) as server:
        first = deliver(server.address, attempted(number=1))
        time.sleep(1.1 - time.time() % 1)
        second = deliver(server.address, attempted(number=2))

    assert first["delivery_id"] == second["delivery_id"]
    one, two = server.seen
    assert one.headers["webhook-id"] == two.headers["webhook-id"] == first["delivery_id"]
    assert int(one.headers["webhook-timestamp"]) < int(two.headers["webhook-timestamp"])
    assert one.headers["webhook-signature"] != two.headers["webhook-signature"]
    for seen in (one, two):
        Webhook(SECRET).verify(seen.body, seen.headers)


def test_steps_whose_names_are_alike_have_delivery_ids_of_their_own_without_full_stops() -> None:
    keys = ["e:a.b:1", "e:a_b:1", "e:a:b:1", "f:a.b:1"]
    with serving(answering(reply())) as server:
        ids = [deliver(server.address, attempted(idempotency_key=key))["delivery_id"] for key in keys]
    assert len(set(ids)) == len(keys)
    assert not any("." in one for one in ids)


def test_an_event_has_a_type_though_the_step_names_none() -> None:
    assert json.loads(delivered(event=None).body)["type"] == "step.webhook"


@pytest.mark.parametrize(("status", "retryable"), [(500, True), (429, True), (410, False), (302, False)])
def test_a_receiver_that_does_not_take_it_fails_the_step(status: int, retryable: bool) -> None:
    with serving(answering(reply(b"", status, "Location: /other"))) as server, failing() as raised:
        deliver(server.address)
    assert (raised[0].kind, len(server.seen)) == ("http_status", 1)
    assert (raised[0].retryable and not raised[0].on_request) is retryable


def test_an_address_that_is_none_fails_for_good() -> None:
    with failing() as raised:
        deliver("http://[::1/")
    assert (raised[0].kind, raised[0].retryable) == ("invalid_request", False)
