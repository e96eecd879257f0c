"""`python -m bench`: everything side by side in one run.

Exit status 0 only if every goal that was judged is met and this product got through every workload; 130 if interrupted.

--quick, or --full with a million stored executions and minutes of throughput; --only NAMES; --write-docs.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from types import FrameType

from bench import page, results
from bench.contestants.peers import PYTHON
from bench.ground import Ground, Sizes, standing
from bench.machine import durability, is_quiet, load, machine, now, versions
from bench.results import RESULTS, Outcome, Run
from bench.runner import carry_out
from bench.terminal import Terminal
from bench.workload import Runs, Workload
from bench.workloads import WORKLOADS
from config.stack.child import StackError
from config.stack.data_dir import CHECKOUT

SIZES = {
    Runs.QUICK: Sizes(rounds=3, scale=0.1, sustain_minutes=1, million=100_000),
    Runs.NORMAL: Sizes(rounds=5, scale=1.0, sustain_minutes=10, million=1_000_000),
    Runs.FULL: Sizes(rounds=5, scale=1.0, sustain_minutes=10, million=1_000_000),
}
INTERRUPTED = 130
_PATH = re.compile(r"(?<![\w.])(?:/[\w.@+-]+){2,}")


def main() -> int:
    """Runs it, says how it went, keeps it."""
    signal.signal(signal.SIGTERM, _interrupt)
    asked, terminal = _arguments(), Terminal()
    if asked.docs_only:
        _write_docs(results.load(asked.json), asked.json, terminal)
        return 0
    try:
        run = _run(asked, terminal)
    except StackError as error:
        terminal.warn(f"the run could not be made: {error}")
        return 1
    except KeyboardInterrupt:
        terminal.say("interrupted")
        return INTERRUPTED
    terminal.goals(run)
    terminal.quiet(run)
    results.save(run, asked.json)
    if asked.write_docs:
        # As the file has it, rounded: whoever writes the page anew gets the same.
        _write_docs(results.load(asked.json), asked.json, terminal)
    return 0 if run.passed else 1


def _run(asked: argparse.Namespace, terminal: Terminal) -> Run:
    sizes = SIZES[asked.runs]
    sizes = replace(
        sizes,
        rounds=asked.rounds or sizes.rounds,
        scale=asked.scale or sizes.scale,
        sustain_minutes=asked.sustain or sizes.sustain_minutes,
        million=asked.stored or sizes.million,
    )
    before = load()
    if not is_quiet(before):
        terminal.warn(f"The machine is not quiet: {before['used']:.0%} of its processors are used by others.")
    chosen = _chosen(asked)
    with standing(sizes) as ground:
        run = Run(
            mode=asked.runs.name.lower(),
            date=now(),
            machine=machine(),
            versions=versions(ground),
            peers={},
            durability=durability(ground),
            load=before,
            quiet=is_quiet(before),
        )
        for workload in chosen:
            outcome = _carried_out(workload, ground, terminal)
            run.outcomes.append(outcome)
            run.quiet = not run.noisy and is_quiet(before)
            terminal.outcome(outcome)
        run.peers = ground.peer_versions()
    return run


def _carried_out(workload: Workload, ground: Ground, terminal: Terminal) -> Outcome:
    """What came of it; where it could not even begin, an outcome that says so."""
    try:
        outcome = carry_out(workload, ground, terminal.say)
    except Exception as error:  # noqa: BLE001 - one workload that cannot be carried out must not cost the others
        traceback.print_exc()
        outcome = results.outcome_of(workload, 0, [])
        outcome.failed = True
        outcome.notes = [f"could not be carried out: {type(error).__name__}: {error}"]
    # A failure's text may hold paths of this machine, which are nobody's business.
    outcome.notes = [_PATH.sub("...", note) for note in outcome.notes]
    return outcome


def _chosen(asked: argparse.Namespace) -> list[Workload]:
    if not asked.only:
        return [one for one in WORKLOADS if one.runs <= asked.runs]
    known = {one.name: one for one in WORKLOADS}
    return [known[name] for name in asked.only]


def _write_docs(run: Run, path: Path, terminal: Terminal) -> None:
    page.write(run)
    drawn = [str(PYTHON), "-m", "bench.charts", str(path.resolve()), str(page.CHARTS)]
    if not PYTHON.exists() or subprocess.run(drawn, cwd=CHECKOUT, check=False).returncode:
        terminal.warn("The charts were not drawn: that takes matplotlib, which comes with the peers.")
    terminal.say(f"{page.PAGE.relative_to(CHECKOUT)} written")


def _arguments() -> argparse.Namespace:
    names = [one.name for one in WORKLOADS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.set_defaults(runs=Runs.NORMAL)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="runs", action="store_const", const=Runs.QUICK, help="three minutes, little said")
    size.add_argument("--full", dest="runs", action="store_const", const=Runs.FULL, help="everything")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="NAMES", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help="of every workload")
    parser.add_argument("--scale", type=float, help="how much of each workload's full size")
    parser.add_argument("--sustain", type=float, metavar="MINUTES", help="how long throughput is to be held")
    parser.add_argument("--stored", type=int, metavar="N", help="executions instead of a million")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where the results are kept")
    parser.add_argument("--write-docs", action="store_true", help="put the results into docs/performance.md")
    parser.add_argument("--docs-only", action="store_true", help="only that, from the kept results")
    asked = parser.parse_args()
    if asked.only and (unknown := sorted(set(asked.only) - set(names))):
        parser.error(f"no such workload: {', '.join(unknown)}")
    return asked


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
