"""Streams: parsed as they come, resumed where they broke, over after the terminal event; and waiting for the end."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.client.answers import ID, event, frame, shown, stream
from tests.unit.client.wire import DROP, Asked, Say, wired
from traceway import AsyncTraceway, NotFound, Retry, Traceway, UnexpectedAnswer, WaitTimeout
from traceway.sse import Parser, ServerSentEvent

QUICK = Retry(seconds=5, first=0.01, longest=0.02)
END = "execution.succeeded"
OVER = Say(204)
HELD = (
    b": a comment\r\n\r\nid: 1\r\nevent: a\r\ndata: x\r\ndata:y\r\n\r\n",
    "id: 2\rdata: \u2028 and \x85\r\r".encode(),
    b"event: only a name\n\ndata\nid: 3\n\nretry: 1500\nid: 4\n\ndata: unfinished",
)
MEANT = [
    ServerSentEvent("a", "x\ny", "1"),
    ServerSentEvent("message", "\u2028 and \x85", "2"),
    ServerSentEvent("message", "", "3"),
]


@given(st.lists(st.integers(0, len(b"".join(HELD)))))
def test_a_stream_means_the_same_however_it_is_cut_into_pieces(cuts: list[int]) -> None:
    parser, whole = Parser(), b"".join(HELD)
    found: list[ServerSentEvent] = []
    edges = [0, *sorted(cuts), len(whole)]
    for start, end in pairwise(edges):
        found += parser.feed(whole[start:end])
    assert found == MEANT
    assert (parser.last_id, parser.retry) == ("4", 1.5)


def test_an_id_that_was_not_completed_is_not_resumed_from() -> None:
    parser = Parser("7")
    assert list(parser.feed(b": still there\n\nid: 8\ndata: x\n")) == []
    assert parser.last_id == "7"


def test_events_come_as_they_happen_and_end_after_the_terminal_one() -> None:
    with (
        wired([stream(frame(1), frame(2)[:20], frame(2)[20:], frame(3, END))]) as wire,
        Traceway(wire.url, "k") as client,
    ):
        events = list(client.executions.stream(ID))
    assert [(one.sequence, one.event_type, one.node_id) for one in events] == [
        (1, "step.started", "first"),
        (2, "step.started", "first"),
        (3, END, "first"),
    ]
    assert events[0].raw == event(1)
    assert wire.paths() == [f"GET /v1/executions/{ID}/stream"]
    assert "last-event-id" not in wire.asked[0].headers


@pytest.mark.parametrize(
    "broken",
    [
        stream(frame(1), frame(2), frame(3)[:60], cut=True),
        stream(frame(1), frame(2)),
    ],
    ids=["in the middle of an event", "between two"],
)
def test_a_stream_that_breaks_goes_on_with_the_next_event(broken: Say) -> None:
    script = [broken, DROP, Say(503), stream(frame(3), frame(4, END))]
    with wired(script) as wire, Traceway(wire.url, "k", retry=QUICK) as client:
        assert [one.sequence for one in client.executions.stream(ID)] == [1, 2, 3, 4]
    assert [asked.headers.get("last-event-id") for asked in wire.asked] == [None, "2", "2", "2"]


def test_a_stream_begins_after_an_event_and_is_over_at_once_where_nothing_follows() -> None:
    with wired([OVER]) as wire, Traceway(wire.url, "k") as client:
        assert list(client.executions.stream(ID, after=9)) == []
    assert wire.asked[0].headers["last-event-id"] == "9"


def test_what_failed_and_was_redriven_is_heard_to_its_second_end() -> None:
    history = stream(frame(1, "execution.failed"), frame(2, "execution.redriven"), frame(3, END))
    with wired([history]) as wire, Traceway(wire.url, "k") as client:
        assert [one.sequence for one in client.executions.stream(ID)] == [1, 2, 3]


def test_the_tenants_stream_goes_on_after_an_execution_has_ended_and_from_where_it_was_taken_up() -> None:
    begun = Say(200, headers={"Last-Event-ID": "c0"}, chunks=[b": hello\n\n"], cut=True)
    script = [begun, stream(frame(1, END)), stream(frame(2, END)), stream(frame(3))]
    with wired(script) as wire, Traceway(wire.url, "k", retry=QUICK) as client:
        events = client.executions.stream_all()
        assert [next(events).sequence for _ in range(3)] == [1, 2, 3]
    assert [asked.headers.get("last-event-id") for asked in wire.asked[:4]] == [None, "c0", "1", "2"]


def test_a_stream_that_is_refused_says_so() -> None:
    refused = pytest.raises(NotFound)
    with wired([Say(404, {"message": "no"})]) as wire, Traceway(wire.url, "k") as client, refused:
        list(client.executions.stream("x"))


def test_an_event_that_is_no_json_is_not_passed_on() -> None:
    refused = pytest.raises(UnexpectedAnswer)
    with wired([stream(b"data: {\n\n")]) as wire, Traceway(wire.url, "k") as client, refused:
        list(client.executions.stream("x"))


def test_the_asynchronous_stream_resumes_in_the_same_way() -> None:
    async def sequences(url: str) -> list[int]:
        async with AsyncTraceway(url, "k", retry=QUICK) as client:
            return [one.sequence async for one in client.executions.stream(ID)]

    with wired([stream(frame(1), frame(2)[:9], cut=True), stream(frame(2, END))]) as wire:
        assert asyncio.run(sequences(wire.url)) == [1, 2]
    assert wire.asked[1].headers["last-event-id"] == "1"


def test_waiting_listens_from_the_newest_event_on_and_then_looks() -> None:
    script = [shown(sequence=3), stream(frame(4, END)), shown("workflow_succeeded")]
    with wired(script) as wire, Traceway(wire.url, "k") as client:
        assert client.executions.wait(ID, timeout=20).succeeded
    assert wire.paths() == [
        f"GET /v1/executions/{ID}",
        f"GET /v1/executions/{ID}/stream?max_seconds=20",
        f"GET /v1/executions/{ID}",
    ]
    assert wire.asked[1].headers["last-event-id"] == "3"


@pytest.mark.parametrize("deaf", [Say(503), Say(404, {}), DROP, stream(cut=True), OVER], ids=lambda say: say.status)
def test_waiting_asks_again_and_again_where_nothing_is_to_be_heard(deaf: Say) -> None:
    looks = 0

    def answer(asked: Asked, _: int) -> Say:
        nonlocal looks
        if "/stream" in asked.path:
            return deaf
        looks += 1
        return shown("workflow_failed" if looks == 4 else "workflow_running")

    with wired(answer) as wire, Traceway(wire.url, "k") as client:
        assert client.executions.wait(ID).status == "workflow_failed"
    assert looks == 4


def test_waiting_ends_when_the_time_is_over() -> None:
    def answer(asked: Asked, _: int) -> Say:
        return Say(503) if "/stream" in asked.path else shown()

    with wired(answer) as wire, Traceway(wire.url, "k") as client:
        began = time.monotonic()
        with pytest.raises(WaitTimeout, match=r"had not ended after 0\.5 s"):
            client.executions.get(ID).wait(timeout=0.5)
    assert 0.5 <= time.monotonic() - began < 3
    assert len([path for path in wire.paths() if "/stream" not in path]) < 12


def test_waiting_for_what_is_over_asks_once() -> None:
    with wired([shown("workflow_cancelled")]) as wire, Traceway(wire.url, "k") as client:
        assert client.executions.wait(ID, timeout=0).is_over
    assert len(wire.asked) == 1
