"""What a definition may say: from its JSON to the frozen Spec, or every problem at once.

The steps' two spellings stand in written.py, how they hang together in links.py, what is inside a step in bodies.py,
their configs in steps/, retries and other rules in policies.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from contract.json_values import JSON, canonical
from contract.problems import FieldProblem, InvalidInput
from workflows import dag, policies
from workflows.compiling import Compiler
from workflows.links import EVERYTHING, Links, NotReadable, Readable, link
from workflows.names import SEMVER
from workflows.reading import Members, Notes
from workflows.schemas import Schema
from workflows.spec import Concurrency, Price, Spec, StepSpec, Visibility
from workflows.templating import Template
from workflows.tools import ToolRegistry, registry
from workflows.written import Names, read_steps

DEFAULT_VERSION = "1.0.0"


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
    names = Names()
    written = read_steps(members, names)
    output = members.template("output")
    members.refuse("triggers", "not_available", "triggers are not available")
    members.refuse_others()
    links = link(written, problems)
    steps = Compiler(tools, names).steps(written, links.places())
    if output is not None:
        _check_output(output, links, problems)
    if problems:
        raise DefinitionInvalid(problems)
    return _spec(head, steps, links, output, raw)


@dataclass(frozen=True, slots=True)
class _Head:
    name: str
    description: str
    version: str
    input_schema: Schema | None
    price: Price | None
    timeout_seconds: float | None
    visibility: Visibility
    concurrency: Concurrency | None
    priority: int


def _head(members: Members) -> _Head:
    version = members.text("version") or DEFAULT_VERSION
    if not SEMVER.match(version):
        members.report("version", "invalid", "`version` is a semantic version such as 1.0.0")
    limited = members.has("timeout_seconds")
    timeout_seconds = members.number("timeout_seconds", policies.YEAR, least=0.001, most=policies.YEAR)
    return _Head(
        name=members.text("name", required=True) or "",
        description=members.text("description", most=10_000) or "",
        version=version,
        input_schema=members.schema("input_schema"),
        price=policies.read_price(members),
        timeout_seconds=timeout_seconds if limited else None,
        visibility=Visibility(members.one_of("visibility", tuple(Visibility), Visibility.PRIVATE)),
        concurrency=policies.read_concurrency(members),
        priority=members.integer("priority", 0, least=0, most=9),
    )


def _check_output(output: Template, links: Links, problems: list[FieldProblem]) -> None:
    readable = Readable("output", links.by_name, EVERYTHING)
    for field, references in output.references.items():
        for name in dict.fromkeys(str(found.path[0]) for found in references if found.root == "steps"):
            try:
                readable.find(name)
            except NotReadable as problem:
                problems.append(FieldProblem(f"/output{field}", problem.code, problem.message))


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
        concurrency=head.concurrency,
        priority=head.priority,
    )
