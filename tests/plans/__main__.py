"""`python -m tests.plans [--executions N] [--all]`: exit status 0 only if nothing reads too much."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from rich.console import Console
from rich.table import Table

from config.stack.data_dir import DataDir
from config.stack.servers import Servers


def main() -> int:
    """Fills, asks, tells, and returns the exit status."""
    asked = _arguments()
    data = DataDir(Path(tempfile.mkdtemp(prefix="traceway-plans-")))
    servers = Servers(data, postgres=True, valkey=True, pause=time.sleep, say=lambda _: None)
    try:
        servers.start()
        os.environ |= {"TRACEWAY_DATA_DIR": str(data.root), "DATABASE_URL": data.database_url()}
        os.environ |= {"REDIS_URL": data.redis_url(), "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "ERROR"}
        django.setup()
        call_command("migrate", verbosity=0)
        return _tell(asked.executions, asked.all)
    finally:
        servers.stop()
        shutil.rmtree(data.root)


def _tell(count: int, everything: bool) -> int:
    console = Console(width=180)
    # These import models, which Django has to be ready for.
    filling, asking = import_module("bench.filling"), import_module("tests.plans.asking")
    working = import_module("tests.plans.working")
    registry = import_module("tenants.registry")
    import_module("django.test.utils").setup_test_environment()
    began = time.monotonic()
    filled = filling.fill(count, records=True)
    console.print(f"{count:,} executions in {time.monotonic() - began:.0f} s")
    keys = {one.slug: registry.create_key(one, "plans", ["*"])[1] for one in (filled.large, filled.small)}
    table = Table("page", "buffers", "ms", "indexes", "read whole")
    wrong = 0
    for asked in asking.questions(filled):
        cost = asking.ask(keys[asked.tenant.slug], asked)
        bad = asked.most is not None and (cost.buffers > asked.most or bool(cost.scanned))
        wrong += bad
        if bad or everything:
            named = (", ".join(names) for names in (cost.indexes, cost.scanned))
            row = (asked.named, f"{cost.buffers:,}", f"{cost.milliseconds:.1f}", *named)
            table.add_row(*row, style="red" if bad else None)
    console.print(table)
    console.print(f"{wrong} pages cost too much")
    return 1 if wrong + _tell_of_work(console, working.work(filled, keys["large"]), everything) else 0


def _tell_of_work(console: Console, done: Iterable[Any], everything: bool) -> int:
    """How much of what goes on by itself reads too many rows."""
    table = Table("what goes on by itself", "rows read")
    wrong = 0
    for worked in done:
        wrong += worked.too_many
        if worked.too_many or everything:
            told = ", ".join(f"{name} {rows:,}" for name, rows in sorted(worked.rows.items()))
            table.add_row(worked.named, told, style="red" if worked.too_many else None)
    console.print(table)
    console.print(f"{wrong} read too many rows")
    return wrong


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.plans", description=__doc__)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--all", action="store_true", help="tell of everything, not only of what costs too much")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
