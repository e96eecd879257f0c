"""The simulator finds bugs: each of these breaks one rule of the engine, or of what it stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from executions import plan
from executions.change import Change
from executions.states import Intent
from orchestrator import attempts, endings
from orchestrator.engine import Engine
from orchestrator.look import Look
from tests.simulator.session import MemorySession
from tests.simulator.test_simulator import violations
from workflows.effects import Effect
from workflows.spec import StepSpec

SEEDS = range(10_000, 10_150)
"""Worlds in which a mutant has to be found."""

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


def locks_and_guards_do_nothing(patch: pytest.MonkeyPatch) -> None:
    """Whoever comes last overwrites what others wrote since it read."""
    stage = MemorySession.stage

    def unguarded(self: MemorySession, change: Change) -> None:
        now = self._memory.executions[change.before.id].row
        stage(self, replace(change, before=replace(change.before, seq=now.seq)))

    patch.setattr(MemorySession, "stage", unguarded)
    patch.setattr("tests.simulator.memory.Memory.is_free", lambda *_: True)


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


MUTANTS: list[Break] = [
    every_outcome_counts,
    everything_lost_is_repeated,
    any_parent_is_enough,
    joins_wait_for_all,
    locks_and_guards_do_nothing,
    a_pause_stops_nothing,
    everybody_is_admitted,
    what_was_done_first_is_undone_first,
    nothing_is_undone,
    a_lost_answer_is_a_lost_commit,
    a_counter_is_not_kept,
]


@pytest.mark.parametrize("broken", MUTANTS, ids=lambda broken: broken.__name__)
def test_a_broken_rule_is_found_by_some_seed(broken: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    assert next(violations(SEEDS), None) is not None
