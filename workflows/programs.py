"""What a step type compiles a config into: a pure program that runs, or an effectful one that says what to do."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime

from contract.json_values import JSON
from workflows.effects import Effect
from workflows.expressions import Expression, Scope
from workflows.schemas import Schema


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a pure step read (by the text of each reference) and what it yields."""

    read: dict[str, JSON]
    output: JSON


class Program:
    """A step's compiled config. `action_version` is raised where the same comes to something else.

    What is abstract in here mypy minds: as an ABC it would be ten times slower to tell a program's kind.
    """

    effect: Effect
    action_version: str = "1"


class PureProgram(Program):
    """Computes from recorded values only."""

    effect = Effect.PURE

    @abstractmethod
    def run(self, scope: Scope) -> Evaluation:
        """The step's outcome. Raises StepFailed."""


class EffectfulProgram(Program):
    """Says what is to be done; an action of the orchestrator does it."""

    @abstractmethod
    def resolve(self, scope: Scope) -> dict[str, JSON]:
        """The config with every expression replaced by its value and every default filled in. Raises StepFailed."""

    def checked(self, config: dict[str, JSON]) -> dict[str, JSON]:
        """A resolved config that may be carried out, as far as its secrets are in it. Raises StepFailed.

        resolve() has checked what it could: a secret is put in only where the step is carried out.
        """
        return config

    def credentials(self, config: dict[str, JSON]) -> list[str]:  # noqa: ARG002 - of most there are none
        """The literal credentials in a resolved config."""
        return []

    def recorded(self, resolved: dict[str, JSON]) -> dict[str, JSON]:
        """A resolved config as it may be shown and recorded: secrets and credentials as `***`."""
        return resolved


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a wait step waits for, the first of them to come: moments, a signal, an approval.

    `approvers` None lets anybody who may write executions approve.
    """

    fires_at: datetime | None = None
    times_out_at: datetime | None = None
    signal: str | None = None
    approval: bool = False
    approvers: tuple[str, ...] | None = None
    message: str | None = None


class WaitProgram(Program):
    """Holds no worker: a moment, a signal or an approval ends it. `signal` and its payload's schema are fixed."""

    effect = Effect.WAIT
    signal: str | None
    schema: Schema | None

    @abstractmethod
    def resolve(self, scope: Scope, now: datetime) -> Awaited:
        """What is waited for from `now` on. Raises StepFailed."""


class TaskProgram(Program):
    """Holds no worker of ours: an external one of the step's agent claims it and says what came of it."""

    effect = Effect.WAIT

    @abstractmethod
    def resolve(self, scope: Scope) -> dict[str, JSON]:
        """What the worker is given: {task, arguments}. Raises StepFailed."""


class MapProgram(Program):
    """One step for each item of a list that is known only when it begins."""

    effect = Effect.WAIT
    max_parallel: int

    @abstractmethod
    def tolerated(self, items: int) -> int:
        """How many of so many items may fail."""

    @abstractmethod
    def resolve(self, scope: Scope) -> list[JSON]:
        """The items. Raises StepFailed: not_a_list, too_many_items, expression_error."""


class LoopProgram(Program):
    """A body of steps, repeated until a condition holds after a round, at most `max_iterations` times."""

    effect = Effect.WAIT
    until: Expression
    max_iterations: int
