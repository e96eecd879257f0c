"""The benchmark measures a real stack: one workload of the smallest size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench import results
from bench.figures import OURS, Kind
from config.stack.data_dir import CHECKOUT


def test_a_tiny_run_measures_this_product_and_the_floor(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--quick", "--rounds", "1", "--scale", "0.01", "--only", "one_step"]

    done = subprocess.run(
        [*command, "--json", str(target)], cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=300
    )

    assert done.returncode in {0, 1}, done.stderr
    [outcome] = results.load(target).outcomes
    measured = {one.contestant: one for one in outcome.measured}
    assert len(measured[OURS].samples) == 1
    assert measured[OURS].median > 0
    assert any(one.kind is Kind.FLOOR for one in measured.values())
    assert "Goals" in done.stdout
