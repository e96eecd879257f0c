"""A step's config, changed for the next run of an execution: what really changes, merged into its parameters. Pure.

What a patch may say is a matter of workflows/patches.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract import json_values
from contract.json_values import JSON, escape
from contract.problems import FieldProblem
from workflows.masking import mask
from workflows.patches import ParametersInvalid
from workflows.reading import Members, Notes
from workflows.spec import Spec
from workflows.written import read_steps


def with_patch(
    spec: Spec, index: int, parameters: Mapping[str, JSON], given: Mapping[str, JSON], recorded: JSON
) -> dict[str, JSON]:
    """The parameters of the next run: `given`, a JSON Merge Patch on the step's config, merged into those of the last.

    `spec` is what the last run carried out. Members that say what stands in its config, or in the step's `recorded`
    input, change nothing and are dropped, so that an input that was read may be sent back with one member changed.
    """
    stands = (_config(spec, index), recorded if isinstance(recorded, dict) else {})
    patch = {name: value for name, value in given.items() if not any(_says(known, name, value) for known in stands)}
    name = spec.steps[index].name
    return {**parameters, name: _composed(parameters.get(name, {}), patch)} if patch else dict(parameters)


def moved_to_input(refusal: ParametersInvalid, name: str) -> ParametersInvalid:
    """The same problems, pointing at the member `input` where they concern this step."""
    place = f"/parameters/{escape(name)}"
    problems = [
        FieldProblem("/input" + problem.field.removeprefix(place), problem.code, problem.message)
        if problem.field == place or problem.field.startswith(f"{place}/")
        else problem
        for problem in refusal.problems
    ]
    return ParametersInvalid(problems)


def _config(spec: Spec, index: int) -> JSON:
    """The step's config as it may be shown."""
    return read_steps(Members(mask(spec.raw).definition, "", Notes()))[index].config


def _says(known: JSON, name: str, value: JSON) -> bool:
    if not isinstance(known, dict) or name not in known:
        return False
    return json_values.canonical(known[name]) == json_values.canonical(value)


def _composed(first: JSON, second: JSON) -> Any:
    """One merge patch that does what both do, one after the other: unlike in merging, null stays."""
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return second
    return first | {name: _composed(first.get(name), value) for name, value in second.items()}
