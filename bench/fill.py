"""`python -m bench.fill N`: N executions, each with its step, attempt and events, into the database of the settings."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from importlib import import_module

import django

from config.stack.data_dir import CHECKOUT
from config.stack.running import Stack


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fill", description=__doc__)
    parser.add_argument("executions", type=int)
    asked = parser.parse_args()
    django.setup()
    began = time.monotonic()
    # It imports models, which Django has to be ready for.
    import_module("bench.filling").fill(asked.executions, records=True)
    sys.stdout.write(f"{asked.executions:,} executions stored in {time.monotonic() - began:.0f} s.\n")
    return 0


def filled(stack: Stack, executions: int) -> str:
    """The same in a process of its own, on the stack's database; what it said."""
    environment = {**stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "-m", "bench.fill", str(executions)],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=1800,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
