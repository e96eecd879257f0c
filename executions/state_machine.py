"""The page of the table of moves: `python -m executions.state_machine > docs/state-machine.md`. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from executions.states import CREATED, MOVES, STEP_MOVES, STEP_TERMINAL, TERMINAL, Move, Status, StepStatus

S = TypeVar("S", bound=StrEnum)

_HEAD = """# The state machine

Made from `executions/states.py` by `python -m executions.state_machine`; a test compares the two. Any move that is not
in these tables is refused with 409 and changes nothing. Each move writes its event in the same transaction.
"""


def page() -> str:
    """The whole page, in Markdown."""
    parts = [
        _HEAD,
        "## An execution\n",
        _diagram(Status, MOVES, CREATED, TERMINAL),
        "| created as | event after `execution.created` |\n|---|---|",
        *(f"| `{status.value}` | `{event}` |" for status, event in CREATED.items()),
        "",
        _table(MOVES),
        "## A step\n",
        _diagram(StepStatus, STEP_MOVES, {StepStatus.PENDING: ""}, STEP_TERMINAL),
        _table(STEP_MOVES),
        "A step that never began stays `pending` in its row; it is told as `cancelled` once its execution has ended.",
    ]
    return "\n".join(parts) + "\n"


def _diagram(words: type[S], moves: Mapping[str, Move[S]], created: Mapping[S, str], terminal: frozenset[S]) -> str:
    used = {word for move in moves.values() for word in (*move.sources, move.target)} | set(created)
    lines = ["```mermaid", "stateDiagram-v2", *(f"    [*] --> {word.value}" for word in words if word in created)]
    lines += _arrows(words, moves)
    lines += [f"    {word.value} --> [*]" for word in words if word in terminal and word in used]
    return "\n".join([*lines, "```", ""])


def _arrows(words: type[S], moves: Mapping[str, Move[S]]) -> Iterator[str]:
    for name, move in moves.items():
        for source in words:
            if source in move.sources:
                yield f"    {source.value} --> {move.target.value}: {name}"


def _table(moves: Mapping[str, Move[S]]) -> str:
    lines = ["| move | from | to | event | when |", "|---|---|---|---|---|"]
    for name, move in moves.items():
        sources = ", ".join(f"`{word.value}`" for word in type(move.target) if word in move.sources)
        lines.append(f"| {name} | {sources} | `{move.target.value}` | `{move.event}` | {move.when} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.stdout.write(page())
