"""What the demo says: bars that move, or plain lines where there is no terminal, and the tables of the result."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from examples.credit.receiver import Tally
from traceway.models import Step

LINE_EVERY_SECONDS = 2.0


class Meter:
    """A count on its way to `total`, shown at most every few moments; advanced by one thread."""

    def __init__(self, console: Console, bars: Progress | None, title: str, total: int) -> None:
        self._console = console
        self._bars = bars
        self._title = title
        self._total = total
        self._done = 0
        self._began = self._said = time.monotonic()
        self._task = bars.add_task(title, total=total) if bars else None

    def at(self, done: int) -> None:
        """`done` of the total are done."""
        if self._bars and self._task is not None:
            self._bars.update(self._task, completed=done)
            return
        now = time.monotonic()
        due = done != self._done if done == self._total else now - self._said >= LINE_EVERY_SECONDS
        self._done = done
        if due:
            self._said = now
            rate = done / max(now - self._began, 0.001)
            self._console.print(f"{self._title}: {done} of {self._total} ({rate:.0f}/s)", highlight=False)


class Terminal:
    """The demo's voice. Everything goes to standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self._bars: Progress | None = None

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    @contextmanager
    def meters(self) -> Iterator[None]:
        """While the block runs, meter() shows bars, if this is a terminal."""
        if not self.console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console) as self._bars:
            yield
        self._bars = None

    def meter(self, title: str, total: int) -> Meter:
        return Meter(self.console, self._bars, title, total)

    def outcomes(self, table: Counter[tuple[str, str]]) -> None:
        """`table` counts (outcome, verdict)."""
        view = Table("outcome", title="outcome against the bank's verdict")
        for column in ("good", "bad", "all", "share good"):
            view.add_column(column, justify="right")
        for outcome in sorted({outcome for outcome, _ in table}, key=_rank):
            good, bad = table[outcome, "good"], table[outcome, "bad"]
            view.add_row(outcome, str(good), str(bad), str(good + bad), f"{good / (good + bad):.0%}")
        self.console.print(view)

    def statuses(self, counts: Mapping[str, int]) -> None:
        view = Table("status", title="executions by status")
        view.add_column("executions", justify="right")
        for status, count in sorted(counts.items()):
            view.add_row(status, str(count))
        self.console.print(view)

    def complaints(self, counts: Counter[str]) -> None:
        """The commonest internal errors; nothing where there are none."""
        for complaint, count in counts.most_common(5):
            self.say(f"{count} x {complaint}")

    def speed(self, executions: int, seconds: float, tally: Tally) -> None:
        self.say(
            f"{executions} executions in {seconds:.1f} s, first POST to last end: {executions / seconds:.1f} a second"
        )
        self.say(
            f"webhook deliveries: {tally.verified} verified, {tally.repeated} repeated, {tally.rejected} rejected",
        )

    def steps(self, execution_id: str, steps: Sequence[Step]) -> None:
        """One execution, step by step."""
        self.say(f"\nexecution {execution_id}, step by step:")
        for step in steps:
            after = f" after {', '.join(step.depends_on)}" if step.depends_on else ""
            attempts = f"{len(step.attempts)} attempt(s)"
            self.say(f"\n{step.name} ({step.type}){after}: {step.status}, {attempts}, {_took(step)}")
            view = Table.grid(Column(width=9), Column(overflow="fold"), padding=(0, 1))
            for side, value in (("input", step.input), ("output", step.output)):
                view.add_row(f"  {side}", Text(json.dumps(value, ensure_ascii=False)))
            self.console.print(view)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / task.elapsed if task.elapsed else 0:7.0f}/s")


def _rank(outcome: str) -> tuple[int, str]:
    order = ("pass", "refer", "fail")
    return (order.index(outcome) if outcome in order else len(order), outcome)


def _took(step: Step) -> str:
    if not step.started_at or not step.finished_at:
        return "never begun"
    return f"{(step.finished_at - step.started_at).total_seconds() * 1000:.0f} ms"
