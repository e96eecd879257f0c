"""What a step costs in statements, round trips and commits: pinned, for it is what makes the engine fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.pq import PipelineStatus

from contract import clock
from executions import postgres_store
from executions.models import Execution
from tenants.models import Tenant
from tests.integration.engine.world import World, noop, published, submitted, transform


@pytest.fixture(autouse=True)
def _clocks_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the machine stands still: what is counted here is what a step costs while it does not."""
    monkeypatch.setattr(clock, "KNOWN_SECONDS", 600.0)


class Meter:
    """Counts what goes over the engine's connection."""

    def __init__(self) -> None:
        self.statements: Counter[str] = Counter()
        self.round_trips = 0
        self.lone = 0

    @property
    def commits(self) -> int:
        return self.statements["COMMIT"] + self.lone


@contextmanager
def metered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meter]:
    """Statements count where psycopg is given them, round trips where a fetch waits or a pipeline is left.

    A change that is sent outside of a pipeline is a round trip and a transaction of its own.
    """
    meter = Meter()
    execute, fetchone, fetchall = psycopg.Cursor.execute, psycopg.Cursor.fetchone, psycopg.Cursor.fetchall
    leave = psycopg.Pipeline.__exit__

    def counting(cursor, query, *arguments, **named):  # type: ignore[no-untyped-def]
        meter.statements[str(query).split()[0]] += 1
        if cursor.connection.pgconn.pipeline_status == PipelineStatus.OFF:
            meter.round_trips += 1
            meter.lone += "UPDATE" in str(query)
        return execute(cursor, query, *arguments, **named)

    def waiting(fetch: Callable[..., Any]) -> Callable[..., Any]:
        def counted(cursor: Any) -> Any:
            meter.round_trips += cursor._results == []
            return fetch(cursor)

        return counted

    def leaving(pipeline, *error):  # type: ignore[no-untyped-def]
        meter.round_trips += 1
        return leave(pipeline, *error)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", counting)
        patch.setattr(psycopg.Cursor, "fetchone", waiting(fetchone))
        patch.setattr(psycopg.Cursor, "fetchall", waiting(fetchall))
        patch.setattr(psycopg.Pipeline, "__exit__", leaving)
        yield meter


def chain_of(count: int) -> list[dict[str, object]]:
    return [noop(f"s{i}", *([f"s{i - 1}"] if i else [])) for i in range(count)]


def warm(alice: Tenant, world: World, steps: list[dict[str, object]]) -> str:
    """A published workflow of which this engine has carried out one execution already."""
    workflow = published(alice, steps)
    submitted(alice, workflow)
    world.drain()
    return workflow


def test_a_chain_of_effectful_steps_costs_one_commit_a_step(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(alice, warm(alice, world, chain_of(20)))

    with metered(monkeypatch) as meter:
        assert world.drain() == 20

    # One commit takes the execution and claims its first step, one records each step; the last look finds nothing.
    assert meter.commits == 1 + 20


def test_a_step_of_a_chain_costs_one_statement_in_one_round_trip(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = warm(alice, world, chain_of(30))

    def cost_of(steps: int) -> Meter:
        submitted(alice, workflow if steps == 30 else warm(alice, world, chain_of(steps)))
        with metered(monkeypatch) as meter:
            assert world.drain() == steps
        return meter

    long, short = cost_of(30), cost_of(10)
    assert long.statements.total() - short.statements.total() == 20
    assert long.round_trips - short.round_trips == 20


def test_forty_pure_steps_cost_one_commit(alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [transform("s0", 0)]
    steps += [transform(f"s{i}", f"${{{{ steps.s{i - 1}.output + 1 }}}}", f"s{i - 1}") for i in range(1, 40)]
    execution = submitted(alice, warm(alice, world, steps))

    with metered(monkeypatch) as meter:
        world.drain()

    assert meter.commits == 1
    execution.refresh_from_db()
    assert execution.output == '{"s39":39}'


def test_one_step_executions_cost_one_commit_and_five_statements_each_beside_their_creation(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = warm(alice, world, [noop("only")])
    for _ in range(10):
        submitted(alice, workflow)

    with metered(monkeypatch) as meter:
        assert world.drain() == 10

    assert meter.commits == 1 + 10
    # BEGIN, the end of one, the next taken, its step claimed, COMMIT: none before the first, none after the last.
    assert meter.statements.total() == 5 * (10 + 1) - 2
    assert meter.round_trips == 2 * (10 + 1)
    assert not Execution.objects.exclude(status="workflow_succeeded").exists()


def test_the_work_of_a_step_does_not_grow_with_the_steps_of_its_execution(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def per_step(width: int) -> float:
        fan = [
            noop("first"),
            *(noop(f"m{i}", "first") for i in range(width)),
            noop("last", *(f"m{i}" for i in range(width))),
        ]
        submitted(alice, warm(alice, world, fan))
        with metered(monkeypatch) as meter:
            assert world.drain(60) == width + 2
        return meter.statements.total() / (width + 2)

    assert per_step(200) <= per_step(20) * 1.1


def test_a_look_that_finds_nothing_forgets_no_prepared_statement(alice: Tenant, world: World) -> None:
    submitted(alice, published(alice, [noop("only")]))
    world.drain()
    before = prepared(world)
    world.drain()
    assert prepared(world) >= before > 1


def prepared(world: World) -> int:
    assert isinstance(world.engine.store, postgres_store.PostgresStore)
    statement = "SELECT count(*) AS found FROM pg_prepared_statements"
    return int(world.engine.store._connect().execute(statement, prepare=False).fetchall()[0]["found"])


def test_a_step_of_many_that_are_ready_costs_little_more_than_one_of_a_chain(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the steps that are due can touch is loaded for many of them at once, without a lock."""

    def after(layer: int, at: int) -> list[str]:
        return [f"s{layer - 1}_{at}", f"s{layer - 1}_{(at + 1) % 80}"] if layer else []

    layers = [noop(f"s{layer}_{at}", *after(layer, at)) for layer in range(5) for at in range(80)]
    submitted(alice, warm(alice, world, layers))

    with metered(monkeypatch) as meter:
        assert world.drain() == 400

    assert meter.commits == 1 + 400
    assert meter.statements.total() < 1.2 * 400
    assert meter.round_trips < 1.2 * 400
