"""What a step type compiles a config into: a pure program that runs, or an effectful one that says what to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from contract.json_values import JSON
from workflows.effects import Effect
from workflows.expressions import Scope


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a pure step read (by the text of each reference) and what it yields."""

    read: dict[str, JSON]
    output: JSON


class Program(ABC):
    """A step's compiled config."""

    effect: Effect


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

    def recorded(self, resolved: dict[str, JSON]) -> dict[str, JSON]:
        """A resolved config as it may be shown and recorded: secrets and credentials as `***`."""
        return resolved
