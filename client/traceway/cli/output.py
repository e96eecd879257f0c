"""What the command line says: for people on a terminal, as tab-separated lines in a pipe, as JSON, or ids alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from traceway.cli import words
from traceway.errors import ApiError, TracewayError

PIPE_WIDTH = 10_000


@dataclass(slots=True)
class Output:
    """`json`: machine-readable, nothing else; `quiet`: ids alone. Results go to stdout, everything else to stderr."""

    json: bool = False
    quiet: bool = False
    console: Console = field(default_factory=lambda: _console(stderr=False))
    notes: Console = field(default_factory=lambda: _console(stderr=True))

    @property
    def for_people(self) -> bool:
        """Whether somebody looks on, and no program."""
        return self.console.is_terminal and not self.json and not self.quiet

    def value(self, raw: Any, identity: str, shown: RenderableType) -> None:
        """One thing: its JSON, its id, or how people see it."""
        if self.json:
            self.line(words.as_json(raw))
        elif self.quiet:
            self.line(identity)
        elif self.console.is_terminal:
            self.console.print(shown, soft_wrap=isinstance(shown, Text))
        else:
            with self.console.capture() as drawn:
                self.console.print(shown)
            self.line("\n".join(line.rstrip() for line in drawn.get().splitlines()))

    def rows(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], raws: Sequence[Any], ids: Sequence[str]
    ) -> None:
        """A list. A cell may be a Text, a moment, None or anything with a str."""
        if self.json:
            self.line(words.as_json(list(raws)))
        elif self.quiet:
            for identity in ids:
                self.line(identity)
        elif self.console.is_terminal:
            self.console.print(grid(columns, rows))
        else:
            for row in rows:
                self.line("\t".join(_plain(cell) for cell in row))

    def line(self, text: str) -> None:
        """One line, as it is."""
        # Not through the console, which takes tabs for spaces.
        self.console.file.write(text + "\n")
        self.console.file.flush()

    def say(self, said: RenderableType) -> None:
        """Something beside the result."""
        if not self.quiet and not self.json:
            self.notes.print(said, soft_wrap=True)

    def error(self, error: TracewayError) -> None:
        """What went wrong, and where it can be looked up."""
        if self.json:
            self.notes.file.write(words.as_json({"error": told(error)}, indent=None) + "\n")
            return
        self.complain(Text.assemble(("error: ", "bold red"), words.harmless(_message(error))))
        if isinstance(error, ApiError):
            for problem in error.problems:
                self.complain(Text(f"  {words.harmless(problem.field)}: {words.harmless(problem.message)}"))
            about = [f"reason {error.reason}" if error.reason else f"HTTP {error.status}"]
            about += [f"request {error.request_id}"] if error.request_id else []
            self.complain(Text("  " + ", ".join(map(words.harmless, about)), "dim"))

    def complain(self, said: Text) -> None:
        """A line of what went wrong."""
        self.notes.print(said, soft_wrap=True)


def told(error: TracewayError) -> Mapping[str, Any]:
    """An error as JSON."""
    if not isinstance(error, ApiError):
        return {"type": type(error).__name__, "message": str(error)}
    return {
        "type": type(error).__name__,
        "message": error.message,
        "status": error.status,
        "reason": error.reason,
        "problems": [{"field": one.field, "code": one.code, "message": one.message} for one in error.problems],
        "requestId": error.request_id,
    }


def grid(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A table without lines."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column.upper(), no_wrap=column in {"id", "status", "created", "took", "version"})
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    return table


def nobody_reads_on() -> None:
    """What is still buffered goes nowhere, so that the interpreter's last flush has nothing to complain of."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The entry point decides what it means that nobody reads on."""
        raise BrokenPipeError


def _console(*, stderr: bool) -> Console:
    """In a pipe, lines are as long as they are."""
    console = _Console(highlight=False, stderr=stderr)
    return console if console.is_terminal else _Console(highlight=False, stderr=stderr, width=PIPE_WIDTH)


def _message(error: TracewayError) -> str:
    return error.message if isinstance(error, ApiError) else str(error)


def _cell(cell: Any) -> Text:
    if isinstance(cell, Text):
        return cell
    if isinstance(cell, datetime):
        return Text(words.ago(cell))
    return Text("" if cell is None else " ".join(words.harmless(cell).split()))


def _plain(cell: Any) -> str:
    if isinstance(cell, Text):
        return cell.plain.split(" ", 1)[-1]
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return "" if cell is None else words.harmless(cell).replace("\t", " ").replace("\n", " ")
