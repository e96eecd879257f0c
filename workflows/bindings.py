"""What a template says: an application's data to a workflow's input, the workflow's output to an outcome. Pure."""

from __future__ import annotations

from contract.json_values import JSON
from contract.problems import FieldProblem, InvalidInput
from workflows.expressions import OUTCOME_ROOTS, TEMPLATE_ROOTS, Expression, ExpressionInvalid
from workflows.templating import Template, compile_condition, compile_template


def compile_input(value: JSON, pointer: str, problems: list[FieldProblem]) -> Template:
    """The template's `input`, to be resolved with {"application": data}; what is wrong is added to `problems`."""
    return compile_template(value, pointer, problems, TEMPLATE_ROOTS)


def compile_outcome(text: str) -> Expression:
    """The template's `outcome`, with or without `${{ }}`, for {"output": output}. Raises ExpressionInvalid."""
    return compile_condition(text, OUTCOME_ROOTS)


def check(made_of: JSON, verdict: str) -> None:
    """Raises InvalidInput with every problem of a template's `input` and `outcome`."""
    problems: list[FieldProblem] = []
    compile_input(made_of, "/input", problems)
    try:
        compile_outcome(verdict)
    except ExpressionInvalid as error:
        problems += [FieldProblem("/outcome", "bad_expression", problem) for problem in error.problems]
    if problems:
        raise InvalidInput(problems[0].message, fields=problems)
