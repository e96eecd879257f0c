"""What operators decide about a step, on its page: approve, reject, skip, complete, resolve, redrive from it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action

from contract.json_values import JSON
from executions import commands
from executions.admin.operating import Command, JsonField, Question, WordField, ask_and_act
from executions.admin.windows import OfExecutionAdmin
from executions.commands.overruling import OUTCOMES
from executions.models import Execution, Step
from executions.states import MOVES, STEP_MOVES, TERMINAL, Status, StepStatus
from workflows.spec import PARTS

APPROVE = Question("approve", "Approve the step", "comment", 1000, "Approve", wanted=False)
REJECT = Question("reject", "Reject the step", "comment", 1000, "Reject", wanted=False)
SKIP = Question("skip", "Skip the step", "reason", 1000, "Skip the step")
COMPLETE = Question("complete", "Complete the step", "reason", 1000, "Complete the step", others={"output": JsonField})
RESOLVE = Question(
    "resolve",
    "Resolve the unknown outcome",
    "reason",
    1000,
    "Resolve the outcome",
    others={"outcome": lambda: WordField(*OUTCOMES), "output": JsonField},
)


class StepActions(OfExecutionAdmin):
    """The actions of the window on steps; each asks first."""

    actions_detail = ("approve_this", "reject_this", "skip_this", "complete_this", "resolve_this", "redrive_from_this")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Those that the states of the step and of its execution allow."""
        step = _rows(object_id).select_related("execution").first()
        open_ = _possible(step, step.execution) if step else frozenset()
        return [one for one in super().get_actions_detail(request, object_id) if one.path in open_]

    def has_command_permission(self, request: HttpRequest, object_id: Any = None) -> bool:  # noqa: ARG002
        """Those who may change executions."""
        return request.user.has_perm("executions.change_execution")

    @action(description="Approve", permissions=("command",), url_path="approve")  # type: ignore[untyped-decorator]
    def approve_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a comment. Operators may, whomever the step names."""
        return self._ask_this(request, object_id, APPROVE, _approve)

    @action(description="Reject", permissions=("command",), url_path="reject")  # type: ignore[untyped-decorator]
    def reject_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a comment."""
        return self._ask_this(request, object_id, REJECT, _reject)

    @action(description="Skip", permissions=("command",), url_path="skip")  # type: ignore[untyped-decorator]
    def skip_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a reason."""
        return self._ask_this(request, object_id, SKIP, _skip)

    @action(description="Complete", permissions=("command",), url_path="complete")  # type: ignore[untyped-decorator]
    def complete_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the output and a reason."""
        return self._ask_this(request, object_id, COMPLETE, _complete)

    @action(description="Resolve", permissions=("command",), url_path="resolve")  # type: ignore[untyped-decorator]
    def resolve_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the outcome, the output and a reason."""
        return self._ask_this(request, object_id, RESOLVE, _resolve)

    @action(description="Redrive from here", permissions=("command",), url_path="redrive")  # type: ignore[untyped-decorator]
    def redrive_from_this(self, request: HttpRequest, object_id: str) -> HttpResponse:  # noqa: ARG002
        """Leads to the redrive of its execution, which shows what would be repeated."""
        step = _one(object_id)[0]
        address = reverse("admin:executions_execution_redrive_this", args=[step.execution_id])
        return HttpResponseRedirect(f"{address}?{urlencode({'from': step.name})}")

    def _ask_this(self, request: HttpRequest, object_id: str, question: Question, command: Command) -> HttpResponse:
        back = reverse("admin:executions_step_change", args=[object_id])
        return ask_and_act(self, request, _one(object_id), question, command, back=back) or HttpResponseRedirect(back)


def _possible(step: Step, execution: Execution) -> frozenset[str]:
    status, live = StepStatus(step.status), Status(execution.status) not in TERMINAL
    redrivable = Status(execution.status) in MOVES["redrive"].sources
    possible = {
        "approve": live and status is StepStatus.WAITING,
        "reject": live and status is StepStatus.WAITING,
        "skip": live and status in STEP_MOVES["skip"].sources,
        "complete": live and status in STEP_MOVES["complete"].sources,
        "resolve": live and status is StepStatus.OUTCOME_UNKNOWN,
        "redrive": redrivable and step.index < PARTS,
    }
    return frozenset(name for name, yes in possible.items() if yes)


def _approve(row: Step, comment: str, actor: str) -> None:
    commands.decide(row.execution_id, row.name, approved=True, comment=comment or None, actor=actor, called=None)


def _reject(row: Step, comment: str, actor: str) -> None:
    commands.decide(row.execution_id, row.name, approved=False, comment=comment or None, actor=actor, called=None)


def _skip(row: Step, reason: str, actor: str) -> None:
    commands.skip(row.execution_id, row.name, reason, actor)


def _complete(row: Step, reason: str, actor: str, *, output: JSON) -> None:
    commands.complete(row.execution_id, row.name, output, reason, actor)


def _resolve(row: Step, reason: str, actor: str, *, outcome: str, output: JSON) -> None:
    commands.resolve(row.execution_id, row.name, outcome, output, reason=reason, actor=actor)


def _rows(object_id: str) -> QuerySet[Step]:
    known = object_id.isascii() and object_id.isdigit() and len(object_id) < 19
    return Step.objects.filter(id=int(object_id)) if known else Step.objects.none()


def _one(object_id: str) -> QuerySet[Step]:
    rows = _rows(object_id)
    if not rows.exists():
        raise Http404
    return rows
