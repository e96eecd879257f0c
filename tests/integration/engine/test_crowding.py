"""How many workers carry out one execution: several where its steps take long, one where they are short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf

import pytest

from orchestrator import crowding
from orchestrator.crowding import AVOID_SECONDS, SHORT_SECONDS
from orchestrator.outcomes import Claim, Succeeded
from tenants.models import Tenant
from tests.integration.engine.world import World, ended, noop, published, submitted

LEAVES = [f"leaf{n}" for n in range(6)]
FAN = [noop("first"), *(noop(leaf, "first") for leaf in LEAVES)]


@dataclass
class Two:
    """A worker in whose first leaf another worker comes to the same execution, and takes the next leaf into hand."""

    mine: list[str] = field(default_factory=list)
    others: Claim | None = None
    meanwhile: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.world, self.other = World(carry_out=self._carry), World()

    def _carry(self, claim: Claim) -> Succeeded:
        self.mine.append(claim.step.name)
        if len(self.mine) == 2:
            self.others = self.other.engine._take(inf)
            self.meanwhile()
        return Succeeded("{}")

    def end(self, until: float) -> None:
        """What the other has in hand ends, and it goes on until then."""
        while self.others is not None:
            outcome = self.other.engine._carried_out(self.others)
            self.others = self.other.engine._record(self.others, outcome, until)


@pytest.fixture
def two() -> Iterator[Two]:
    made = Two()
    with made.world, made.other:
        yield made


@pytest.fixture
def _steps_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "SHORT_SECONDS", 0.0)


@pytest.fixture
def _steps_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine."""
    monkeypatch.setattr(crowding, "SHORT_SECONDS", 600.0)
    monkeypatch.setattr(crowding, "AVOID_SECONDS", 600.0)


@pytest.mark.usefixtures("_steps_are_short")
def test_of_two_workers_at_short_steps_one_leaves_and_the_other_carries_out_the_rest(alice: Tenant, two: Two) -> None:
    execution = submitted(alice, published(alice, FAN))
    two.world.drain()
    assert two.mine == ["first", "leaf0"]

    two.end(inf)

    assert ended(execution) == ("workflow_succeeded", None)
    assert list(execution.attempts.values_list("status", flat=True)) == ["succeeded"] * len(FAN)


@pytest.mark.usefixtures("_steps_are_short")
def test_who_left_takes_something_else_that_is_due(alice: Tenant, two: Two) -> None:
    elsewhere = published(alice, [noop("elsewhere")])
    two.meanwhile = lambda: submitted(alice, elsewhere)
    submitted(alice, published(alice, FAN))
    two.world.drain()
    assert two.mine == ["first", "leaf0", "elsewhere"]


@pytest.mark.usefixtures("_steps_are_long")
def test_at_long_steps_both_stay(alice: Tenant, two: Two) -> None:
    submitted(alice, published(alice, FAN))
    two.world.drain()
    assert two.mine == ["first", "leaf0", *LEAVES[2:]]


@pytest.mark.usefixtures("_steps_are_short")
def test_nobody_leaves_what_nobody_else_is_at_any_more(alice: Tenant, two: Two) -> None:
    execution = submitted(alice, published(alice, FAN))
    two.meanwhile = lambda: two.end(0.0)
    two.world.drain()
    assert two.mine == ["first", "leaf0", *LEAVES[2:]]
    assert ended(execution) == ("workflow_succeeded", None)


@pytest.mark.usefixtures("_steps_are_short")
def test_what_was_left_is_taken_again_after_a_while(alice: Tenant, two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowding, "AVOID_SECONDS", 0.0)
    submitted(alice, published(alice, FAN))
    two.world.drain()
    assert two.mine == ["first", "leaf0", *LEAVES[2:]]


@pytest.mark.usefixtures("_steps_are_short")
def test_a_call_for_what_is_avoided_is_made_again_once_it_is_not(alice: Tenant, two: Two) -> None:
    submitted(alice, published(alice, FAN))
    two.world.drain()
    two.world.announced.clear()
    assert two.world.drain() == 0
    assert two.world.announced == [AVOID_SECONDS]


@pytest.mark.usefixtures("_steps_are_short")
def test_short_steps_that_wait_for_the_one_that_goes_on_are_announced_a_little_later(alice: Tenant) -> None:
    told: list[list[float]] = []

    def carry(_claim: Claim) -> Succeeded:
        told.append(world.announced.copy())
        return Succeeded("{}")

    with World(carry_out=carry) as world:
        submitted(alice, published(alice, FAN))
        world.drain()
    assert told[1:3] == [[SHORT_SECONDS], [SHORT_SECONDS] * 2]
    # Nothing is left for others while the last of them is carried out.
    assert told[-1] == told[-2]


@pytest.mark.usefixtures("_steps_are_long")
def test_long_steps_are_announced_at_once(alice: Tenant, world: World) -> None:
    submitted(alice, published(alice, FAN))
    world.drain()
    assert world.announced
    assert set(world.announced) == {0.0}
