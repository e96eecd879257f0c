"""loop: a body of steps, repeated until a condition holds, a bounded number of times. The body is read by bodies.py."""

from __future__ import annotations

from workflows.expressions import PART_ROOTS, Expression
from workflows.programs import LoopProgram
from workflows.reading import Members
from workflows.spec import PARTS
from workflows.tools import ToolRegistry


class Loop(LoopProgram):
    def __init__(self, until: Expression, max_iterations: int) -> None:
        self.until = until
        self.max_iterations = max_iterations


def compile_config(config: Members, _tools: ToolRegistry) -> Loop | None:
    known = len(config.notes.problems)
    body = config.take("body")
    until = config.condition("until", required=True, roots=PART_ROOTS)
    config.take("max_iterations", required=True)
    max_iterations = config.integer("max_iterations", 1, least=1, most=PARTS)
    if isinstance(body, list) and len(body) * max_iterations > PARTS:
        message = f"{max_iterations:,} rounds of {len(body)} steps are more than {PARTS:,} steps"
        config.report("max_iterations", "invalid", message)
    config.refuse_others()
    return None if until is None or len(config.notes.problems) > known else Loop(until, max_iterations)
