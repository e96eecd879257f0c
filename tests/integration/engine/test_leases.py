"""A beat tells its process which of its attempts are to end early."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event as Flag
from uuid import UUID

import pytest
from django.utils import timezone

from executions.models import Attempt, Execution
from orchestrator.held import Held
from orchestrator.leases import Lease
from orchestrator.outcomes import Claim
from tenants.models import Tenant
from tests.integration.engine.world import World, database_url, noop, published, submitted


@pytest.fixture
def world(alice: Tenant) -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture
def claim(alice: Tenant, world: World) -> Claim:
    submitted(alice, published(alice, [noop("a")]))
    claim = world.engine._take(float("inf"))
    assert claim is not None
    return claim


def beaten(world: World, claim: Claim) -> tuple[Held, bool]:
    """What the process knows after one beat, and whether it was interrupted."""
    held, interrupted = Held(), Flag()
    held.add(claim.fence)
    lease = Lease(database_url(), world.carrier, held, interrupted.set)
    lease.start()
    lease.end()
    return held, interrupted.is_set()


def test_an_attempt_that_goes_on_is_left_alone(world: World, claim: Claim) -> None:
    held, interrupted = beaten(world, claim)
    assert (held.is_cancelled(claim.fence), interrupted) == (False, False)


@pytest.mark.parametrize("intent", ["cancel", "fail"])
def test_an_attempt_of_an_execution_that_ends_early_is_told(world: World, claim: Claim, intent: str) -> None:
    Execution.objects.filter(id=UUID(str(claim.execution_id))).update(intent=intent)

    held, interrupted = beaten(world, claim)

    assert held.is_cancelled(claim.fence)
    assert not held.is_closed(claim.fence)
    assert not interrupted


def test_an_attempt_that_was_closed_is_interrupted(world: World, claim: Claim) -> None:
    Attempt.objects.update(status="cancelled", finished_at=timezone.now())

    held, interrupted = beaten(world, claim)

    assert held.is_closed(claim.fence)
    assert interrupted
