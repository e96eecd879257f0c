"""/v1/executions/{id}/...: what an execution and its steps are told, and why a step waits. Executions dialect."""

from __future__ import annotations

from typing import Any

from contract.answers import shown
from contract.http import Answer
from contract.json_values import JSON
from contract.problems import FieldProblem
from contract.schema import Schema, either
from contract.shapes import ABSENT, Anything, Flag, FreeObject, OneOf, Shape, Text, invalid
from executions import commands
from executions.api.answers import EXECUTION, REDRIVEN, WHY_WAITING
from executions.api.executions import show
from executions.commands.overruling import OUTCOMES
from executions.commands.redriving import Prepared
from executions.models import Execution
from executions.reading import execution_of
from executions.waits import Explained, why_waiting
from executions.why import said
from tenants.door import Door, takes

REASON_LENGTH = 1000


class Cancel(Shape):
    """The body of POST /v1/executions/{id}/cancel."""

    reason = Text(required=False, empty=ABSENT, longest=REASON_LENGTH)


class Redrive(Shape):
    """The body of POST /v1/executions/{id}/redrive."""

    fromStep = Text(required=False, empty=ABSENT)
    input = FreeObject(required=False)
    preview = Flag(required=False, default=False)

    def described(self) -> Schema:
        """Where `input` is given, `fromStep` is."""
        named = {"required": ["fromStep"], "properties": {"fromStep": {"type": "string", "minLength": 1}}}
        return {**self.record(), **either({"properties": {"input": {"type": "null"}}}, named)}


class Signal(Shape):
    """The body of POST /v1/executions/{id}/signals/{name}."""

    payload = Anything(required=False, allow_null=True, default=None)


class Decide(Shape):
    """The body of POST /v1/executions/{id}/steps/{step}/approve and reject."""

    comment = Text(required=False, empty=ABSENT, longest=REASON_LENGTH)


class Skip(Shape):
    """The body of POST /v1/executions/{id}/steps/{step}/skip."""

    reason = Text(longest=REASON_LENGTH)


class Complete(Shape):
    """The body of POST /v1/executions/{id}/steps/{step}/complete."""

    reason = Text(longest=REASON_LENGTH)
    output = Anything(required=False, allow_null=True, default=None)


class Resolve(Shape):
    """The body of POST /v1/executions/{id}/steps/{step}/resolve."""

    reason = Text(longest=REASON_LENGTH)
    outcome = OneOf(*OUTCOMES)
    output = Anything(required=False, allow_null=True, default=None)

    def described(self) -> Schema:
        """Where `output` is given, the step succeeded."""
        succeeded = {"properties": {"outcome": {"const": "succeeded"}}}
        return {**self.record(), **either({"properties": {"output": {"type": "null"}}}, succeeded)}


def read_redrive(body: JSON) -> dict[str, Any]:
    """The members of a redrive. Raises InvalidInput."""
    given = Redrive.read(body)
    if "input" in given and "fromStep" not in given:
        raise invalid([FieldProblem("/fromStep", "missing", "`input` is for a step, which `fromStep` names")])
    return given


def read_resolution(body: JSON) -> dict[str, Any]:
    """The members of a resolution. Raises InvalidInput."""
    given = Resolve.read(body)
    if given["output"] is not None and given["outcome"] != "succeeded":
        raise invalid([FieldProblem("/output", "conflicting", "only a step that succeeded has an `output`")])
    return given


class CommandDoor(Door):
    """What an execution of the caller's tenant is told. Each answers with the execution as it stands then."""

    def idempotency_key(self) -> str | None:
        """The preview of a redrive takes none: nothing of it is stored."""
        return None if self.input.get("preview") else super().idempotency_key()

    @takes("executions:write", body=Cancel.read, answers=shown(EXECUTION))
    def cancel(self, execution_id: str) -> Answer:
        """End it: at once while it awaits payment, else as soon as what runs has ended."""
        commands.cancel(self._named(execution_id).id, self.input.get("reason"), self._actor)
        return self._standing(execution_id)

    @takes("executions:write", answers=shown(EXECUTION))
    def pause(self, execution_id: str) -> Answer:
        """Nothing new of it begins."""
        commands.pause(self._named(execution_id).id, self._actor)
        return self._standing(execution_id)

    @takes("executions:write", answers=shown(EXECUTION))
    def resume(self, execution_id: str) -> Answer:
        """It goes on where it was paused, or quarantined."""
        commands.resume(self._named(execution_id).id, self._actor)
        return self._standing(execution_id)

    @takes(
        "executions:write", body=read_redrive, shape=Redrive, answers=shown(REDRIVEN, "As it stands, or the preview.")
    )
    def redrive(self, execution_id: str) -> Answer:
        """Run it again from where it failed, or from a step; with `preview`, what that would do."""
        execution = self._named(execution_id)
        from_step, given = self.input.get("fromStep"), self.input.get("input")
        if self.input["preview"]:
            return self.ok({"preview": show_preview(commands.preview_redrive(execution.id, from_step, given))})
        commands.redrive(execution.id, from_step, given, self._actor)
        return self._standing(execution_id)

    @takes("executions:write", body=Signal.read, answers=shown(EXECUTION))
    def signal(self, execution_id: str, name: str) -> Answer:
        """Hand it to the step that waits for it, or will."""
        commands.signal(self._named(execution_id).id, name, self.input["payload"], self._actor)
        return self._standing(execution_id)

    @property
    def _actor(self) -> str:
        return self.credential.actor

    def _named(self, execution_id: str) -> Execution:
        return execution_of(self.tenant, execution_id)

    def _standing(self, execution_id: str) -> Answer:
        return self.ok(show(self._named(execution_id)))


class StepDoor(CommandDoor):
    """What a step of an execution is told. `step` is its name or its id."""

    @takes("executions:read", answers=shown(WHY_WAITING))
    def why_waiting(self, execution_id: str, step: str) -> Answer:
        """In words and in data."""
        return self.ok(show_why(why_waiting(self._named(execution_id), step)))

    @takes("executions:write", body=Decide.read, answers=shown(EXECUTION))
    def approve(self, execution_id: str, step: str) -> Answer:
        """It goes on."""
        return self._decide(execution_id, step, approved=True)

    @takes("executions:write", body=Decide.read, answers=shown(EXECUTION))
    def reject(self, execution_id: str, step: str) -> Answer:
        """It fails."""
        return self._decide(execution_id, step, approved=False)

    @takes("executions:write", body=Skip.read, answers=shown(EXECUTION))
    def skip(self, execution_id: str, step: str) -> Answer:
        """Go on as if it were not needed."""
        commands.skip(self._named(execution_id).id, step, self.input["reason"], self._actor)
        return self._standing(execution_id)

    @takes("executions:write", body=Complete.read, answers=shown(EXECUTION))
    def complete(self, execution_id: str, step: str) -> Answer:
        """Go on as if it had succeeded."""
        given = self.input
        commands.complete(self._named(execution_id).id, step, given["output"], given["reason"], self._actor)
        return self._standing(execution_id)

    @takes("executions:write", body=read_resolution, shape=Resolve, answers=shown(EXECUTION))
    def resolve(self, execution_id: str, step: str) -> Answer:
        """Say how an unknown outcome came out."""
        given, execution = self.input, self._named(execution_id)
        told = {"reason": given["reason"], "actor": self._actor}
        commands.resolve(execution.id, step, given["outcome"], given["output"], **told)
        return self._standing(execution_id)

    def _decide(self, execution_id: str, step: str, *, approved: bool) -> Answer:
        commands.decide(
            self._named(execution_id).id,
            step,
            approved=approved,
            comment=self.input.get("comment"),
            actor=self._actor,
            called=self.credential.called,
        )
        return self._standing(execution_id)


def show_preview(prepared: Prepared) -> JSON:
    """What a redrive would keep, begin anew, and repeat."""
    spec, plan = prepared.spec, prepared.plan
    return {
        "fromStep": prepared.from_step,
        "keeps": [spec.step(index).name for index in plan.keeps],
        "resets": [spec.step(index).name for index in plan.resets],
        "repeats": [
            {
                "step": spec.step(repeat.index).name,
                "type": spec.step(repeat.index).type,
                "effect": spec.step(repeat.index).effect.value,
                "attempts": repeat.attempts,
                "lastOutcome": repeat.last.value,
                "sameKey": repeat.same_key,
            }
            for repeat in plan.repeats
        ],
    }


def show_why(explained: Explained) -> JSON:
    step, reasons = explained.step, explained.reasons
    return {
        "stepId": str(step.id),
        "name": step.spec.name,
        "status": step.status,
        "message": said(reasons),
        "waitingFor": [{"kind": reason.kind, "message": reason.message, **reason.data} for reason in reasons],
    }
