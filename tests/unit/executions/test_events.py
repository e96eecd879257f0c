"""The chain of events: every one names the hash of the one before it, over canonical JSON; and each has its words."""

from __future__ import annotations

import ast
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from contract.json_values import MAX_INTEGER, canonical
from executions.events import GENESIS, Detail, EventRow, Happening, chain, digest
from executions.states import CREATED, MOVES, STEP_MOVES, Status
from executions.telling import EVENTS, STATUSES, event_message

AT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
EXECUTION = "01a2022d-9de5-7440-bc82-e5ecfc474f4c"
ROOT = Path(__file__).parents[3]

names = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
details = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts
happenings = st.builds(Happening, type=names, data=st.dictionaries(names, details, max_size=6), step=st.none() | texts)


@given(st.lists(happenings, min_size=1, max_size=8), st.integers(0, 2**31 - 10))
def test_the_bytes_that_are_hashed_are_rfc_8785(told: list[Happening], sequence: int) -> None:
    rows, _ = chain(EXECUTION, sequence, GENESIS, told, AT)
    for row in rows:
        assert row.body.encode() == rfc8785.dumps(json.loads(row.body))


@given(st.dictionaries(names, st.recursive(details, lambda inner: st.dictionaries(names, inner), max_leaves=5)))
def test_sorted_output_of_such_values_is_rfc_8785(value: dict[str, object]) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type] # a dict of what the strategy draws


@given(st.lists(happenings, min_size=1, max_size=8), st.data())
def test_a_chain_made_in_two_goes_is_the_same_chain(told: list[Happening], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(told)))
    whole, head = chain(EXECUTION, 0, GENESIS, told, AT)
    first, middle = chain(EXECUTION, 0, GENESIS, told[:cut], AT)
    second, end = chain(EXECUTION, cut, middle, told[cut:], AT)
    assert (first + second, end) == (whole, head)


def a_chain() -> list[EventRow]:
    told = [Happening("execution.created", {"version": "1.0.0"}), Happening("step.started", {"attempt": 1}, "score")]
    return chain(EXECUTION, 0, GENESIS, told, AT)[0]


def test_each_event_names_the_hash_of_the_one_before_it() -> None:
    first, second = a_chain()
    assert json.loads(first.body)["previous"] == "00" * 32
    assert first.hash == hashlib.sha256(first.body.encode()).digest()
    assert json.loads(second.body)["previous"] == first.hash.hex()
    assert [first.sequence, second.sequence] == [1, 2]


def test_a_body_holds_all_that_the_row_says() -> None:
    assert json.loads(a_chain()[1].body) == {
        "at": "2026-01-02T03:04:05.678901Z",
        "data": {"attempt": 1},
        "execution": EXECUTION,
        "previous": a_chain()[0].hash.hex(),
        "sequence": 2,
        "step": "score",
        "type": "step.started",
    }


@pytest.mark.parametrize(
    "changed",
    [
        Happening("execution.failed", {"a": 1}),
        Happening("execution.created", {"a": 2}),
        Happening("execution.created", {"a": 1}, "x"),
    ],
)
def test_nothing_of_an_event_can_change_without_its_hash(changed: Happening) -> None:
    told = Happening("execution.created", {"a": 1})
    assert chain(EXECUTION, 0, GENESIS, [told], AT)[1] != chain(EXECUTION, 0, GENESIS, [changed], AT)[1]


def test_a_digest_is_the_sha_256_of_the_text_itself() -> None:
    assert digest('{"a":"ä"}') == hashlib.sha256('{"a":"ä"}'.encode()).hexdigest()


def events_written_in(room: str) -> set[str]:
    """Every literal type of a Happening in the room's code."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / room).rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    types = [call.args[0] for call in calls if _tells(call.func)]
    return {type_.value for type_ in types if isinstance(type_, ast.Constant) and isinstance(type_.value, str)}


def _tells(function: ast.expr) -> bool:
    return getattr(function, "id", getattr(function, "attr", None)) in {"Happening", "tell"}


def test_every_event_that_can_be_written_has_words() -> None:
    moved = {move.event for move in MOVES.values()} | {move.event for move in STEP_MOVES.values()}
    written = events_written_in("executions") | events_written_in("orchestrator")
    assert {"execution.created", "payment.paid", "step.late_outcome"} <= written
    assert moved | set(CREATED.values()) | written == EVENTS.keys()


def test_the_words_are_for_people_and_their_levels_the_published_ones() -> None:
    assert {words.level for words in EVENTS.values()} == {"info", "warning", "error"}
    assert all(words.title and words.message.endswith(".") for words in EVENTS.values())
    assert STATUSES.keys() == set(Status)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"message": "no such host", "reason": "other"}, "no such host"),
        ({"reason": "deadline_exceeded"}, "deadline_exceeded"),
        ({"reason": None}, EVENTS["execution.failed"].message),
        ({}, EVENTS["execution.failed"].message),
    ],
)
def test_an_event_says_its_own_message_where_it_has_one(data: dict[str, Detail], said: str) -> None:
    assert event_message("execution.failed", {"data": data}) == said
