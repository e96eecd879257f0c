"""The simulator finds bugs: each of these breaks one rule of the engine, or of what it stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from executions import plan
from executions.states import Intent
from orchestrator import agents, arriving, attempts, cancelling, endings
from orchestrator.engine import Engine
from orchestrator.look import Look
from tests.simulator.session import MemorySession
from tests.simulator.test_simulator import violations
from workflows.effects import Effect
from workflows.spec import StepSpec

SEEDS = range(10_000, 10_100)
"""The worlds in one of which a mutant has to be found."""

Break = Callable[[pytest.MonkeyPatch], None]


def every_outcome_counts(patch: pytest.MonkeyPatch) -> None:
    """No fence: the outcome of an attempt that was given up is recorded."""

    def current(look: Look, index: int, number: int, status: Any) -> bool:
        return look.row(index).state.status is status

    patch.setattr(attempts, "is_current", current)


def everything_lost_is_repeated(patch: pytest.MonkeyPatch) -> None:
    lose = attempts.lose
    patch.setattr(attempts, "lose", lambda look, index, number, _effect: lose(look, index, number, Effect.IDEMPOTENT))


def any_parent_is_enough(patch: pytest.MonkeyPatch) -> None:
    ready = plan.is_ready

    def hasty(step: StepSpec, state: plan.StepState) -> bool:
        return ready(replace(step, join=1) if step.parents else step, state)

    patch.setattr(plan, "is_ready", hasty)


def joins_wait_for_all(patch: pytest.MonkeyPatch) -> None:
    ready = plan.is_ready
    patch.setattr(plan, "is_ready", lambda step, state: ready(replace(step, join=None), state))


def a_pause_stops_nothing(patch: pytest.MonkeyPatch) -> None:
    def running(self: Any) -> bool:
        return bool(self.alive and self.standing.intent in {Intent.RUN, Intent.PAUSE} and not self.blocked)

    patch.setattr("executions.draft.Draft.running", property(running))


def everybody_is_admitted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemorySession, "admitted", lambda *_: True)


def what_was_done_first_is_undone_first(patch: pytest.MonkeyPatch) -> None:
    def first(self: MemorySession, execution_id: Any, indexes: Any) -> int | None:
        found = [index for index in indexes if to_compensate(self, execution_id, [index]) is not None]
        return min(found, default=None)

    to_compensate = MemorySession.to_compensate
    patch.setattr(MemorySession, "to_compensate", first)


def nothing_is_undone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(endings, "compensate_next", lambda _look: False)


def a_lost_answer_is_a_lost_commit(patch: pytest.MonkeyPatch) -> None:
    """After an uncertain commit the outcome is simply recorded again, and nothing is handed back."""
    patch.setattr(Engine, "_reconcile", lambda _self, claim: claim is not None)


def a_counter_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("executions.plan._Draft._leave", lambda *_: None)


def what_is_tried_again_goes_on_with_its_parts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(attempts, "_begin_parts_anew", lambda _look, _index: True)


def an_operator_ends_parts_of_what_is_not_at_work(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(arriving, "_is_idle_part", lambda _look, _index: False)


def children_go_on_without_their_parent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cancelling, "tell_child", lambda *_: None)


def a_task_outlives_its_attempt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("executions.draft.TaskProgram", int)


def nobody_minds_a_silent_worker(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agents, "lose", lambda *_: None)


MUTANTS: list[tuple[Break, tuple[str, ...]]] = [
    (every_outcome_counts, ("one", "diamond")),
    (everything_lost_is_repeated, ("one once", "chain")),
    (any_parent_is_enough, ("diamond", "two of three")),
    (joins_wait_for_all, ("two of three", "any of waits")),
    (a_pause_stops_nothing, ("one", "chain")),
    (everybody_is_admitted, ("in line", "in line twice")),
    (what_was_done_first_is_undone_first, ("saga", "wide saga")),
    (nothing_is_undone, ("saga", "any saga")),
    (a_lost_answer_is_a_lost_commit, ("one", "chain")),
    (a_counter_is_not_kept, ("chain",)),
    (what_is_tried_again_goes_on_with_its_parts, ("map in haste", "loop in haste")),
    (an_operator_ends_parts_of_what_is_not_at_work, ("map in haste", "loop in haste")),
    (children_go_on_without_their_parent, ("parents of two", "children in haste")),
    (a_task_outlives_its_attempt, ("agents", "any agent")),
    (nobody_minds_a_silent_worker, ("agents", "map of agents")),
]
"""What is broken, and the definitions at which it shows."""


@pytest.mark.parametrize(("broken", "names"), MUTANTS, ids=[broken.__name__ for broken, _ in MUTANTS])
def test_a_broken_rule_is_found_by_some_seed(
    broken: Break, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    assert next(violations(SEEDS, names), None) is not None


def test_what_is_not_broken_is_not_found() -> None:
    names = tuple(sorted({name for _, shown in MUTANTS for name in shown}))
    assert next(violations(SEEDS[:20], names), None) is None
