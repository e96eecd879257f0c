"""Writes the tables of docs/performance.md from a run's results, between its two marks; the words around them stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import telling
from bench.results import Outcome, Run
from config.stack.data_dir import CHECKOUT

PAGE = CHECKOUT / "docs" / "performance.md"
CHARTS = CHECKOUT / "docs" / "images"
CHARTED = {"sustain": "images/sustained.svg"}
"""Workloads whose first sheet is drawn too, by bench/charts.py."""
BEGIN, END = "<!-- from bench/results.json: begin -->", "<!-- from bench/results.json: end -->"


def write(run: Run, path: Path = PAGE) -> None:
    """Replace what stands between the marks."""
    path.write_text(with_results(path.read_text(encoding="utf-8"), run), encoding="utf-8")


def with_results(text: str, run: Run) -> str:
    """The page with the run's tables. Raises ValueError where a mark is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page lacks the marks between which the results stand")
    return f"{before}{begin}\n\n{results(run)}\n{end}{after}"


def results(run: Run) -> str:
    """Everything of a run, in Markdown."""
    return "\n".join([*_made_on(run), *_goals(run), *(line for one in run.outcomes for line in _outcome(one))])


def _made_on(run: Run) -> Iterator[str]:
    machine = run.machine
    quiet = "The machine was quiet" if run.quiet else "**The machine was not quiet**"
    yield (
        f"Measured {run.date} ({run.mode} run) on {machine['processors']} x {machine['processor']}, "
        f"{machine['memory_gib']:g} GiB, {machine['system']}. {quiet}: before the run {run.load['used']:.0%} of the "
        f"processors were used, load average {run.load['average']:g}{_noise(run)}."
    )
    yield ""
    for title, found in (("Versions", run.versions), ("Peers", run.peers), ("Durability", run.durability)):
        if found:
            yield f"{title}: {', '.join(f'{name} {value}' for name, value in sorted(found.items()))}."
            yield ""


def _noise(run: Run) -> str:
    """Before which workloads others used the machine."""
    told = ", ".join(f"{one.title} ({one.load['others']:.0%})" for one in run.noisy)
    return f"; by others, before {told}" if told else ""


def _goals(run: Run) -> Iterator[str]:
    verdicts = run.verdicts
    if verdicts:
        yield "### Goals"
        yield ""
        yield from _table(telling.GOAL_COLUMNS, [telling.goal_cells(verdict) for verdict in verdicts])
        yield ""


def _outcome(outcome: Outcome) -> Iterator[str]:
    yield f"### {outcome.title}"
    yield ""
    yield f"{outcome.about} {telling.counted(outcome)}"
    yield ""
    found = [row.cells() for row in telling.rows(outcome)]
    if found:
        yield from _table(telling.COLUMNS, found)
        yield ""
    if outcome.name in CHARTED and outcome.sheets:
        yield f"![{outcome.title}]({CHARTED[outcome.name]})"
        yield ""
    for sheet in outcome.sheets:
        yield f"{sheet.title}:"
        yield ""
        yield from _table(sheet.columns, sheet.rows)
        yield ""
    told = [f"- {name} records: {kept}." for name, kept in telling.records(outcome)]
    yield from [*told, *(f"- {note}" for note in outcome.notes)]
    if told or outcome.notes:
        yield ""


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for line in lines:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
