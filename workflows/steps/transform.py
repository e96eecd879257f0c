"""transform: JSON with `${{ }}`; the output is the resolved JSON. Pure."""

from __future__ import annotations

from workflows.expressions import Scope, read_values
from workflows.programs import Evaluation, PureProgram
from workflows.reading import Members
from workflows.templating import Template
from workflows.tools import ToolRegistry


class Transform(PureProgram):
    def __init__(self, output: Template) -> None:
        self._output = output
        self._reads = output.all_references()

    def run(self, scope: Scope) -> Evaluation:
        return Evaluation(read_values(self._reads, scope), self._output.resolve(scope))


def compile_config(config: Members, _tools: ToolRegistry) -> Transform | None:
    output = config.template("output", required=True)
    config.refuse_others()
    return None if output is None else Transform(output)
