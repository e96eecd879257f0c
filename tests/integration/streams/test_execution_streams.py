"""The stream of one execution: from the beginning or from behind what was received, up to its end."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.utils import timezone

from tenants.authentication import hash_of
from tenants.models import ApiKey
from tests.integration.engine.world import noop, wait
from tests.integration.http.arranging import created, engine, published
from tests.integration.http_client import Caller, another_key
from tests.integration.streams.conftest import HEARTBEAT_SECONDS
from tests.integration.streams.listening import heard, listening

CHAIN = [noop("first"), noop("second", "first")]
HELD = [wait("held", signal="go")]


def stream(execution: str) -> str:
    return f"/v1/executions/{execution}/stream"


def drained() -> None:
    with engine() as world:
        world.drain()


def ended(alice: Caller) -> str:
    """The id of an execution that has succeeded."""
    execution: str = created(alice, published(alice, CHAIN))["execution"]["id"]
    drained()
    return execution


def held(alice: Caller) -> str:
    """The id of an execution that waits."""
    execution: str = created(alice, published(alice, HELD))["execution"]["id"]
    drained()
    return execution


def listed(alice: Caller, execution: str) -> list[Any]:
    events: list[Any] = alice.get(f"/v1/executions/{execution}/events?limit=1000").json()["data"]
    return events


def test_what_has_ended_is_told_from_the_beginning_exactly_as_its_events_are_listed(
    alice: Caller, address: str
) -> None:
    execution = ended(alice)
    blocks = heard(address, stream(execution), alice.key)
    assert [block.data for block in blocks] == listed(alice, execution)
    assert [block.id for block in blocks] == [str(event["sequence"]) for event in listed(alice, execution)]
    assert [block.fields["event"] for block in blocks] == [e["eventType"] for e in listed(alice, execution)]
    assert blocks[-1].fields["event"] == "execution.succeeded"


def test_an_earlier_run_of_it_does_not_name_another_stream(alice: Caller, address: str) -> None:
    execution = ended(alice)
    run = alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]["runId"]
    assert [b.data for b in heard(address, stream(run), alice.key)] == listed(alice, execution)


def test_what_happens_is_told_while_it_happens_and_the_stream_ends_with_the_execution(
    alice: Caller, address: str
) -> None:
    execution = held(alice)
    with listening(address, stream(execution), alice.key) as open_stream:
        events = open_stream.events()
        assert [next(events).data for _ in listed(alice, execution)] == listed(alice, execution)
        assert alice.post(f"/v1/executions/{execution}/signals/go").status_code == 200
        drained()
        rest = [block.data for block in events]
    assert rest == listed(alice, execution)[-len(rest) :]
    assert rest[-1]["eventType"] == "execution.succeeded"


def test_the_headers_say_that_nobody_may_keep_it_back(alice: Caller, address: str) -> None:
    with listening(address, stream(held(alice)), alice.key) as open_stream:
        headers = open_stream.response.headers
        assert next(open_stream.blocks()).comments == ["open"]
    assert headers["content-type"] == "text/event-stream"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert headers["x-request-id"]


def test_whoever_resumes_is_told_what_follows_and_nothing_twice(alice: Caller, address: str) -> None:
    execution = ended(alice)
    whole = heard(address, stream(execution), alice.key)
    for block in whole[:-1]:
        rest = heard(address, stream(execution), alice.key, last=block.id)
        assert [b.id for b in rest] == [b.id for b in whole[int(block.id) :]]
    assert len(heard(address, stream(execution), alice.key, last="0")) == len(whole)


def test_to_come_again_after_the_end_is_answered_204(alice: Caller, address: str) -> None:
    execution = ended(alice)
    last = heard(address, stream(execution), alice.key)[-1].id
    with listening(address, stream(execution), alice.key, last=last) as again:
        assert (again.response.status_code, again.response.content) == (204, b"")


def test_a_redriven_execution_is_told_on_from_its_first_end_to_its_second(alice: Caller, address: str) -> None:
    execution = held(alice)
    alice.post(f"/v1/executions/{execution}/cancel")
    drained()
    first = heard(address, stream(execution), alice.key)
    assert first[-1].fields["event"] == "execution.cancelled"
    assert alice.post(f"/v1/executions/{execution}/redrive").status_code == 200
    with listening(address, stream(execution), alice.key, last=first[-1].id) as again:
        events = again.events()
        assert next(events).fields["event"] == "execution.redriven"
        alice.post(f"/v1/executions/{execution}/cancel")
        drained()
        assert [block.fields["event"] for block in events][-1] == "execution.cancelled"
    everything = heard(address, stream(execution), alice.key)
    assert [block.data for block in everything] == listed(alice, execution)


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "999", "99999999999999999999", "MDE"])
def test_a_cursor_that_is_none_of_this_execution_is_refused(alice: Caller, address: str, last: str) -> None:
    with listening(address, stream(held(alice)), alice.key, last=last) as refused:
        body = refused.response.json()
    assert body["code"] == 400
    assert body["details"][0]["field"] == "header.Last-Event-ID"
    assert body["details"][0]["code"] == "invalid_cursor"


@pytest.mark.parametrize("query", [{"max_seconds": 0}, {"max_seconds": 86401}, {"max_seconds": "x"}, {"after": 1}])
def test_a_query_that_a_stream_does_not_take_is_refused(alice: Caller, address: str, query: Any) -> None:
    with listening(address, stream(held(alice)), alice.key, **query) as refused:
        assert refused.response.json()["details"][0]["field"] == f"query.{next(iter(query))}"


def test_it_ends_after_as_many_seconds_as_were_asked_for(alice: Caller, address: str) -> None:
    execution = held(alice)
    began = time.monotonic()
    blocks = heard(address, stream(execution), alice.key, max_seconds=1)
    assert 0.9 < time.monotonic() - began < 4
    assert [block.data for block in blocks] == listed(alice, execution)


def test_a_heartbeat_comes_at_least_so_often(alice: Caller, address: str) -> None:
    with listening(address, stream(held(alice)), alice.key) as open_stream:
        beats = (b for b in open_stream.blocks() if b.comments == ["heartbeat"])
        next(beats)
        began = time.monotonic()
        for _ in range(3):
            next(beats)
    assert 2 * HEARTBEAT_SECONDS < time.monotonic() - began < 3 * HEARTBEAT_SECONDS + 1


@pytest.mark.parametrize("column", ["revoked_at", "expires_at", "scopes"])
def test_a_credential_that_is_good_no_more_ends_the_stream_at_the_next_heartbeat(
    alice: Caller, address: str, column: str
) -> None:
    assert alice.tenant is not None
    other = another_key(alice.tenant)
    assert other.key is not None
    change = {column: ["keys:write"] if column == "scopes" else timezone.now()}
    with listening(address, stream(held(alice)), other.key) as open_stream:
        blocks = open_stream.blocks()
        while next(blocks).comments != ["heartbeat"]:
            pass
        ApiKey.objects.filter(hash=hash_of(other.key)).update(**change)
        began = time.monotonic()
        assert [block.comments for block in blocks] in ([], [["heartbeat"]])
    assert time.monotonic() - began < HEARTBEAT_SECONDS + 1


def test_a_foreign_execution_is_answered_like_one_that_does_not_exist(alice: Caller, bob: Caller, address: str) -> None:
    answers = []
    for execution in (held(alice), "01a20357-6e39-7428-967e-43960c1b8bb0", "none"):
        with listening(address, stream(execution), bob.key) as refused:
            answers.append((refused.response.status_code, refused.response.json() | {"requestId": ""}))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 404


def test_head_shows_the_headers_and_opens_nothing(alice: Caller) -> None:
    answer = alice.send("HEAD", stream(held(alice)))
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/event-stream")
    assert b"".join(answer.streaming_content) == b""
