"""What each process holds after the work that came before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from bench.figures import Figure, Sheet
from bench.ground import Ground
from bench.workload import Field, Workload

MEGABYTE = 1024 * 1024
KINDS = {"gunicorn": "web", "celery": "worker", "sweep": "sweeper", "valkey-server": "Valkey"}


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    sheet = Sheet("Memory of each process", ["process", "proportional set, MB", "resident, MB"])

    def turn() -> dict[str, float]:
        held = [(_named(one), *_megabytes(one)) for one in ground.stack.processes()]
        rows = [(name, share, resident) for name, share, resident in held if resident]
        sheet.rows[:] = [[name, f"{share:.0f}", f"{resident:.0f}"] for name, share, resident in _grouped(rows)]
        for name, pid in ground.peer_pids().items():
            share, resident = map(sum, zip(*map(_megabytes, _tree(pid)), strict=True))
            sheet.rows.append([f"peer: {name}, all its processes", f"{share:.0f}", f"{resident:.0f}"])
        return {"all": sum(share for _, share, _ in rows)}

    made = Field(sheets=[sheet])
    made.product(turn)
    yield made


def _named(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        words = " ".join(process.cmdline())
        return next((name for word, name in KINDS.items() if word in words), "PostgreSQL")
    return "ended"


def _megabytes(process: psutil.Process) -> tuple[float, float]:
    """What it holds, shared pages divided among those that share them; and all that it has in memory."""
    with suppress(psutil.Error):
        held = process.memory_full_info()
        return held.pss / MEGABYTE, held.rss / MEGABYTE
    return 0.0, 0.0


def _grouped(rows: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """PostgreSQL's processes as one; of the others each, the largest first."""
    postgres = [row for row in rows if row[0] == "PostgreSQL"]
    others = sorted((row for row in rows if row[0] != "PostgreSQL"), key=lambda row: (row[0], -row[1]))
    whole = (f"PostgreSQL, {len(postgres)} processes", sum(row[1] for row in postgres), sum(row[2] for row in postgres))
    return [*others, whole]


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


WORKLOAD = Workload(
    "memory",
    "Memory",
    "After the workloads before it. Proportional: pages that several processes share count in parts.",
    (Figure("all", "the whole stack, servers included, proportional", "MB"),),
    _enter,
    rounds=1,
    warm_ups=0,
)
