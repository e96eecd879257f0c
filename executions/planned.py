"""What a run would do, before it does anything: the plan of a dry run and its hash."""

from __future__ import annotations

from contract import json_values
from contract.json_values import JSON
from contract.problems import Conflict
from executions.creation import Request
from executions.events import digest
from workflows.failures import StepFailed
from workflows.masking import mask
from workflows.models import WorkflowVersion
from workflows.spec import EffectfulProgram, Spec, StepSpec


def plan_hash(version: WorkflowVersion, parameters: dict[str, JSON]) -> str:
    """The same as long as the same definition would run with the same patches."""
    plan = {"definition": version.digest, "parameters": parameters, "version": version.version}
    return digest(json_values.canonical(plan).decode())


def check_plan(expected: str | None, found: str) -> None:
    """Raise Conflict where the caller looked at another plan than the one that would run now."""
    if expected is not None and expected != found:
        raise Conflict("the plan is not the one of the dry run any more", reason="plan_changed")


def planned_steps(request: Request, spec: Spec) -> list[JSON]:
    """Every step in the order of execution: wave by wave."""
    written = mask(spec.raw).definition["steps"]
    return [
        {
            "name": step.name,
            "action": step.action,
            "agent_id": step.agent_id or str(request.agent.id),
            "status": "pending",
            "result": None,
            "type": step.type,
            "depends_on": list(step.depends_on),
            "wave": wave,
            "config": _config(step, request, spec, written[step.index]),
            "effect": step.effect.value,
        }
        for wave, indexes in enumerate(spec.waves)
        for step in (spec.steps[index] for index in indexes)
    ]


def _config(step: StepSpec, request: Request, spec: Spec, body: JSON) -> JSON:
    """The resolved config where it depends on nothing that has yet to run, else the config as written."""
    written = body.get("config", body.get("parameters", {}))
    if not isinstance(step.program, EffectfulProgram) or any(r.root in {"steps", "execution"} for r in step.references):
        return written
    bound = request.input if spec.input_schema is None else spec.input_schema.bind_numbers(request.input)
    scope = {"input": bound, "parameters": request.parameters, "application": _application(request)}
    try:
        return step.program.recorded(step.program.resolve(scope))
    except StepFailed:
        return written


def _application(request: Request) -> JSON:
    return json_values.load(request.orchestrated.application.data) if request.orchestrated else None
