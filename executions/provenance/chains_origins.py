"""What one value was directly made from: by the lineage's rows, by the definition, by who was started by whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from contract import json_values
from contract.json_values import JSON, escape
from executions.models import Attempt
from executions.provenance.chains_places import At, Place
from executions.provenance.lineage_opened import Opened
from executions.provenance.sources import Row
from executions.provenance.sources_fields import config_pointer, written_at
from executions.provenance.sources_payloads import ABSENT, digest_of_value, found_at
from workflows.bindings import compile_input
from workflows.expressions import Reference
from workflows.programs import LoopProgram, MapProgram
from workflows.spec import StepSpec

SHOWN_EXPRESSION: Final = 1_000
"""Characters of what is written at a place."""

_EXECUTION: Final = ("", 0)
"""Under which its own output and outcome stand in the lineage."""

Sources = list[tuple[Place, str | None]]
"""Places, each with the digest that is known of it although its content may be gone."""


class Executions(Protocol):
    """Where another execution is looked up."""

    def open(self, execution: UUID) -> Opened | None: ...


@dataclass(frozen=True, slots=True)
class Made:
    """What a value was made from. `expression` is what is written there, cut off at SHOWN_EXPRESSION."""

    sources: Sources
    expression: str | None = None


def origins(executions: Executions, opened: Opened, place: Place) -> Made:
    """What the value at a place was directly made from; nothing, of what came from outside."""
    match place.at:
        case At.STEP_INPUT:
            return _of_field(opened, place)
        case At.STEP_OUTPUT if place.number is not None:
            return _of_step(opened, place)
        case At.OUTPUT:
            return _of_rows(opened, _EXECUTION, f"/output{place.pointer}")
        case At.OUTCOME:
            return _of_rows(opened, _EXECUTION, "/outcome")
        case At.INPUT:
            return Made(_of_input(executions, opened, place))
        case _:
            return Made([])


def _of_field(opened: Opened, place: Place) -> Made:
    key = str(place.step), place.number or 0
    step = opened.step(*key)
    made = _of_rows(opened, key, place.pointer)
    written = None if step is None else _written(opened, step, key[1], place.pointer)
    return Made(made.sources or [(Place(place.execution, At.DEFINITION), None)], written or made.expression)


def _of_rows(opened: Opened, key: tuple[str, int], pointer: str) -> Made:
    """What the rows say of a place in the input of an attempt, or in the output."""
    sources: dict[Place, str | None] = {}
    expressions: dict[str, None] = {}
    for row in opened.rows.get(key, ()):
        rest = _rest(row["field"], pointer)
        if rest is None:
            continue
        source, digest = source_of(opened.id, row, opened.earlier_run(*key)), row["digest"]
        if rest and row["value"] == row["digest"] is not None and row["pointer"] is not None:
            source, digest = source.below(rest), None
        sources.setdefault(source, digest)
        expressions.setdefault(row["expression"] or "")
    told = ", ".join(filter(None, expressions))[:SHOWN_EXPRESSION]
    return Made(list(sources.items()), told or None)


def _rest(field: str, pointer: str) -> str | None:
    """How much deeper than the field the pointer leads: nothing where it is there or above; None where elsewhere."""
    if field == pointer or field.startswith(f"{pointer}/"):
        return ""
    return pointer.removeprefix(field) if pointer.startswith(f"{field}/") else None


def source_of(of: UUID, row: Row, run: int | None = None) -> Place:
    """Where the source of a row stands. `run` is the one of its parameters, None for the newest."""
    kind, name, pointer = row["kind"], row["name"], row["pointer"]
    match kind:
        case "input":
            return Place(of, At.INPUT, pointer)
        case "application":
            return Place(of, At.APPLICATION, pointer)
        case "parameter":
            return Place(of, At.PARAMETERS, pointer, run=run)
        case "secret":
            return Place(of, At.SECRET, step=name)
        case "item" if pointer is None:
            return Place(of, At.INDEX, "/index" if row["expression"] == "index" else "/item", row["step"])
        case "item":
            return Place(of, At.STEP_INPUT, pointer, name, row["attempt"])
        case "step":
            at = At.STATUS if pointer is None else At.STEP_OUTPUT
            return Place(of, at, pointer or "", name, row["attempt"])
        case _ if name is not None:
            return Place(UUID(name), At.EXECUTION)
        case _ if pointer.startswith("/output"):
            return Place(of, At.OUTPUT, pointer.removeprefix("/output"))
        case _:
            return Place(of, At.EXECUTION, pointer)


def _of_step(opened: Opened, place: Place) -> Made:
    """What an output was made from: what is known to have gone into this part of it, else the whole input."""
    name, number = str(place.step), place.number or 0
    attempt, step = opened.attempts[name, number], opened.step(name, number)
    if attempt.child is not None:
        return Made([(Place(attempt.child, At.OUTPUT, place.pointer), None)])
    if attempt.input is None:
        return Made([])
    if step is not None and isinstance(step.program, MapProgram | LoopProgram):
        return Made(_of_parts(opened, step, place))
    if step is not None and step.type == "transform":
        return _of_transform(opened, step, attempt, place)
    return Made(_whole_input(opened, place))


def _whole_input(opened: Opened, place: Place) -> Sources:
    """Every field that something was read for; the input as a whole, where nothing was."""
    rows = opened.rows.get((str(place.step), place.number or 0), ())
    fields = {row["field"]: row["value"] for row in rows} or {"": None}
    return [(_input(place, field), digest) for field, digest in fields.items()]


def _of_transform(opened: Opened, step: StepSpec, attempt: Attempt, place: Place) -> Made:
    """The references in this part of the template, and the patches of it."""
    sources: dict[Place, str | None] = {}
    recorded = opened.found(_input(place, ""))
    for written, references in step.references_by_field.items():
        field = config_pointer(step, written).removeprefix("/output")
        rest = _rest(field, place.pointer) if written != "/when" else None
        for reference in references if rest is not None else ():
            source = _input(place, f"/{escape(reference.text)}")
            deeper = source.below(rest or "")
            passed_on = recorded is not None and found_at(recorded.value, deeper.pointer) is not ABSENT
            sources.setdefault(deeper if rest and passed_on else source, None)
    written_there = _written(opened, step, attempt.number, f"/output{place.pointer}")
    literal: Sources = [] if sources else [(Place(place.execution, At.DEFINITION), None)]
    return Made([*sources.items(), *literal, *_patches(opened, step, place)], written_there)


def _patches(opened: Opened, step: StepSpec, place: Place) -> Iterator[tuple[Place, str | None]]:
    """The parameter of the run that patched this part of a transform."""
    begun = opened.begun[step.name, place.number or 0]
    patch = opened.parameters(begun.run).get(step.name)
    pointer = f"/{escape(step.name)}/output{place.pointer}"
    if isinstance(patch, dict) and found_at({step.name: patch}, pointer) is not ABSENT:
        earlier = opened.earlier_run(step.name, place.number or 0)
        yield Place(place.execution, At.PARAMETERS, pointer, run=earlier), None


def _of_parts(opened: Opened, step: StepSpec, place: Place) -> Sources:
    """The outputs of a map's items, or of the steps of a loop's last round."""
    number = place.number or 0
    made = [name for name in opened.indexes if name.startswith(f"{step.name}[")]
    if isinstance(step.program, MapProgram):
        item = place.pointer.split("/")[2:3] if place.pointer.startswith("/items/") else []
        names = {f"{step.name}[{item[0]}]": f"/items/{item[0]}"} if item else dict.fromkeys(made, "")
    else:
        last = max((int(name[len(step.name) + 1 :].split("]")[0]) for name in made), default=0)
        names = {
            f"{step.name}[{last}].{part.name}": f"/{escape(part.name)}"
            for part in step.body
            if _rest(f"/{escape(part.name)}", place.pointer) is not None
        }
    ended = opened.attempts[step.name, number].finished_at
    sources: Sources = []
    for name, field in names.items():
        gave = opened.gave(name, ended)
        if gave is not None:
            deeper = _rest(field, place.pointer) if field else ""
            sources.append((Place(place.execution, At.STEP_OUTPUT, deeper or "", name, gave), None))
    return sources or _whole_input(opened, place)


def _of_input(executions: Executions, opened: Opened, place: Place) -> Sources:
    """Of a child what its parent's step resolved; of a data orchestration what its template took of the application."""
    submission = opened.record.execution.submission
    if submission.parent_id is not None:
        return _of_parent(submission.parent_id, executions.open(submission.parent_id), place)
    if submission.application_data is None:
        return []
    return [(Place(place.execution, At.APPLICATION, pointer), None) for pointer in _taken(opened, place.pointer)]


def _of_parent(parent_id: UUID, parent: Opened | None, place: Place) -> Sources:
    """Of a parent that may not be looked at, that it was one."""
    for (name, number), attempt in () if parent is None else parent.attempts.items():
        if attempt.child == place.execution:
            return [(Place(parent_id, At.STEP_INPUT, f"/input{place.pointer}", name, number), None)]
    return [(Place(parent_id, At.EXECUTION), None)]


def _taken(opened: Opened, pointer: str) -> list[str]:
    """Which parts of the application went into this part of the input; all of it, if its template was changed since."""
    submission = opened.record.execution.submission
    application = opened.found(Place(opened.id, At.APPLICATION))
    known = opened.found(Place(opened.id, At.INPUT))
    if (
        submission.template is None
        or application is None
        or known is None
        or ABSENT in (application.value, known.value)
    ):
        return [""]
    template = compile_input(json_values.load(submission.template.input), "", [])
    try:
        made = template.resolve({"application": application.value})
    except Exception:  # noqa: BLE001 - a template of another time may be nothing for this application
        return [""]
    if digest_of_value(made) != known.digest:
        return [""]
    found = [(_rest(field, pointer), reference) for field, read in template.references.items() for reference in read]
    return [_deeper(application.value, reference, rest) for rest, reference in found if rest is not None]


def _deeper(application: JSON, reference: Reference, rest: str) -> str:
    passed_on = found_at(application, reference.pointer + rest) is not ABSENT
    return reference.pointer + rest if passed_on else reference.pointer


def _input(place: Place, pointer: str) -> Place:
    return Place(place.execution, At.STEP_INPUT, pointer, place.step, place.number)


def _written(opened: Opened, step: StepSpec, number: int, pointer: str) -> str | None:
    """The text with the expressions that stand there in the step's config; None where there is none to be shown."""
    begun = opened.begun.get((step.name, number))
    spec = opened.spec(None if begun is None else begun.run)
    text = None if spec is None else written_at(spec, step, pointer)
    return None if text is None else text[:SHOWN_EXPRESSION]
