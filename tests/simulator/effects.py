"""What carrying out comes to: a sink that counts effects by their keys, children, and outcomes from the seed."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from contract import json_values
from executions.change import Asked
from executions.retry import Failure
from executions.states import Intent, StepStatus
from orchestrator.outcomes import Claim, Failed, Handed, Succeeded
from tests.simulator.history import require
from workflows.effects import Effect

if TYPE_CHECKING:
    from tests.simulator.worker import Worker
    from tests.simulator.world import World

Key = tuple[UUID, int, int]
"""Execution, step and generation: what an `Idempotency-Key` is made of."""

_FAILURES = [
    Failure("flaky", "it did not work"),
    Failure("busy", "come back later", retry_after=3.0),
    Failure("refused", "never", retryable=False),
    Failure("output_too_large", "it was too large", retryable=False),
    Failure("odd", "only on request", on_request=True),
]
_AMBIGUOUS = Failure("timeout", "nobody answered", ambiguous=True)


@dataclass
class Effects:
    """`seen` counts what took effect; `allowed` how often more than once that may be, because a person said so."""

    world: World
    random: random.Random
    seen: Counter[Key] = field(default_factory=Counter)
    allowed: Counter[Key] = field(default_factory=Counter)

    def carry_out(self, worker: Worker, claim: Claim) -> Succeeded | Failed | Handed:
        worker.at("carry out")
        chance = self.random.random()
        if claim.step.type == "workflow":
            return self._start_child(worker, claim, chance)
        if chance < 0.2:
            failed = Failed(self.random.choice(_FAILURES))
        elif chance < 0.27:
            failed = Failed(_AMBIGUOUS)
        else:
            failed = None
        if failed is None or (failed.failure.ambiguous and chance < 0.235):
            self._take_effect(claim)
        worker.at("carried out")
        return failed or Succeeded(json_values.dump(claim.config["arguments"]))

    def _take_effect(self, claim: Claim) -> None:
        key = (claim.execution_id, claim.step.index, claim.generation)
        self.seen[key] += 1
        if claim.step.effect is Effect.AT_MOST_ONCE:
            most = 1 + self.allowed[key]
            require(self.seen[key] <= most, f"the effect of {claim.step.name} came about {self.seen[key]} times")

    def _start_child(self, worker: Worker, claim: Claim, chance: float) -> Failed | Handed:
        """As executions/children.start_child: one child a turn, and none for a step that runs no more."""
        memory = self.world.memory
        turn = (claim.execution_id, claim.step.index, f"{claim.generation}.{claim.failures}")
        if turn not in memory.turns:
            worker.until(lambda: memory.is_free(claim.execution_id))
            if chance < 0.1 or not self._is_open(claim):
                return Failed(Failure("child_refused", "it may not be run", retryable=False))
        if turn not in memory.turns:
            given = json_values.dump(claim.config["input"])
            asked = Asked(given, parent_id=claim.execution_id, parent_step=claim.step.index)
            memory.turns[turn] = self.world.create(claim.config["workflow_id"], asked)
        worker.at("carried out")
        return Handed(memory.turns[turn])

    def _is_open(self, claim: Claim) -> bool:
        parent = self.world.memory.executions[claim.execution_id]
        goes_on = parent.standing.intent in {Intent.RUN, Intent.PAUSE}
        return goes_on and parent.steps[claim.step.index].state.status is StepStatus.RUNNING
