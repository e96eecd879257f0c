"""`python -m tests.chaos [--minutes N] [--seed N] [--json FILE]`: exit status 0 only if nothing was found wrong."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from pathlib import Path
from types import FrameType

from config.stack.child import StackError
from tests.chaos.report import Report, save
from tests.chaos.trial import Trial, carry_out

INTERRUPTED = 130


def main() -> int:
    """Runs it, says how it went, and returns the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    asked = _arguments()
    report = Report()
    report.say(f"{asked.minutes:g} minutes of faults, seed {asked.seed}")
    try:
        verdict = carry_out(Trial(seconds=asked.minutes * 60, seed=asked.seed), report.say)
    except (StackError, LookupError) as error:
        report.say(f"the run could not be made: {error}")
        return 1
    except KeyboardInterrupt:
        report.say("interrupted")
        return INTERRUPTED
    report.tell(verdict)
    if asked.json is not None:
        save(verdict, asked.json, minutes=asked.minutes, seed=asked.seed)
    return 0 if verdict.passed() else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
