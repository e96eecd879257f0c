"""The public stream: for whoever holds the execution's token, and no more than a stranger may see."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from uuid import UUID

import httpx
from django.utils import timezone

from executions.models import Execution
from executions.public import VALID_FOR, token_of
from tests.integration.engine.world import noop, wait
from tests.integration.http.arranging import created, published
from tests.integration.http_client import Caller
from tests.integration.streams.conftest import HEARTBEAT_SECONDS
from tests.integration.streams.listening import heard, listening
from tests.integration.streams.test_execution_streams import drained, ended, held

VIEW = {"id", "eventType", "level", "title", "message", "nodeId", "runId", "createdAt"}
SECRET = "what only the tenant may know"


def path(execution: str) -> str:
    return f"/v1/public/executions/{execution}/stream"


def token(execution: str) -> str:
    return token_of(UUID(execution))


def test_it_shows_of_each_event_what_the_public_view_shows_and_nothing_else(alice: Caller, address: str) -> None:
    steps = [noop("first"), {**wait("second", signal="go"), "depends_on": ["first"]}]
    made = created(alice, published(alice, steps, name=SECRET), requestPayload={"secret": SECRET}, externalRef=SECRET)
    execution = made["execution"]["id"]
    drained()
    alice.post(f"/v1/executions/{execution}/cancel", {"reason": SECRET})
    drained()
    blocks = heard(address, path(execution), None, token=made["clientToken"])
    public = alice.get(f"/v1/public/executions/{execution}?token={made['clientToken']}").json()["data"]
    assert [block.data for block in blocks] == public["events"]
    assert [block.id for block in blocks] == [str(number + 1) for number in range(len(blocks))]
    assert all(set(block.data) == VIEW for block in blocks)
    assert SECRET not in json.dumps([block.fields for block in blocks])
    assert SECRET in json.dumps(alice.get(f"/v1/executions/{execution}/events").json())


def test_any_page_may_listen_and_nothing_of_it_is_kept_or_told_on(alice: Caller, address: str) -> None:
    execution = held(alice)
    with listening(address, path(execution), None, token=token(execution)) as stream:
        headers = stream.response.headers
    assert headers["access-control-allow-origin"] == "*"
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert headers["content-type"] == "text/event-stream"


def test_the_token_may_stand_in_a_header_and_the_stream_may_be_resumed(alice: Caller, address: str) -> None:
    execution = ended(alice)
    headers = {"X-Client-Token": token(execution), "Last-Event-ID": "4"}
    answer = httpx.get(f"{address}{path(execution)}", headers=headers)
    whole = heard(address, path(execution), None, token=token(execution))
    assert answer.text.startswith(": open\n\nid: 5\n")
    headers["Last-Event-ID"] = whole[-1].id
    assert httpx.get(f"{address}{path(execution)}", headers=headers).status_code == 204


def test_a_wrong_token_is_answered_like_none_and_like_an_unknown_execution(alice: Caller, address: str) -> None:
    execution, other = held(alice), held(alice)
    answers = []
    unknown = "01a20357-6e39-7428-967e-43960c1b8bb0"
    for named, given in ((execution, token(other)), (execution, "x"), (unknown, token(execution)), ("x", "x")):
        with listening(address, path(named), None, token=given) as refused:
            answers.append((refused.response.status_code, refused.response.json() | {"requestId": ""}))
    with listening(address, path(execution), alice.key) as refused:
        answers.append((refused.response.status_code, refused.response.json() | {"requestId": ""}))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 401


def test_a_token_that_has_become_too_old_ends_the_stream_at_the_next_heartbeat(alice: Caller, address: str) -> None:
    execution = held(alice)
    with listening(address, path(execution), None, token=token(execution)) as stream:
        blocks = stream.blocks()
        while next(blocks).comments != ["heartbeat"]:
            pass
        long_ago = timezone.now() - VALID_FOR - timedelta(days=1)
        Execution.objects.filter(id=execution).update(status="workflow_succeeded", finished_at=long_ago)
        began = time.monotonic()
        assert [block.comments for block in blocks] in ([], [["heartbeat"]])
    assert time.monotonic() - began < HEARTBEAT_SECONDS + 1
