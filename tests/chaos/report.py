"""What a run says: a line for each fault as it is put in, and at the end tables, in Markdown for the docs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from tests.chaos.audit import QUANTILES, RECOVERY_SECONDS, Recovered, Verdict
from tests.chaos.recovery import quantile

_MOST_SHOWN = 10


class Report:
    """Everything goes to standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(width=None if sys.stdout.isatty() else 110)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def tell(self, verdict: Verdict) -> None:
        """The tables, what was found in detail, and the verdict in one word."""
        for table in (_faults(verdict), _counts(verdict), _checks(verdict)):
            self._console.print(table)
        for name, found in verdict.wrong.items():
            for line in found[:_MOST_SHOWN]:
                self.say(f"{name}: {line}")
        slowest = max(verdict.recoveries, key=lambda r: r.seconds, default=None)
        if slowest is not None:
            self.say(f"slowest recovery: {slowest.seconds:.2f} s after {slowest.fault.kind}, {slowest.last}")
        self.say("passed" if verdict.passed() else "FAILED")


def save(verdict: Verdict, path: Path, **of_the_run: float) -> None:
    """Write all of it down as JSON."""
    path.write_text(json.dumps({**of_the_run, **verdict.as_json()}, indent=2) + "\n")


def _faults(verdict: Verdict) -> Table:
    view = _table("fault, and recovery from it", "times", *QUANTILES)
    kinds: dict[str, list[Recovered]] = {}
    for found in verdict.recoveries:
        kinds.setdefault(found.fault.kind, []).append(found)
    for kind, found_of_kind in [*sorted(kinds.items()), ("all", list(verdict.recoveries))]:
        seconds = [found.seconds for found in found_of_kind]
        times = [f"{quantile(seconds, share):.2f} s" for share in QUANTILES.values()] if seconds else []
        view.add_row(kind, str(len(seconds)), *times)
    return view


def _counts(verdict: Verdict) -> Table:
    view = _table("what was seen", "count")
    for name, count in verdict.counts.items():
        view.add_row(name, f"{count:,}")
    for status, count in sorted(verdict.statuses.items()):
        view.add_row(f"ended as {status}", f"{count:,}")
    return view


def _checks(verdict: Verdict) -> Table:
    view = _table("what must not be", "found")
    for name, found in verdict.wrong.items():
        view.add_row(name, str(len(found)), style="bold red" if found else "")
    late = verdict.recovery(0.99) >= RECOVERY_SECONDS
    view.add_row(
        f"recovery p99 of {RECOVERY_SECONDS:g} s or more", "yes" if late else "no", style="red" if late else ""
    )
    return view


def _table(first: str, *others: str) -> Table:
    view = Table(first, box=MARKDOWN)
    for name in others:
        view.add_column(name, justify="right")
    return view
