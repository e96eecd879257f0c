"""`python -m bench.fill N`: N executions with all that is recorded of them, by COPY, into the database of the settings.

They are copies of real ones, in number and size of rows as the engine left them.
"""

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
    stored = import_module("bench.filling").fill(asked.executions, records=True).stored
    sizes = ", ".join(f"{name} {rows:,} ({size / 2**20:,.0f} MB)" for name, (rows, size) in stored.items())
    sys.stdout.write(
        f"{asked.executions:,} executions stored by COPY in {time.monotonic() - began:.0f} s; rows of each table, with "
        f"their indexes: {sizes}.\n"
    )
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
