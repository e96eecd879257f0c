"""The workloads, in the order in which they run: what fills the database or stresses the machine comes last."""

from __future__ import annotations

from bench.workload import Workload
from bench.workloads import (
    api,
    chain40,
    cost,
    fib,
    growth,
    many,
    map10000,
    memory,
    million,
    one_step,
    pure40,
    recording,
    recovery,
    scaling,
    start,
    streams,
    sustain,
    traces,
    tuning,
)

# The API first: it opens the most connections, and peers that have begun keep theirs.
WORKLOADS: tuple[Workload, ...] = (
    api.WORKLOAD,
    chain40.WORKLOAD,
    pure40.WORKLOAD,
    one_step.WORKLOAD,
    many.WORKLOAD,
    tuning.WORKLOAD,
    start.WORKLOAD,
    cost.WORKLOAD,
    recording.WORKLOAD,
    growth.WORKLOAD,
    fib.LIGHT,
    fib.HEAVY,
    traces.WORKLOAD,
    map10000.WORKLOAD,
    scaling.WORKLOAD,
    streams.WORKLOAD,
    memory.WORKLOAD,
    recovery.WORKLOAD,
    million.WORKLOAD,
    sustain.WORKLOAD,
)
