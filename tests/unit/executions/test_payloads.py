"""References to payloads, and the contents that a process has at hand: no store is asked in a transaction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import away
from contract.away import Away, Endless, at_hand
from executions.payloads.contents import Contents, Place, Unavailable, Unfetched, Unstored
from executions.payloads.references import digest_of, drop, is_dropped, is_reference, parse, refer, reference, size_of

PLACE = Place(UUID(int=1), UUID(int=2))
OTHER = Place(UUID(int=1), UUID(int=3))
LARGE = '"' + "x" * 100 + '"'


@dataclass
class Memory:
    kept: dict[tuple[Place, str], bytes] = field(default_factory=dict)
    gets: int = 0

    def put(self, place: Place, digest: str, content: bytes) -> None:
        self.kept[place, digest] = content

    def get(self, place: Place, digest: str) -> bytes | None:
        self.gets += 1
        return self.kept.get((place, digest))


def fresh(memory: Memory, kept_bytes: int = 1000) -> Contents:
    return Contents(memory, inline_bytes=50, kept_bytes=kept_bytes)


@given(st.text())
def test_a_column_tells_digest_and_length_wherever_its_text_stands(text: str) -> None:
    column = f'"{text.encode(errors="replace").decode()}"'
    digest, size = hashlib.sha256(column.encode()).hexdigest(), len(column.encode())
    for form in (column, reference(digest, size), drop(column), drop(reference(digest, size)), drop(drop(column))):
        assert (digest_of(form), size_of(form)) == (digest, size)
    assert not is_reference(column)
    assert is_dropped(drop(column))
    assert parse(reference(digest, size)) == refer(column)


def test_inside_a_transaction_a_large_text_is_stored_only_once_that_is_left() -> None:
    memory, looks = Memory(), []
    contents = fresh(memory)

    def look() -> str:
        looks.append(dict(memory.kept))
        return contents.column(PLACE, LARGE)

    assert at_hand(look) == refer(LARGE).column()
    assert [len(kept) for kept in looks] == [0, 1]


def test_what_is_not_at_hand_is_fetched_once_for_all_looks() -> None:
    memory = Memory()
    column = fresh(memory).column(PLACE, LARGE)
    contents = fresh(memory, kept_bytes=10)
    looks = []

    def look() -> str:
        looks.append(1)
        return contents.text(PLACE, column)

    # Too large to be kept in the process, it is at hand for as long as the look that wants it is repeated.
    assert at_hand(look) == LARGE
    assert (len(looks), memory.gets) == (2, 1)


def test_no_execution_has_the_contents_of_another() -> None:
    memory = Memory()
    contents = fresh(memory)
    column = contents.column(PLACE, LARGE)
    with pytest.raises(Unavailable, match="missing"):
        contents.text(OTHER, column)


@pytest.mark.parametrize("content", [LARGE.replace("x", "y").encode(), LARGE.encode()[:-1], b""])
def test_a_content_that_was_altered_is_not_taken(content: bytes) -> None:
    memory = Memory()
    column = fresh(memory).column(PLACE, LARGE)
    memory.kept[PLACE, digest_of(column)] = content
    with pytest.raises(Unavailable, match="altered"):
        fresh(memory).text(PLACE, column)


def test_what_was_dropped_is_not_looked_for() -> None:
    memory = Memory()
    with pytest.raises(Unavailable, match="dropped"):
        fresh(memory).text(PLACE, drop(LARGE))
    assert memory.gets == 0


def test_the_longest_unused_contents_are_forgotten_first() -> None:
    memory = Memory()
    contents = fresh(memory, kept_bytes=250)
    columns = [contents.column(PLACE, f'"{letter * 100}"') for letter in "ab"]
    contents.text(PLACE, columns[0])
    contents.column(PLACE, f'"{"c" * 100}"')
    assert contents.text(PLACE, columns[0])
    assert memory.gets == 0
    assert contents.text(PLACE, columns[1])
    assert memory.gets == 1


def test_a_small_text_asks_for_nothing() -> None:
    contents = fresh(Memory())
    assert contents.column(PLACE, '"small"') == '"small"'
    assert contents.texts(PLACE, ['"small"', "1"]) == ['"small"', "1"]


def test_what_is_within_another_leaves_the_bringing_to_it() -> None:
    contents = fresh(Memory())
    seen: list[type[Away]] = []

    def inner() -> str:
        try:
            return at_hand(lambda: contents.column(PLACE, LARGE))
        except (Unstored, Unfetched) as wanted:
            seen.append(type(wanted))
            raise

    at_hand(inner)
    assert seen == [Unstored]


def test_what_never_has_enough_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(away, "MOST_ROUNDS", 5)
    contents, numbers = fresh(Memory()), iter(range(100))
    with pytest.raises(Endless):
        at_hand(lambda: contents.column(PLACE, f'"{next(numbers)}{"x" * 100}"'))
