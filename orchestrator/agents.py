"""Agents: whether one may carry a step out now, and the tasks that its workers claim and report on.

Handing a task to a worker is not the engine's: see executions/commands/claiming.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from contract import json_values
from contract.identifiers import AGENT, new_id, parse_id
from contract.timestamps import wire
from executions.allowed import action_names, denial
from executions.change import AgentRow, ArrivalRow, NewTask
from executions.plan import Began, Waits
from executions.retry import Failure
from executions.states import AttemptStatus, StepStatus
from orchestrator import attempts, waits
from orchestrator.look import Look
from orchestrator.outcomes import Failed, encode
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.spec import StepSpec, TaskProgram

DENIED = "agent_denied"


def check(look: Look, step: StepSpec) -> None:
    """Raise StepFailed unless the step's agent may carry it out as it stands now. Asks nothing for the execution's own.

    An execution of old that was started for no agent is denied nothing.
    """
    agent = _agent_of(look, step)
    if agent is None and step.agent_id is not None:
        raise StepFailed(DENIED, "the step names an agent that does not exist")
    reason = None if agent is None else denial(agent.name, agent.status, agent.actions, action_names(step))
    if reason is not None:
        raise StepFailed(DENIED, reason)


def begin(look: Look, step: StepSpec, program: TaskProgram, scope: Scope) -> None:
    """Hand the task out: from now on workers of the step's agent may claim it."""
    agent = _agent_of(look, step)
    if agent is None:
        raise StepFailed(DENIED, "the execution has no agent that could carry this out")
    text = encode(program.resolve(scope), look.limits, "input")
    attempt = look.draft.begin(step.index, text, AttemptStatus.WAITING)
    deadline = _deadline(look, step)
    look.draft.note(step.index, attempt=attempt.number)
    look.draft.note(step.index, attempt=attempt.number, agent=str(agent.id), until=wire(deadline))
    look.settle(Began(step.index), Waits(step.index))
    waits.bound(look, step)
    look.draft.hand_out(NewTask(new_id(), agent.id, step.index, attempt.number, deadline))


def reported(look: Look, arrival: ArrivalRow) -> None:
    """The worker that had claimed the task said what came of it."""
    look.draft.consume(arrival)
    told = json_values.load(arrival.payload)
    index, number, error = told["index"], told["number"], told["error"]
    if not attempts.is_current(look, index, number, StepStatus.WAITING):
        look.draft.tell("step.late_outcome", look.spec.step(index).name, attempt=number)
        return
    look.draft.unschedule(index)
    if error is None:
        output = encode(told["output"], look.limits, "output")
        look.settle(attempts.succeed(look, index, number, output, by=arrival.actor))
    else:
        failure = Failure(error["kind"], error["message"], retryable=error["retryable"])
        look.settle(attempts.fail(look, index, number, Failed(failure, error["details"]), by=arrival.actor))


def denied(look: Look, arrival: ArrivalRow) -> None:
    """The task's agent may not carry it out any more."""
    look.draft.consume(arrival)
    told = json_values.load(arrival.payload)
    index, number = told["index"], told["number"]
    if attempts.is_current(look, index, number, StepStatus.WAITING):
        look.draft.unschedule(index)
        failure = Failure(DENIED, told["message"], retryable=False)
        look.settle(attempts.fail(look, index, number, Failed(failure)))


def lose(look: Look, index: int, number: int) -> None:
    """The lease of the worker that had claimed a task is over: another attempt follows, as after any lost one.

    What waits for a child is not meant: its worker was not lost after all.
    """
    step = look.spec.step(index)
    if isinstance(step.program, TaskProgram) and attempts.is_current(look, index, number, StepStatus.WAITING):
        look.draft.unschedule(index)
        look.settle(attempts.lose(look, index, number, step.effect))


def _agent_of(look: Look, step: StepSpec) -> AgentRow | None:
    """The step's own agent, or else the execution's."""
    own = look.loaded.row.agent
    if step.agent_id is None:
        return own
    named = parse_id(step.agent_id, AGENT)
    if named is None or (own is not None and named == own.id):
        return None if named is None else own
    if named not in look.agents:
        look.agents[named] = look.session.agent(look.loaded.row.id, named)
    return look.agents[named]


def _deadline(look: Look, step: StepSpec) -> datetime | None:
    """When nobody will wait for the task any more: the end of the step's time or of the execution's."""
    moments = [look.draft.standing.deadline_at]
    if step.timeout_seconds < waits.UNBOUNDED_SECONDS:
        moments.append(look.draft.now + timedelta(seconds=step.timeout_seconds))
    return min((moment for moment in moments if moment is not None), default=None)
