"""agent: a task that an external worker of the step's agent claims and ends. Handing it out is the engine's."""

from __future__ import annotations

from contract.json_values import JSON
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.programs import TaskProgram
from workflows.reading import Members
from workflows.templating import Template, compile_template
from workflows.tools import ToolRegistry

LONGEST_TASK = 10_000
"""Characters that a task may have."""


class AgentTask(TaskProgram):
    """Resolves to {task, arguments}: a text and an object."""

    def __init__(self, task: Template, arguments: Template) -> None:
        self._task = task
        self._arguments = arguments

    def resolve(self, scope: Scope) -> dict[str, JSON]:
        task = self._task.resolve(scope)
        if not isinstance(task, str) or not 1 <= len(task) <= LONGEST_TASK:
            raise StepFailed("invalid_arguments", f"the `task` is no text of 1 to {LONGEST_TASK:,} characters")
        return {"task": task, "arguments": self._arguments.resolve(scope)}


def compile_config(config: Members, _tools: ToolRegistry) -> AgentTask | None:
    known = len(config.notes.problems)
    task = config.template("task", required=True, kind=str)
    if task is not None and not 1 <= len(task.raw) <= LONGEST_TASK:
        config.report("task", "invalid", f"`task` has 1 to {LONGEST_TASK:,} characters")
    arguments = config.template("arguments", kind=dict)
    if arguments is None:
        arguments = compile_template({}, config.at("arguments"), config.notes.problems)
    config.refuse_others()
    return None if task is None or len(config.notes.problems) > known else AgentTask(task, arguments)
