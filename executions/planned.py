"""What a run would do, before it does anything: the plan of a dry run and its hash."""

from __future__ import annotations

from contract import json_values
from contract.json_values import JSON
from contract.problems import Conflict
from executions.agents import carried_out_by
from executions.creation import Request
from executions.events import digest
from workflows.failures import StepFailed
from workflows.masking import mask
from workflows.reading import Members, Notes
from workflows.spec import EffectfulProgram, Program, Spec, StepSpec, TaskProgram
from workflows.steps.transform import Transform
from workflows.written import read_steps

_LATER = frozenset({"steps", "execution"})
"""What expressions may name that only a run has."""


def plan_hash(request: Request) -> str:
    """The same as long as the same version would run for the same agent, with the same input and patches."""
    plan = {
        "agent": str(request.agent.id),
        "definition": request.version.digest,
        "input": request.input,
        "parameters": request.parameters,
        "version": request.version.version,
    }
    return digest(json_values.canonical(plan).decode())


def check_plan(expected: str | None, found: str) -> None:
    """Raise Conflict where the caller looked at another plan than the one that would run now."""
    if expected is not None and expected != found:
        raise Conflict("the plan is not the one of the dry run any more", reason="plan_changed")


def planned_steps(request: Request, spec: Spec) -> list[JSON]:
    """Every step in the order of execution: wave by wave."""
    written = read_steps(Members(mask(spec.raw).definition, "", Notes()))
    scope = _scope(request, spec)
    return [
        {
            "name": step.name,
            "action": step.action,
            "agent_id": carried_out_by(step, request.agent.id),
            "status": "pending",
            "result": None,
            "type": step.type,
            "depends_on": list(step.depends_on),
            "wave": wave,
            "config": _config(step, scope, written[step.index].config),
            "effect": step.effect.value,
        }
        for wave, indexes in enumerate(spec.waves)
        for step in (spec.steps[index] for index in indexes)
    ]


def _scope(request: Request, spec: Spec) -> dict[str, JSON]:
    """What is known before anything runs."""
    free = {name: value for name, value in request.parameters.items() if name not in spec.by_name}
    bound = request.input if spec.input_schema is None else spec.input_schema.bind_numbers(request.input)
    return {"input": bound, "parameters": free}


def _config(step: StepSpec, scope: dict[str, JSON], written: JSON) -> JSON:
    """The resolved config where it depends on nothing that has yet to run, else the config as written."""
    if _LATER & {found.root for found in step.references}:
        return written
    try:
        return _resolved(step.program, scope, written)
    except StepFailed:
        return written


def _resolved(program: Program, scope: dict[str, JSON], written: JSON) -> JSON:
    match program:
        case Transform():
            return {"output": program.run(scope).output}
        case EffectfulProgram():
            return program.recorded(program.resolve(scope))
        case TaskProgram():
            return program.resolve(scope)
    return written
