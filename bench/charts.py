"""`python -m bench.charts RESULTS FOLDER`: the figures that are compared with others, as bars; what was held, as lines.

It runs in the peers' environment, which has matplotlib.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

PANELS = (
    ("chain40", "chain", "40 steps in sequence, ms (less is better)"),
    ("one_step", "rate", "one-step executions a second (more is better)"),
    ("many", "rate", "steps a second, many executions (more is better)"),
    ("start", "start", "start latency, ms (less is better)"),
    ("api", "POST at 16", "POST a second, 16 connections (more is better)"),
    ("fib10", "chain", "40 steps of fib(10), ms (less is better)"),
)
COLOURS = {"product": "#2f6f4f", "variant": "#2f6f4f", "floor": "#b8b8b8", "peer": "#7f9fc4"}
OUTLIER = 6
"""A bar so many times as long as the second longest is cut, and says its value."""


def main() -> int:
    results, folder = map(Path, sys.argv[1:])
    outcomes = {one["name"]: one for one in json.loads(results.read_text())["outcomes"]}
    mpl.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "traceway", "font.size": 9, "font.family": "sans-serif"}
    )
    _compared(outcomes, folder / "performance.svg")
    if sheets := outcomes.get("sustain", {}).get("sheets"):
        _held(sheets[0], folder / "sustained.svg")
    return 0


def _compared(outcomes: dict[str, Any], target: Path) -> None:
    panels = [(outcomes[name], figure, title) for name, figure, title in PANELS if _samples(outcomes.get(name), figure)]
    if not panels:
        return
    lines = (len(panels) + 1) // 2
    figure, axes = plt.subplots(lines, 2, figsize=(10, 2.1 * lines), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, (outcome, name, title) in zip(axes.flat, panels, strict=False):
        _draw(axis, _samples(outcome, name), title)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


def _held(sheet: Any, target: Path) -> None:
    """A panel for each column of the sheet, over its first."""
    minutes, *columns = [
        [float(cell.replace(",", "")) for cell in column] for column in zip(*sheet["rows"], strict=True)
    ]
    figure, axes = plt.subplots(1, len(columns), figsize=(2.4 * len(columns), 2.1), squeeze=False)
    for axis, title, values in zip(axes.flat, sheet["columns"][1:], columns, strict=True):
        axis.plot(minutes, values, color=COLOURS["product"], marker=".")
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_ylim(0, max(values) * 1.15 or 1)
        axis.set_xlabel(sheet["columns"][0])
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


def _samples(outcome: Any, figure: str) -> list[Any]:
    return [] if outcome is None else [one for one in outcome["measured"] if one["figure"] == figure and one["samples"]]


def _draw(axis: Axes, measured: list[Any], title: str) -> None:
    """A bar for each contestant, with a line from its least to its most."""
    names = [one["contestant"] for one in measured]
    values = [median(one["samples"]) for one in measured]
    limit = _limit(values)
    axis.barh(
        names, [min(value, limit) for value in values], color=[COLOURS[one["kind"]] for one in measured], height=0.7
    )
    for at, (value, one) in enumerate(zip(values, measured, strict=True)):
        if value <= limit:
            axis.plot([min(one["samples"]), min(max(one["samples"]), limit)], [at, at], color="#333333", linewidth=1)
        label = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
        axis.annotate(
            label if value <= limit else f"{label} (cut)", (min(value, limit), at), (6, -3), textcoords="offset points"
        )
    axis.set_title(title, fontsize=9, loc="left")
    axis.invert_yaxis()
    axis.set_xlim(0, limit * 1.2)
    axis.spines[["top", "right"]].set_visible(False)


def _limit(values: list[float]) -> float:
    ordered = sorted(values)
    if len(ordered) > 1 and ordered[-1] > OUTLIER * ordered[-2]:
        return ordered[-2] * 1.3
    return ordered[-1]


if __name__ == "__main__":
    sys.exit(main())
