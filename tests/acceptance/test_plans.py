"""`python -m tests.plans` with fewer executions than it takes by itself: lists and background work read by an index."""

from __future__ import annotations

import subprocess
import sys

from config.stack.data_dir import CHECKOUT

EXECUTIONS = 30_000


def test_no_list_and_nothing_in_the_background_reads_what_is_stored_as_a_whole() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.plans", "--executions", str(EXECUTIONS)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "30,000 executions" in done.stdout
    assert "0 pages cost too much" in done.stdout
    assert "0 read too many rows" in done.stdout
