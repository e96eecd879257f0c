"""What a run says: progress while it goes on, tables as soon as a workload is done, the goals at the end."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench import telling
from bench.results import Outcome, Run


class Terminal:
    """Everything goes to standard output, at most 160 columns wide."""

    def __init__(self) -> None:
        probe = Console()
        self._console = probe if probe.is_terminal else Console(width=160)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def warn(self, text: str) -> None:
        self._console.print(f"[bold yellow]{escape(text)}[/]", highlight=False, soft_wrap=True)

    def outcome(self, outcome: Outcome) -> None:
        table = Table(*telling.COLUMNS, title=escape(outcome.title), title_justify="left")
        for row in telling.rows(outcome):
            table.add_row(*map(escape, row.cells()), style="bold" if row.ours else None)
        self._console.print(table)
        for sheet in outcome.sheets:
            facts = Table(*sheet.columns, title=escape(sheet.title), title_justify="left")
            for cells in sheet.rows:
                facts.add_row(*map(escape, cells))
            self._console.print(facts)
        for note in outcome.notes:
            self.say(note)
        self.say(telling.counted(outcome))

    def quiet(self, run: Run) -> None:
        """Whether the figures can be trusted."""
        if run.quiet:
            return
        told = ", ".join(f"{one.name} ({one.load['others']:.0%})" for one in run.noisy)
        self.warn(f"The machine was not quiet, do not trust the figures. Used by others before {told or 'the run'}.")

    def goals(self, run: Run) -> None:
        """The goals of this run, each met or not."""
        table = Table(*telling.GOAL_COLUMNS, title="Goals", title_justify="left")
        for verdict in run.verdicts:
            style = {True: "green", False: "bold red", None: "dim"}[verdict.met]
            table.add_row(*map(escape, telling.goal_cells(verdict)), style=style)
        self._console.print(table)
        met = sum(verdict.met is True for verdict in run.verdicts)
        self.say(f"{met} of {len(run.verdicts)} goals met")
