"""What a template says, compiled: an application's data to a workflow's input, its output to an outcome. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from contract.json_values import JSON
from contract.problems import FieldProblem, InvalidInput
from workflows.expressions import OUTCOME_ROOTS, TEMPLATE_ROOTS, Expression, ExpressionInvalid
from workflows.failures import StepFailed
from workflows.templating import Template, compile_condition, compile_template


@dataclass(frozen=True, slots=True)
class Binding:
    """A template's `input` and `outcome`, ready to be used."""

    made_of: Template
    verdict: Expression

    def input(self, application: JSON) -> JSON:
        """The workflow's input for an application's data. Raises StepFailed where an expression errors."""
        return self.made_of.resolve({"application": application})

    def outcome(self, output: JSON) -> str:
        """What the workflow's output means. Raises StepFailed where the expression errors or yields no string."""
        outcome = self.verdict.evaluate({"output": output})
        if not isinstance(outcome, str):
            raise StepFailed("outcome_is_no_string", "the template's outcome is no string")
        return outcome


def bind(made_of: JSON, verdict: str) -> Binding:
    """The binding of a template's `input` and `outcome`. Raises InvalidInput with every problem they have."""
    problems: list[FieldProblem] = []
    compiled = compile_template(made_of, "/input", problems, TEMPLATE_ROOTS)
    try:
        expression = compile_condition(verdict, OUTCOME_ROOTS)
    except ExpressionInvalid as error:
        problems += [FieldProblem("/outcome", "bad_expression", problem) for problem in error.problems]
    if problems:
        raise InvalidInput(problems[0].message, fields=problems)
    return Binding(compiled, expression)
