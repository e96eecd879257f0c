"""The large texts of a change, put where they are kept. Pure but for the store behind `contents`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from executions.change import Change
from executions.payloads.contents import Contents, Place


def referred(change: Change, place: Place, contents: Contents, searched: Collection[int]) -> Change:
    """The change as it is written: references for its large texts. Raises as Contents.columns does.

    `searched` are the steps that wait for something: the database looks into what they recorded as their input, which
    names moments and so differs from look to look; it stays where it is.
    """
    large = {text for text in _texts(change, searched) if text is not None and contents.is_large(text)}
    if not large:
        return change
    columns = contents.columns(place, large)
    return replace(
        change,
        standing=change.standing._replace(output=_of(columns, change.standing.output)),
        new_steps={i: replace(new, item=_of(columns, new.item)) for i, new in change.new_steps.items()},
        attempts=[
            replace(
                row,
                input=row.input if row.index in searched else _of(columns, row.input),
                output=_of(columns, row.output),
            )
            for row in change.attempts
        ],
        ends=[replace(end, output=_of(columns, end.output)) for end in change.ends],
    )


def _texts(change: Change, searched: Collection[int]) -> Iterator[str | None]:
    yield change.standing.output
    for new in change.new_steps.values():
        yield new.item
    for row in change.attempts:
        if row.index not in searched:
            yield row.input
        yield row.output
    for end in change.ends:
        yield end.output


def _of(columns: Mapping[str, str], text: str | None) -> str | None:
    return None if text is None else columns.get(text, text)
