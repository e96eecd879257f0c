"""Which field of an attempt's recorded input is made of what: by the definition and the patches of the run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from contract import json_values
from contract.json_values import JSON, escape
from executions.provenance.sources_payloads import found_at
from workflows.definition import parse_definition
from workflows.expressions import Reference
from workflows.patches import apply_parameters
from workflows.programs import LoopProgram, MapProgram, PureProgram, WaitProgram
from workflows.spec import COMPENSATIONS, PARTS, Runnable, Spec, StepSpec
from workflows.steps import STEP_TYPES

OF_A_WAIT = {"/seconds": "/fires_at", "/until": "/fires_at", "/timeout_seconds": "/times_out_at"}
"""What a wait's config comes to in its recorded input."""

_WHEN = "/when"
_OF_THE_ITEM = frozenset({"input", "version"})
"""Members of a map's config that are those of the workflow which it runs for each item."""


@dataclass(frozen=True, slots=True)
class Field:
    """A place in the recorded input, and one thing that is read for it."""

    pointer: str
    reference: Reference


@dataclass(frozen=True, slots=True)
class Patched:
    """A place in the recorded input that a parameter of the run has set; `source` points into the parameters."""

    pointer: str
    source: str


@lru_cache(maxsize=32)
def runnable_of(definition: str, parameters: str) -> Runnable:
    """What a run carries out, by the texts of its definition, secrets left out, and of its parameters.

    Raises what compiling raises: DefinitionInvalid, ParametersInvalid.
    """
    given = json_values.load(parameters)
    raw = json_values.load(definition)
    return Runnable(*apply_parameters(raw, given)) if given else Runnable(parse_definition(raw), {})


def fields_of(step: StepSpec, recorded: JSON) -> Iterator[Field]:
    """What the expressions of the step read, by the places in its recorded input that they were read for."""
    if isinstance(step.program, PureProgram):
        by_text = {reference.text: reference for reference in step.references}
        for text in recorded:
            yield Field(f"/{escape(text)}", by_text[text])
    elif not isinstance(step.program, LoopProgram):
        for written, references in step.references_by_field.items():
            if written != _WHEN:
                pointer = _recorded_at(step, config_pointer(step, written))
                yield from (Field(pointer, reference) for reference in references)


def config_pointer(step: StepSpec, written: str) -> str:
    """Where in the step's config a field stands, by where it stands in the step as it was written."""
    if written.startswith("/config/"):
        return written.removeprefix("/config")
    if written.startswith("/parameters/"):
        below = written.removeprefix("/parameters")
        return below if step.action in STEP_TYPES else f"/arguments{below}"
    return written


def patched_fields(spec: Spec, step: StepSpec, parameters: Mapping[str, JSON]) -> Iterator[Patched]:
    """The places in the step's recorded input that a patch of the run has set, as far as they are there."""
    owner = step if step.owner is None or step.index >= COMPENSATIONS else spec.steps[step.owner]
    patch = parameters.get(owner.name) if owner.index in spec.by_name.values() else None
    if not isinstance(patch, dict) or step.index >= COMPENSATIONS or isinstance(step.program, PureProgram):
        return
    for member, value in patch.items():
        if _is_meant(owner, step, member):
            below = f"/{escape(member)}"
            for leaf in leaves(value, below):
                yield Patched(_recorded_at(step, leaf), f"/{escape(owner.name)}{leaf}")


def leaves(patch: JSON, pointer: str) -> Iterator[str]:
    """The places that a merge patch sets."""
    if isinstance(patch, dict):
        for name, member in patch.items():
            yield from leaves(member, f"{pointer}/{escape(name)}")
    elif patch is not None:
        yield pointer


def config_of(spec: Spec, step: StepSpec) -> JSON:
    """The step's config as it was written, whichever way."""
    raw = _raw_of(spec, step)
    if raw.get("config") is not None or "action" not in raw:
        return raw.get("config", raw)
    parameters = raw.get("parameters") or {}
    return parameters if step.action in STEP_TYPES else {"tool": step.action, "arguments": parameters}


def written_at(spec: Spec, step: StepSpec, pointer: str) -> str | None:
    """The text that stands in the step's config for a place in its recorded input; None where none does."""
    meant = [pointer]
    if isinstance(step.program, WaitProgram):
        meant += [written for written, recorded in OF_A_WAIT.items() if recorded == pointer]
    found = (found_at(config_of(spec, step), one) for one in meant)
    return next((text for text in found if isinstance(text, str)), None)


def _raw_of(spec: Spec, step: StepSpec) -> dict[str, JSON]:
    """The step as it was written: in the list of steps, in a body, or below the step that it undoes."""
    top: dict[str, JSON] = spec.raw["steps"][step.index if step.owner is None else step.owner]
    if step.owner is None:
        return top
    if step.index >= COMPENSATIONS:
        return dict(top["compensate"])
    config = config_of(spec, spec.steps[step.owner])
    inside = config["body"][step.index % PARTS % len(config["body"])] if "body" in config else config.get("step")
    return dict(inside if inside is not None else config)


def _is_meant(owner: StepSpec, step: StepSpec, member: str) -> bool:
    """Whether a member of a patch on `owner` stands in the input of `step`, which it is or which is a part of it."""
    of_item = isinstance(owner.program, MapProgram) and member in _OF_THE_ITEM
    return of_item if step is not owner else not of_item


def _recorded_at(step: StepSpec, pointer: str) -> str:
    return OF_A_WAIT.get(pointer, pointer) if isinstance(step.program, WaitProgram) else pointer
