"""workflow: an execution of another workflow, with a record of its own. Starting it is the engine's."""

from __future__ import annotations

from contract.json_values import JSON
from workflows.effects import Effect
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.names import SEMVER
from workflows.programs import EffectfulProgram
from workflows.reading import Members
from workflows.templating import OPEN, Template, compile_template
from workflows.tools import ToolRegistry


class ChildRun(EffectfulProgram):
    """Resolves to {workflow_id, version, input}.

    `workflow_id` is an id or a name; `version` is null where the live one is meant; `input` is an object, or else the
    step fails (`invalid_input`).
    """

    effect = Effect.WAIT

    def __init__(self, workflow_id: str, version: str | None, given: Template) -> None:
        self.workflow_id = workflow_id
        self.version = version
        self._input = given

    def resolve(self, scope: Scope) -> dict[str, JSON]:
        given = self._input.resolve(scope)
        if not isinstance(given, dict):
            raise StepFailed("invalid_input", "the `input` of a workflow is an object, and this is something else")
        return {"workflow_id": self.workflow_id, "version": self.version, "input": given}


def compile_config(config: Members, _tools: ToolRegistry) -> ChildRun | None:
    known = len(config.notes.problems)
    workflow_id = config.text("workflow_id", required=True)
    if workflow_id is not None and OPEN in workflow_id:
        config.report("workflow_id", "invalid", "`workflow_id` is written out: an id or a name, and no expression")
    version = config.text("version")
    if version is not None and not SEMVER.match(version):
        config.report("version", "invalid", "`version` is a semantic version such as 1.0.0")
    given = _input(config)
    config.refuse_others()
    return ChildRun(workflow_id, version, given) if workflow_id and len(config.notes.problems) == known else None


def _input(config: Members) -> Template:
    template = config.template("input")
    if template is None:
        return compile_template({}, config.at("input"), config.notes.problems)
    if not isinstance(template.raw, dict) and not (isinstance(template.raw, str) and OPEN in template.raw):
        config.report("input", "wrong_type", "`input` is an object, or an expression that yields one")
    return template
