"""The `parameters` of an execute: patches of steps' configs for this run, and free values that expressions read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contract.json_values import JSON, escape
from contract.problems import FieldProblem, InvalidContent
from workflows.definition import DefinitionInvalid, parse_definition
from workflows.reading import Members, Notes
from workflows.spec import Spec
from workflows.templating import literally
from workflows.tools import ToolRegistry, registry
from workflows.written import WrittenStep, read_steps

FIXED = frozenset({
    "api_key", "approval", "base_url", "checks", "default", "headers", "method", "rules", "schema", "secret",
    "step", "tool", "url", "workflow_id",
})  # fmt: skip
"""Members of a config that no patch may touch."""
_FIXED_OF_TYPE = frozenset({("loop", "body")})
_EXPRESSIONS = frozenset({("loop", "until"), ("map", "over")})
"""(type, member) where every string is an expression, which a patch never holds."""


class ParametersInvalid(InvalidContent):
    """`parameters` that do not fit the version; the problems point at /parameters/..."""

    reason = "invalid_parameters"

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("the parameters do not fit the workflow", fields=problems)
        self.problems = problems


def apply_parameters(
    raw: JSON, parameters: Mapping[str, JSON], tools: ToolRegistry = registry
) -> tuple[Spec, dict[str, JSON]]:
    """The spec of a definition with the patches applied, and the free values.

    Raises ParametersInvalid, or DefinitionInvalid if the definition itself is wrong.
    """
    spec = parse_definition(raw, tools)
    patches = {name: value for name, value in parameters.items() if name in spec.by_name}
    free = {name: value for name, value in parameters.items() if name not in patches}
    problems = [problem for name, patch in patches.items() for problem in _patch_problems(spec, name, patch)]
    problems += [_unread(name) for name in free if not spec.reads_parameter(name)]
    if problems:
        raise ParametersInvalid(problems)
    return (_patched(spec, patches, tools), free) if patches else (spec, free)


def _patch_problems(spec: Spec, name: str, patch: JSON) -> Iterator[FieldProblem]:
    pointer = f"/parameters/{escape(name)}"
    if not isinstance(patch, dict):
        yield FieldProblem(pointer, "wrong_type", f"`{name}` is a step: an object is merged into its config")
        return
    kind = spec.steps[spec.by_name[name]].type
    for member, value in patch.items():
        if _is_fixed(kind, member, value):
            message = f"`{member}` cannot be changed for a run"
            yield FieldProblem(f"{pointer}/{escape(member)}", "not_patchable", message)


def _is_fixed(kind: str, member: str, value: JSON) -> bool:
    if (kind, member) in _EXPRESSIONS:
        return isinstance(value, str)
    return member in FIXED or (kind, member) in _FIXED_OF_TYPE


def _unread(name: str) -> FieldProblem:
    message = f"there is no step `{name[:100]}`, and no expression reads `parameters.{name[:100]}`"
    return FieldProblem(f"/parameters/{escape(name)}", "unknown_member", message)


def _patched(spec: Spec, patches: Mapping[str, Any], tools: ToolRegistry) -> Spec:
    written = read_steps(Members(spec.raw, "", Notes()))
    steps = list(spec.raw["steps"])
    for name, patch in patches.items():
        index = spec.by_name[name]
        steps[index] = _patched_step(written[index], steps[index], spec.steps[index].depends_on, patch)
    try:
        return parse_definition({**spec.raw, "steps": steps}, tools)
    except DefinitionInvalid as invalid:
        places = {f"/steps/{spec.by_name[name]}/config": f"/parameters/{escape(name)}" for name in patches}
        raise ParametersInvalid([_moved(problem, places) for problem in invalid.problems]) from invalid


def _patched_step(step: WrittenStep, raw: dict[str, JSON], depends_on: tuple[str, ...], patch: JSON) -> JSON:
    """The step in its {name, type, config} spelling, with the patch in its config."""
    kept = {member: value for member, value in raw.items() if member not in ("action", "parameters")}
    config = _merged(step.config, literally(patch))
    return {**kept, "name": step.name, "type": step.type, "config": config, "depends_on": list(depends_on)}


def _merged(target: JSON, patch: JSON) -> JSON:
    """JSON Merge Patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _moved(problem: FieldProblem, places: Mapping[str, str]) -> FieldProblem:
    for written, parameter in places.items():
        if problem.field == written or problem.field.startswith(f"{written}/"):
            return FieldProblem(parameter + problem.field.removeprefix(written), problem.code, problem.message)
    return problem
