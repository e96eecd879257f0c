"""What a run found, and the file that it is kept in: results.json, whose shape results.schema.json says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bench.figures import Figure, Kind, Measured, Sheet, Verdict, judged, medians
from bench.quiet import QUIET_SHARE
from bench.workload import Workload

FORMAT = "traceway-bench/1"
RESULTS = Path(__file__).with_name("results.json")
SCHEMA = Path(__file__).with_name("results.schema.json")


@dataclass(slots=True)
class Outcome:
    """What came of one workload."""

    name: str
    title: str
    about: str
    rounds: int
    warm_ups: int
    figures: list[Figure]
    measured: list[Measured]
    verdicts: list[Verdict]
    sheets: list[Sheet] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    load: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    failed: bool = False
    """Whether this product or a floor did not get through it."""

    def of(self, figure: str) -> list[Measured]:
        return [one for one in self.measured if one.figure == figure and one.samples]


@dataclass(slots=True)
class Run:
    """One run of the benchmark: what it was made on, and every workload's outcome."""

    mode: str
    date: str
    machine: dict[str, Any]
    versions: dict[str, str]
    peers: dict[str, str]
    durability: dict[str, str]
    load: dict[str, float]
    quiet: bool
    outcomes: list[Outcome] = field(default_factory=list)
    format: str = FORMAT

    @property
    def noisy(self) -> list[Outcome]:
        """Those before which others used the machine."""
        return [one for one in self.outcomes if one.load.get("others", 0) > QUIET_SHARE]

    @property
    def passed(self) -> bool:
        """Whether every goal that was judged is met, and this product and the floors got through every workload."""
        missed = any(verdict.met is False for verdict in self.verdicts)
        return not missed and not any(one.failed for one in self.outcomes)

    @property
    def verdicts(self) -> list[Verdict]:
        return [verdict for outcome in self.outcomes for verdict in outcome.verdicts]


def outcome_of(workload: Workload, rounds: int, measured: list[Measured]) -> Outcome:
    """With the goals judged by the medians."""
    found = medians(measured)
    verdicts = [judged(goal, found) for goal in workload.goals]
    return Outcome(
        workload.name,
        workload.title,
        workload.about,
        rounds,
        workload.warm_ups,
        list(workload.figures),
        measured,
        verdicts,
    )


def save(run: Run, path: Path) -> None:
    """Written in one step, samples with six digits."""
    told = asdict(run)
    for outcome in told["outcomes"]:
        for one in outcome["measured"]:
            one["samples"] = [round(sample, 6) for sample in one["samples"]]
    partial = path.with_suffix(".partial")
    partial.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    partial.replace(path)


def load(path: Path) -> Run:
    """Raises OSError where there is no such file, KeyError or TypeError where it is none of ours."""
    told = orjson.loads(path.read_bytes())
    outcomes = [_outcome(one) for one in told.pop("outcomes")]
    return Run(**told, outcomes=outcomes)


def _outcome(told: dict[str, Any]) -> Outcome:
    figures = [Figure(**one) for one in told.pop("figures")]
    measured = [Measured(**{**one, "kind": Kind(one["kind"])}) for one in told.pop("measured")]
    verdicts = [Verdict(**one) for one in told.pop("verdicts")]
    sheets = [Sheet(**one) for one in told.pop("sheets")]
    return Outcome(**told, figures=figures, measured=measured, verdicts=verdicts, sheets=sheets)
