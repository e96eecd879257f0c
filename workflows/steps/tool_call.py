"""tool_call: a registered Python function, called with arguments. Its effect is the tool's."""

from __future__ import annotations

from contract.json_values import JSON
from contract.problems import FieldProblem
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.programs import EffectfulProgram
from workflows.reading import Members
from workflows.templating import Template, compile_template
from workflows.tools import Tool, ToolRegistry


class ToolCall(EffectfulProgram):
    """Resolves to {tool, arguments}, the arguments checked against the tool's schema (`invalid_arguments`)."""

    def __init__(self, tool: Tool, arguments: Template) -> None:
        self.effect = tool.effect
        self.action_version = tool.version
        self.tool = tool
        self._arguments = arguments

    def resolve(self, scope: Scope) -> dict[str, JSON]:
        arguments = self._arguments.resolve(scope)
        problems = self.tool.arguments.violations(arguments, "/arguments")
        if problems:
            raise StepFailed("invalid_arguments", _told(self.tool, problems), details=_details(problems))
        return {"tool": self.tool.name, "arguments": arguments}


def compile_config(config: Members, tools: ToolRegistry) -> ToolCall | None:
    name = config.text("tool", required=True)
    arguments = config.template("arguments", kind=dict)
    if arguments is None:
        arguments = compile_template({}, config.at("arguments"), config.notes.problems)
    config.refuse_others()
    tool = None if name is None else tools.get(name)
    if tool is None:
        if name is not None:
            known = ", ".join(tools.names()) or "none"
            config.report("tool", "unknown_tool", f"there is no tool `{name}`; known: {known}")
        return None
    if arguments.is_literal:
        for problem in tool.arguments.violations(arguments.raw):
            config.report_below("arguments", problem)
    return ToolCall(tool, arguments)


def _told(tool: Tool, problems: list[FieldProblem]) -> str:
    return f"the tool {tool.name} does not take these arguments: {problems[0].field}: {problems[0].message}"


def _details(problems: list[FieldProblem]) -> JSON:
    return [{"field": problem.field, "code": problem.code, "message": problem.message} for problem in problems]
