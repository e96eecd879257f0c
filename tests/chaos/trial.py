"""One run: an installation of its own, callers, one fault after the other, the end of all that is live, the audit."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import quote, urlsplit

import httpx
import psycopg

from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.chaos.audit import Evidence, Verdict, audit
from tests.chaos.bell import install
from tests.chaos.faults import KINDS, Fault, Injector
from tests.chaos.ledger import read
from tests.chaos.load import Load
from tests.chaos.shapes import AGAIN, ONCE, Shape, shapes
from tests.chaos.sink import Sink
from tests.chaos.watch import Watch

SETTLE_SECONDS = 60.0
"""How long all that is live may take to end once the faults are over."""
_OF_ITS_OWN = {"DATABASE_URL": "", "REDIS_URL": "", "PUBLIC_URL": "", "ALLOWED_HOSTS": "", "WORKERS": "4"}
_MOST_LIVE = 200

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is done: for how many seconds, from which seed, the seconds between two faults, executions a second.

    The kinds come in rounds, each round every kind once in an order of its own; the first as they are given.
    """

    seconds: float
    seed: int
    gap: tuple[float, float] = (7.0, 9.0)
    rate: float = 5.0
    kinds: Sequence[str] = tuple(KINDS)
    traces: bool = True


def carry_out(trial: Trial, say: Say) -> Verdict:
    """Run it and audit it. Where the verdict is bad, what the nodes kept is left, and `say` tells the folder."""
    folder = Path(tempfile.mkdtemp(prefix="traceway-chaos-"))
    verdict: Verdict | None = None
    try:
        verdict = audit(_evidence(trial, folder, say))
    finally:
        if verdict is not None and verdict.passed():
            shutil.rmtree(folder)
        else:
            say(f"the database and the logs of this run are kept in {folder}")
    return verdict


def _evidence(trial: Trial, folder: Path, say: Say) -> Evidence:
    with Sink() as sink, _running(folder, sink) as nodes, _callers(nodes) as clients:
        url, api = nodes[0].data.database_url(), Api(clients[0])
        workflows = _published(api, shapes(sink.address, traces=trial.traces))
        install(url)
        with Watch(url) as watch:
            rng = Random(f"{trial.seed}:load")
            load = Load(clients, workflows, rng, rate=trial.rate, live=lambda: watch.live, most_live=_MOST_LIVE)
            load.start()
            try:
                faults = list(_faults(trial, Injector(nodes, Random(f"{trial.seed}:faults")), say))
            finally:
                load.stop()
            say("no more faults; waiting for the end of what is live")
            resolved = _settle(api, url, sink)
        records, unverified = read(url), _unverified(nodes[0])
    return Evidence(
        shapes=workflows,
        faults=faults,
        orders=load.orders,
        records=records,
        effects={path: sink.seen(path) for path in (AGAIN, ONCE)},
        overdue=watch.overdue,
        most_live=watch.most_live,
        held_back=load.held_back,
        resolved=resolved,
        unverified=unverified,
    )


def _unverified(node: Stack) -> Sequence[str]:
    """What the product itself finds when it verifies everything that is on record."""
    try:
        node.manage("verify_record", "--all")
    except subprocess.CalledProcessError as error:
        return [*error.stdout.splitlines()] or [str(error)]
    return []


@contextmanager
def _running(folder: Path, sink: Sink) -> Iterator[Sequence[Stack]]:
    """Two nodes of one installation, each kept alive by its own `manage.py up`; the first has the servers."""
    environment = {**_OF_ITS_OWN, "EGRESS_ALLOWED_HOSTS": urlsplit(sink.address).netloc}
    with ExitStack() as ending:
        first = _start(Stack(environment, data_dir=folder / "first"), ending)
        shared = {"DATABASE_URL": first.data.database_url(), "REDIS_URL": first.data.redis_url()}
        shared["SECRET_KEY"] = first.data.secret_key()
        yield first, _start(Stack(environment | shared, data_dir=folder / "second"), ending)


def _start(node: Stack, ending: ExitStack) -> Stack:
    ending.callback(node.stop)
    return node.start()


@contextmanager
def _callers(nodes: Sequence[Stack]) -> Iterator[Sequence[httpx.Client]]:
    """A client of one new tenant for each node."""
    with Api.of_new_tenant(nodes[0], "chaos").client as first, ExitStack() as ending:
        others = [httpx.Client(base_url=node.address, headers=first.headers, timeout=30) for node in nodes[1:]]
        yield [first, *map(ending.enter_context, others)]


def _published(api: Api, made: Sequence[Shape]) -> Mapping[str, Shape]:
    """The shapes by the id of their published workflow."""
    return {api.publish({"name": shape.name, "steps": shape.steps}): shape for shape in made}


def _faults(trial: Trial, injector: Injector, say: Say) -> Iterator[Fault]:
    """Put one fault in after the other until the time is over, the last one a gap before it."""
    rng = Random(f"{trial.seed}:plan")
    began = following = time.monotonic()
    for kind in _rounds(trial.kinds, rng):
        following += rng.uniform(*trial.gap)
        if following > began + trial.seconds - trial.gap[0]:
            break
        time.sleep(max(0.0, following - time.monotonic()))
        fault = injector.inject(kind)
        say(f"{time.monotonic() - began:6.1f} s  {fault.kind}: {fault.what}")
        yield fault
    time.sleep(max(0.0, began + trial.seconds - time.monotonic()))


def _rounds(kinds: Sequence[str], rng: Random) -> Iterator[str]:
    one = list(kinds)
    while True:
        yield from one
        rng.shuffle(one)


def _settle(api: Api, url: str, sink: Sink) -> int:
    """Return once nothing is live, or when the time for that is over; how many outcomes an operator had to resolve.

    Nobody in the stack knows how they came out, but here the sink does.
    """
    resolved: set[tuple[str, str]] = set()
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        with psycopg.connect(url) as connection:
            unknown = {(execution_id, step) for execution_id, step in connection.execute(_UNKNOWN)}
            live = connection.execute(_LIVE).fetchone()
        for execution_id, step in unknown - resolved:
            outcome = "succeeded" if f"{execution_id}:{step}" in sink.seen(ONCE) else "retry"
            told = {"outcome": outcome, "reason": "the sink was looked at"}
            api.post(f"/v1/executions/{execution_id}/steps/{quote(step, safe='')}/resolve", told)
        resolved |= unknown
        if live == (0,):
            break
        time.sleep(0.2)
    return len(resolved)


_LIVE = "SELECT count(*) FROM execution WHERE finished_at IS NULL"

_UNKNOWN = """
SELECT e.id::text, s.name FROM execution e JOIN step s ON s.execution_id = e.id
WHERE e.finished_at IS NULL AND s.status = 'outcome_unknown'"""
