"""/v1/agents/{id}/tasks/...: what workers of an agent claim, keep and report on. Workflow dialect."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from django.http import HttpResponse
from rest_framework.fields import empty as nothing_given

from contract import schema
from contract.answers import shown
from contract.away import at_hand
from contract.http import WAITS_LATER, Answer
from contract.json_values import JSON
from contract.schema import ID, MOMENT, OBJECT, TEXT, Component, Schema, either, listed, maybe, record, whole, words
from contract.shapes import ABSENT, Anything, Flag, Shape, Text, Whole
from contract.timestamps import wire
from executions.agents import check_at_work
from executions.api.waiting import Wait
from executions.awaiting import openings
from executions.commands.claiming import MOST_CLAIMED, Claimed, beat, claim
from executions.commands.reporting import TaskFailed, complete_task, fail_task
from executions.models import Task
from tenants import registry
from tenants.door import Door, takes
from tenants.models import Agent

LONGEST_WAIT: Final = 30
"""Seconds that a claim may wait for something to claim."""
LONGEST_MESSAGE: Final = 4_000
FAILED: Final = "agent_failed"
"""The kind of a failure for which the worker gives none."""


class Claim(Shape):
    """The body of POST /v1/agents/{id}/tasks/claim."""

    max = Whole(low=1, high=MOST_CLAIMED, required=False, default=1)
    wait_seconds = Whole(low=0, high=LONGEST_WAIT, required=False, default=0)


class Heartbeat(Shape):
    """The body of POST .../tasks/{task_id}/heartbeat."""

    lease = Text()


class CompleteTask(Shape):
    """The body of POST .../tasks/{task_id}/complete."""

    lease = Text()
    output = Anything(required=False, allow_null=True, default=None)


class Error(Shape):
    """What went wrong, in an object; a text alone is its message."""

    message = Text(longest=LONGEST_MESSAGE)
    kind = Text(required=False, empty=ABSENT, longest=100)
    details = Anything(required=False, allow_null=True, default=None)

    def described(self) -> Schema:
        """Either spelling."""
        return either(schema.text(LONGEST_MESSAGE, 1), super().described())

    def run_validation(self, data: Any = nothing_given) -> Any:
        """The object, whichever way it is written."""
        return super().run_validation({"message": data} if isinstance(data, str) else data)


class FailTask(Shape):
    """The body of POST .../tasks/{task_id}/fail."""

    lease = Text()
    error = Error()
    retryable = Flag(required=False, default=True)


CLAIMED = Component(
    "ClaimedTasks",
    record(
        {
            "items": listed(
                record(
                    {
                        "task_id": ID,
                        "lease": ID,
                        "task": TEXT,
                        "arguments": OBJECT,
                        "execution_id": ID,
                        "step": TEXT,
                        "attempt": whole(1),
                        "deadline": maybe(MOMENT),
                    }
                )
            )
        }
    ),
)
LEASED = Component(
    "LeasedTask",
    record({"task_id": ID, "status": words("claimed"), "leased_until": MOMENT, "deadline": maybe(MOMENT)}),
)
REPORTED = Component("ReportedTask", record({"task_id": ID, "status": words("completed", "failed")}))


class NothingYet(Exception):
    """There was nothing to claim for this agent, and the caller wants to wait: nothing is committed."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(f"no task of agent {agent.id} is open")
        self.agent = agent


class AgentsDoor(Door):
    """What a worker does in the name of an agent, which has to be active and allowed to carry tasks out."""

    def _agent(self, agent_id: str) -> Agent:
        agent = registry.agent_of(self.tenant, agent_id)
        check_at_work(agent)
        return agent


class ClaimDoor(AgentsDoor):
    """Claims, at once or as soon as there is something to claim."""

    @takes("agents:work", body=Claim.read, answers=shown(CLAIMED, "What was claimed, which may be nothing."))
    def claim(self, agent_id: str) -> Answer:
        """Tasks of the agent, of the highest priority first, then the oldest; each under a lease of its own."""
        agent = self._agent(agent_id)
        tasks = claim(agent, self.input["max"], self.credential.actor)
        if not tasks and time.monotonic() < self._until:
            raise NothingYet(agent)
        return self.ok({"items": [show_claimed(task) for task in tasks]})

    def _mutate(self, act: Callable[[], Answer]) -> Answer:
        self._until = time.monotonic() + self.input["wait_seconds"]
        return self._claimed(act)

    def _claimed(self, act: Callable[[], Answer]) -> Answer:
        """As any mutation, tried again while nothing is there; between two tries no transaction is open."""
        while True:
            try:
                return super()._mutate(act)
            except NothingYet as nothing:
                seconds = max(0.0, self._until - time.monotonic())
                if self.request.META.get(WAITS_LATER):
                    answer = self.ok({"items": []})
                    answer.wait = Wait(openings, nothing.agent.id, seconds, partial(self._settled, act))
                    return answer
                openings.await_it(nothing.agent.id, seconds)

    def _settled(self, act: Callable[[], Answer]) -> HttpResponse:
        try:
            return at_hand(partial(self._claimed, act))
        except Exception as error:  # noqa: BLE001 - as in Door.dispatch
            return cast("HttpResponse", self.handle_exception(error))


class TaskDoor(AgentsDoor):
    """What the worker that has claimed a task says of it, under its lease."""

    @takes("agents:work", body=Heartbeat.read, answers=shown(LEASED, refuses=(409,)))
    def heartbeat(self, agent_id: str, task_id: str) -> Answer:
        """It is still at work: the lease lasts a minute from now."""
        task = beat(self._agent(agent_id), task_id, self.input["lease"])
        leased, deadline = wire(task.leased_until), wire(task.deadline_at)
        return self.ok({"task_id": str(task.id), "status": "claimed", "leased_until": leased, "deadline": deadline})

    @takes("agents:work", body=CompleteTask.read, answers=shown(REPORTED, refuses=(409,)))
    def complete(self, agent_id: str, task_id: str) -> Answer:
        """It is done: the output is the step's."""
        given = self.input
        task = complete_task(self._agent(agent_id), task_id, given["lease"], given["output"], self.credential.actor)
        return self.ok(show_reported(task, "completed"))

    @takes("agents:work", body=FailTask.read, answers=shown(REPORTED, refuses=(409,)))
    def fail(self, agent_id: str, task_id: str) -> Answer:
        """It could not be done: the step is tried again by its policy, or fails."""
        given, error = self.input, self.input["error"]
        failed = TaskFailed(error.get("kind", FAILED), error["message"], error["details"], given["retryable"])
        task = fail_task(self._agent(agent_id), task_id, given["lease"], failed, self.credential.actor)
        return self.ok(show_reported(task, "failed"))


def show_claimed(task: Claimed) -> JSON:
    """A claimed task on the wire."""
    return {
        "task_id": str(task.task_id),
        "lease": str(task.lease),
        "task": task.task,
        "arguments": task.arguments,
        "execution_id": str(task.execution_id),
        "step": task.step,
        "attempt": task.attempt,
        "deadline": wire(task.deadline),
    }


def show_reported(task: Task, status: str) -> JSON:
    """A task that was reported on, on the wire."""
    return {"task_id": str(task.id), "status": status}
