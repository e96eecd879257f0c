"""What a definition may say: from its JSON to the frozen Spec, or every problem at once.

The steps' two spellings stand in written.py, how they hang together in links.py, their configs in steps/.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from contract.json_values import JSON, canonical
from contract.problems import FieldProblem, InvalidInput
from workflows import dag
from workflows.currencies import CURRENCIES
from workflows.effects import Effect
from workflows.expressions import Expression, Reference
from workflows.links import Links, check_references, link
from workflows.programs import Program
from workflows.reading import Members, Notes
from workflows.schemas import Schema
from workflows.spec import Price, Refund, RetryPolicy, Spec, StepSpec, Visibility
from workflows.steps import STEP_TYPES
from workflows.templating import Template
from workflows.tools import ToolRegistry, registry
from workflows.written import WrittenStep, read_steps

DAY = 86_400
YEAR = 366 * DAY
STEP_TIMEOUT = 300.0
DEFAULT_VERSION = "1.0.0"

SEMVER = re.compile(
    r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})"
    r"(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?\Z",
    re.ASCII,
)


class DefinitionInvalid(InvalidInput):
    """A definition that cannot be run; `problems` are all there are."""

    reason = "invalid_definition"

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"the definition has {count}", fields=problems)
        self.problems = list(problems)


def digest(raw: JSON) -> str:
    """The SHA-256, in hex, of a definition's canonical JSON."""
    return hashlib.sha256(canonical(raw)).hexdigest()


def parse_definition(raw: JSON, tools: ToolRegistry = registry) -> Spec:
    """The spec of a definition. Raises DefinitionInvalid with every problem, by JSON Pointers into `raw`."""
    notes = Notes()
    problems = notes.problems
    members = Members(raw, "", notes)
    if not members.is_object:
        raise DefinitionInvalid(problems)
    head = _head(members)
    written = read_steps(members)
    output = members.template("output")
    members.refuse("triggers", "not_available", "triggers are not available")
    members.refuse_others()
    links = link(written, problems)
    parts = [_parts(step, tools, links) for step in written]
    if output is not None:
        _check_output(output, links, problems)
    if problems:
        raise DefinitionInvalid(problems)
    return _spec(head, _steps(written, parts, links), links, output, raw)


@dataclass(frozen=True, slots=True)
class _Head:
    name: str
    description: str
    version: str
    input_schema: Schema | None
    price: Price | None
    timeout_seconds: float | None
    visibility: Visibility


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the members of one step say, beside its place in the graph."""

    agent_id: str | None
    retry: RetryPolicy
    timeout_seconds: float
    when: Expression | None
    program: Program | None
    references: dict[str, tuple[Reference, ...]]
    reads: tuple[int, ...]


def _head(members: Members) -> _Head:
    version = members.text("version") or DEFAULT_VERSION
    if not SEMVER.match(version):
        members.report("version", "invalid", "`version` is a semantic version such as 1.0.0")
    limited = members.has("timeout_seconds")
    timeout_seconds = members.number("timeout_seconds", YEAR, least=0.001, most=YEAR)
    return _Head(
        name=members.text("name", required=True) or "",
        description=members.text("description", most=10_000) or "",
        version=version,
        input_schema=members.schema("input_schema"),
        price=_price(members),
        timeout_seconds=timeout_seconds if limited else None,
        visibility=Visibility(members.one_of("visibility", tuple(Visibility), Visibility.PRIVATE)),
    )


def _price(definition: Members) -> Price | None:
    members = definition.object("price")
    if members is None:
        return None
    for name in ("amount", "currency"):
        members.take(name, required=True)
    amount = members.integer("amount", 1, least=1, most=10**12)
    currency = members.typed("currency", str)
    if currency is not None and currency not in CURRENCIES:
        members.report("currency", "invalid", "`currency` is a code of ISO 4217, such as EUR")
    refund = Refund(members.one_of("refund", tuple(Refund), Refund.ON_FAILURE))
    members.refuse_others()
    return Price(amount, currency or "", refund)


def _parts(step: WrittenStep, tools: ToolRegistry, links: Links) -> _Parts:
    members = step.members
    when = members.condition("when")
    program, config = _program(step, tools)
    fields = {} if when is None else {members.at("when"): when.references}
    fields |= {step.locate(field): found for field, found in config.items()}
    parts = _Parts(
        agent_id=members.text("agent_id"),
        retry=_retry(members),
        timeout_seconds=members.number("timeout_seconds", STEP_TIMEOUT, least=0.001, most=DAY),
        when=when,
        program=program,
        references={field.removeprefix(members.pointer): found for field, found in fields.items()},
        reads=check_references(step, fields, links),
    )
    members.refuse_others()
    return parts


def _program(step: WrittenStep, tools: ToolRegistry) -> tuple[Program | None, dict[str, tuple[Reference, ...]]]:
    """The program, None after a problem, and in any case what the config's expressions read."""
    compile_config = STEP_TYPES.get(step.type)
    if compile_config is None:
        return None, {}
    notes = Notes()
    program = compile_config(Members(step.config, "", notes), tools)
    found = (FieldProblem(step.locate(problem.field), problem.code, problem.message) for problem in notes.problems)
    step.members.notes.problems.extend(found)
    return program, notes.references


def _retry(step: Members) -> RetryPolicy:
    default = RetryPolicy()
    members = step.object("retry")
    if members is None:
        return default
    jitter = members.typed("jitter", bool)
    policy = RetryPolicy(
        max_attempts=members.integer("max_attempts", default.max_attempts, least=1, most=100),
        backoff=members.one_of("backoff", ("fixed", "exponential"), default.backoff),
        initial_seconds=members.number("initial_seconds", default.initial_seconds, least=0, most=DAY),
        max_seconds=members.number("max_seconds", default.max_seconds, least=0, most=DAY),
        jitter=default.jitter if jitter is None else jitter,
        on=_kinds(members),
    )
    members.refuse_others()
    return policy


def _kinds(members: Members) -> tuple[str, ...] | None:
    kinds = members.typed("on", list)
    if kinds is None:
        return None
    if not kinds or not all(isinstance(kind, str) and kind for kind in kinds):
        members.report("on", "invalid", "`on` is a list of kinds of failure, such as timeout")
        return None
    return tuple(kinds)


def _check_output(output: Template, links: Links, problems: list[FieldProblem]) -> None:
    for field, references in output.references.items():
        named = dict.fromkeys(str(found.path[0]) for found in references if found.root == "steps")
        problems.extend(
            FieldProblem(f"/output{field}", "unknown_step", f"there is no step `{name[:100]}`")
            for name in named
            if name not in links.by_name
        )


def _steps(written: Sequence[WrittenStep], parts: Sequence[_Parts], links: Links) -> tuple[StepSpec, ...]:
    children = dag.successors(links.parents)
    names = [step.name for step in written]
    return tuple(
        _step(step, part, links, tuple(children[step.index]), tuple(names[i] for i in links.parents[step.index]))
        for step, part in zip(written, parts, strict=True)
    )


def _step(
    step: WrittenStep, parts: _Parts, links: Links, children: tuple[int, ...], depends_on: tuple[str, ...]
) -> StepSpec:
    assert parts.program is not None, "a step without a program has a problem, and was refused"
    return StepSpec(
        index=step.index,
        name=step.name,
        type=step.type,
        action=step.action,
        agent_id=parts.agent_id,
        depends_on=depends_on,
        parents=links.parents[step.index],
        children=children,
        handles=links.handles[step.index],
        on_failure=links.failures[step.index].on_failure,
        handler=links.failures[step.index].handler,
        effect=parts.program.effect,
        # A pure step computes the same again, whatever its policy says.
        retry=RetryPolicy() if parts.program.effect is Effect.PURE else parts.retry,
        timeout_seconds=parts.timeout_seconds,
        when=parts.when,
        program=parts.program,
        references_by_field=MappingProxyType(parts.references),
        reads=parts.reads,
    )


def _spec(head: _Head, steps: tuple[StepSpec, ...], links: Links, output: Template | None, raw: JSON) -> Spec:
    return Spec(
        name=head.name,
        description=head.description,
        version=head.version,
        steps=steps,
        by_name=MappingProxyType(links.by_name),
        waves=tuple(tuple(wave) for wave in dag.waves(links.before)),
        sinks=tuple(step.index for step in steps if not step.children),
        input_schema=head.input_schema,
        output=output,
        price=head.price,
        timeout_seconds=head.timeout_seconds,
        visibility=head.visibility,
        raw=raw,
    )
