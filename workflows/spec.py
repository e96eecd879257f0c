"""A checked definition as the engine uses it: frozen, indexed, every expression compiled.

Made by definition.parse_definition and by nothing else. What a definition may say stands there, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contract.json_values import JSON
from workflows.effects import Effect
from workflows.expressions import Expression, Reference, Scope
from workflows.failures import StepFailed
from workflows.programs import EffectfulProgram, Evaluation, Program, PureProgram
from workflows.schemas import Schema
from workflows.templating import Template

__all__ = [
    "Effect",
    "EffectfulProgram",
    "Evaluation",
    "OnFailure",
    "Price",
    "Program",
    "PureProgram",
    "Refund",
    "RetryPolicy",
    "Runnable",
    "Spec",
    "StepFailed",
    "StepSpec",
    "Visibility",
]


class OnFailure(StrEnum):
    """What a failed step does to the execution; HANDLE starts the step in StepSpec.handler."""

    FAIL = "fail"
    CONTINUE = "continue"
    HANDLE = "handle"


class Visibility(StrEnum):
    PRIVATE = "private"
    PUBLIC_EXECUTE = "public_execute"


class Refund(StrEnum):
    ON_FAILURE = "on_failure"
    NEVER = "never"
    PER_STEP = "per_step"


@dataclass(frozen=True, slots=True)
class Price:
    """`amount` in minor units of `currency` (ISO 4217)."""

    amount: int
    currency: str
    refund: Refund = Refund.ON_FAILURE


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`on`: the kinds of failure that are retried, None for all of them."""

    max_attempts: int = 1
    backoff: str = "exponential"
    initial_seconds: float = 1.0
    max_seconds: float = 60.0
    jitter: bool = True
    on: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step. Steps are named by index; `action` is the written action, a tool_call's tool, or else the type.

    A step with `handles` is the handler of those steps: it has no parents and is no root. `references_by_field` is by
    JSON Pointer into the step as written (/when, /config/url, /parameters/x); `reads` are the steps they name.
    """

    index: int
    name: str
    type: str
    action: str
    agent_id: str | None
    depends_on: tuple[str, ...]
    parents: tuple[int, ...]
    children: tuple[int, ...]
    handles: tuple[int, ...]
    on_failure: OnFailure
    handler: int | None
    effect: Effect
    retry: RetryPolicy
    timeout_seconds: float
    when: Expression | None
    program: Program
    references_by_field: Mapping[str, tuple[Reference, ...]]
    reads: tuple[int, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every reference of the step's expressions, once."""
        found = self.references_by_field.values()
        return tuple(dict.fromkeys(reference for references in found for reference in references))

    @property
    def is_root(self) -> bool:
        return not self.parents and not self.handles

    @property
    def reads_input(self) -> bool:
        return any(reference.root == "input" for reference in self.references)

    def condition_holds(self, scope: Scope) -> bool:
        """Whether `when` lets the step run. Raises StepFailed if it errors or is no boolean."""
        return self.when is None or self.when.holds(scope)


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole definition: `sinks` are the steps nobody depends on, `waves` the topological layers, `raw` as written."""

    name: str
    description: str
    version: str
    steps: tuple[StepSpec, ...]
    by_name: Mapping[str, int]
    waves: tuple[tuple[int, ...], ...]
    sinks: tuple[int, ...]
    input_schema: Schema | None
    output: Template | None
    price: Price | None
    timeout_seconds: float | None
    visibility: Visibility
    raw: JSON = field(repr=False)

    def reads_parameter(self, name: str) -> bool:
        """Whether any expression reads `parameters.<name>`, or `parameters` as a whole."""
        return any(
            reference.root == "parameters" and (not reference.path or reference.path[0] == name)
            for reference in self._references()
        )

    def _references(self) -> list[Reference]:
        own = [] if self.output is None else [r for found in self.output.references.values() for r in found]
        return [reference for step in self.steps for reference in step.references] + own


@dataclass(frozen=True, slots=True)
class Runnable:
    """What one run carries out: the spec with the run's patches, and the free values that expressions read."""

    spec: Spec
    parameters: dict[str, JSON]
