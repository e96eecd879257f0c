"""A checked definition as the engine uses it: frozen, indexed, every expression compiled.

Made by definition.parse_definition and by nothing else. What a definition may say stands there, not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from contract.json_values import JSON
from workflows.effects import Effect
from workflows.expressions import Expression, Reference, Scope
from workflows.failures import StepFailed
from workflows.programs import (
    Awaited,
    EffectfulProgram,
    Evaluation,
    LoopProgram,
    MapProgram,
    Program,
    PureProgram,
    TaskProgram,
    WaitProgram,
)
from workflows.schemas import Schema
from workflows.templating import Template

__all__ = [
    "COMPENSATIONS",
    "PARTS",
    "Awaited",
    "Concurrency",
    "Effect",
    "EffectfulProgram",
    "ErrorFilter",
    "Evaluation",
    "LoopProgram",
    "MapProgram",
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
    "TaskProgram",
    "Visibility",
    "WaitProgram",
]

PARTS = 10_000
"""How many parts (items of a map, steps of a loop's rounds) one step may have; and the first index of a part.

Part `n` of step `i` has the index PARTS + i * PARTS + n.
"""
PARTS_KEPT = 1_000
"""Parts that a spec keeps at hand once they were asked for."""
COMPENSATIONS = 1_000_000_000
"""The compensation of step `i` has the index COMPENSATIONS + i."""


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
class ErrorFilter:
    """Which errors are meant: by kind, by HTTP status (first, last), or by a condition on `error`; any one suffices."""

    kinds: tuple[str, ...] = ()
    statuses: tuple[tuple[int, int], ...] = ()
    condition: Expression | None = None

    def covers(self, error: dict[str, JSON]) -> bool:
        """Whether {kind, message, details} is meant; a condition that errors means nothing."""
        status = (error["details"] or {}).get("status") if isinstance(error["details"], dict) else None
        if error["kind"] in self.kinds:
            return True
        if isinstance(status, int) and any(first <= status <= last for first, last in self.statuses):
            return True
        try:
            return self.condition is not None and self.condition.holds({"error": error})
        except StepFailed:
            return False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`on`: the errors that are retried, None for all of them."""

    max_attempts: int = 1
    backoff: str = "exponential"
    initial_seconds: float = 1.0
    max_seconds: float = 60.0
    jitter: bool = True
    on: ErrorFilter | None = None


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` executions whose `key` comes to the same run at once, within the workflow or the tenant."""

    key: Expression
    limit: int
    scope: str


@dataclass(frozen=True)
class StepSpec:
    """One step. Steps are named by index; `action` is the written action, a tool_call's tool, or else the type.

    A step with `handles` is the handler of those steps: it has no parents and is no root. `references_by_field` is by
    JSON Pointer into the step as written (/when, /config/url, /parameters/x); `reads` are the steps they name.

    `join` live parents are enough (None: all must end); `cancels_rest`: those that are not waited for are cancelled.
    `body` is what is repeated: the step of a map, the steps of a loop, written down with the indexes of the first
    item or round. `compensation` undoes the step. `owner` is the step that a part or a compensation belongs to.
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
    reads: Mapping[str, int]
    join: int | None = None
    cancels_rest: bool = False
    body: tuple[StepSpec, ...] = ()
    compensation: StepSpec | None = None
    owner: int | None = None

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Every reference of the step's expressions, once."""
        found = self.references_by_field.values()
        return tuple(dict.fromkeys(reference for references in found for reference in references))

    @cached_property
    def roots(self) -> frozenset[str]:
        """Everything that the step's expressions name something of."""
        return frozenset(reference.root for reference in self.references)

    @property
    def is_root(self) -> bool:
        return not self.parents and not self.handles

    @property
    def reads_input(self) -> bool:
        return "input" in self.roots

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
    concurrency: Concurrency | None = None
    priority: int = 0
    _parts: dict[int, StepSpec] = field(default_factory=dict, repr=False, compare=False)

    def written(self, index: int) -> StepSpec:
        """The step, part or compensation with this index as it was written: a part with the first one's links."""
        if index < len(self.steps):
            return self.steps[index]
        if index >= COMPENSATIONS:
            compensation = self.steps[index - COMPENSATIONS].compensation
            assert compensation is not None, "only steps with a compensation have one carried out"
            return compensation
        body = self.steps[index // PARTS - 1].body
        return body[index % PARTS % len(body)]

    def step(self, index: int) -> StepSpec:
        """The step, part or compensation with this index."""
        if index < PARTS or index >= COMPENSATIONS:
            return self.written(index)
        part = self._parts.get(index)
        if part is None:
            if len(self._parts) >= PARTS_KEPT:
                self._parts.clear()
            owner = self.steps[index // PARTS - 1]
            part = self._parts[index] = _repeated(owner, self.written(index), index % PARTS // len(owner.body))
        return part

    def part(self, owner: int, number: int) -> int:
        """The index of a step's part."""
        return PARTS + owner * PARTS + number

    def reads_parameter(self, name: str) -> bool:
        """Whether any expression reads `parameters.<name>`, or `parameters` as a whole."""
        return any(
            reference.root == "parameters" and (not reference.path or reference.path[0] == name)
            for reference in self._references()
        )

    def all_steps(self) -> Iterator[StepSpec]:
        """Every step that is written down: those of the graph, of bodies (of the first repetition), compensations."""
        for step in self.steps:
            yield step
            yield from step.body
            if step.compensation is not None:
                yield step.compensation

    def _references(self) -> Iterator[Reference]:
        for step in self.all_steps():
            yield from step.references
        if self.output is not None:
            yield from self.output.all_references()
        if self.concurrency is not None:
            yield from self.concurrency.key.references


@dataclass(frozen=True, slots=True)
class Runnable:
    """What one run carries out: the spec with the run's patches, and the free values that expressions read."""

    spec: Spec
    parameters: dict[str, JSON]


def shifted(index: int, by: int) -> int:
    """An index that a body was written down with, in a later repetition: other steps stay what they are."""
    return index + by if PARTS <= index < COMPENSATIONS else index


def _repeated(owner: StepSpec, template: StepSpec, repetition: int) -> StepSpec:
    by = repetition * len(owner.body)
    round_name = f"{owner.name}[{repetition}]"
    looped = isinstance(owner.program, LoopProgram)
    return replace(
        template,
        index=template.index + by,
        name=f"{round_name}.{template.name}" if looped else round_name,
        depends_on=tuple(f"{round_name}.{name}" for name in template.depends_on),
        parents=tuple(shifted(index, by) for index in template.parents),
        children=tuple(shifted(index, by) for index in template.children),
        handles=tuple(shifted(index, by) for index in template.handles),
        handler=None if template.handler is None else shifted(template.handler, by),
        reads={name: shifted(index, by) for name, index in template.reads.items()},
    )
