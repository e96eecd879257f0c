"""The front door alone, on a database where nobody carries anything out: requests a second, and how long each takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from bench.calling import Called, call
from bench.contestants.bare import NAME as BARE
from bench.contestants.bare import RECORDS as BARE_RECORDS
from bench.contestants.bare import bare_view
from bench.contestants.traceway import created
from bench.definitions import chain
from bench.figures import Figure, Goal, more
from bench.ground import Ground
from bench.workload import Field, Workload

REQUESTS = 800
CONNECTIONS = (1, 16, 64)
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def _figures_of(kind: str, connections: int, called: Called) -> dict[str, float]:
    found = {f"{kind} {name} at {connections}": called.milliseconds(share) for name, share in SHARES.items()}
    return {f"{kind} at {connections}": called.rate, **found}


@contextmanager
def _enter(ground: Ground) -> Iterator[Field]:
    count = ground.sizes.of(REQUESTS, 64)
    with ground.door("door") as node, bare_view(ground) as bare:
        workflow = node.publish(chain("one-step", 1))
        known = created(node.post_many(workflow, 1, 1).bodies[0])
        creation, reading = node.creation(workflow), node.request("GET", f"/v1/executions/{known}")

        def of(kind: str, address: str, sent: bytes) -> dict[str, float]:
            found: dict[str, float] = {}
            for connections in CONNECTIONS:
                # One connection takes as long as the others together, and a fifth of it says as much.
                asked = count // 5 if connections == 1 else count
                found |= _figures_of(kind, connections, call(address, lambda _: sent, asked, connections))
            return found

        made = Field()
        address = node.stack.address
        made.product(lambda: of("POST", address, creation) | of("GET", address, reading))
        made.floor(
            BARE,
            BARE_RECORDS,
            lambda: of("POST", bare.address, bare.post(orjson.loads(creation.partition(b"\r\n\r\n")[2]))),
        )
        yield made


def _figures() -> Iterator[Figure]:
    for kind, words in (("POST", "POST /v1/executions"), ("GET", "GET /v1/executions/{id}")):
        for connections in CONNECTIONS:
            at = f"{connections} connection{'s' if connections > 1 else ''}"
            yield Figure(f"{kind} at {connections}", f"{words}, {at}", "/s", more_is_better=True)
            for name in SHARES:
                yield Figure(f"{kind} {name} at {connections}", f"{words}, {at}, {name}", "ms")


WORKLOAD = Workload(
    "api",
    "The API",
    "Web processes alone: the same gunicorn configuration serves both, each on a database where no worker runs.",
    tuple(_figures()),
    _enter,
    goals=(
        Goal("POST /v1/executions requests/s against a bare DRF view", more("POST at 16", BARE), 0.6, at_least=True),
    ),
)
