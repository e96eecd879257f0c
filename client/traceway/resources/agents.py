"""`client.agents`: agents, and the tasks that an external worker carries out for one. Workflow dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from traceway.answers import Answer
from traceway.asking import ask, get, nothing, pages, path, post
from traceway.effects import Flow, Program, Request
from traceway.models import Agent, Lease
from traceway.surface import D, Resource, call, many

AGENTS = "/v1/agents"


@dataclass(frozen=True, kw_only=True)
class Task(Answer, Resource[D]):
    """A task that was claimed, and is the claimer's for a minute from then or its last heartbeat.

    Each method raises Conflict once somebody else has the task, or nobody wants it any more. At the `deadline` the
    step times out.
    """

    _driver: D = field(repr=False, compare=False)
    _agent_id: str = field(repr=False)
    task_id: str
    lease: str = field(repr=False)
    task: str
    arguments: Any
    execution_id: str
    step: str
    attempt: int
    deadline: datetime | None

    @call
    def heartbeat(self) -> Program[Lease]:
        """Somebody is still at it."""
        return ask(self._retry, self._telling("heartbeat"), Lease.of)

    @call
    def complete(self, output: Any = None) -> Program[None]:
        """It is done."""
        return ask(self._retry, self._telling("complete", output=output), nothing)

    @call
    def fail(self, error: str, *, retryable: bool | None = None) -> Program[None]:
        """It could not be done."""
        return ask(self._retry, self._telling("fail", error=error, retryable=retryable), nothing)

    def _telling(self, verb: str, **told: Any) -> Request:
        at = _at(self._agent_id, "/tasks/{task_id}/" + verb, task_id=self.task_id)
        return post(at, {"lease": self.lease, **told})


class Agents(Resource[D]):
    """Agents of the tenant. Either spelling of an agent's id does."""

    @call
    def create(
        self,
        name: str,
        *,
        description: str | None = None,
        actions: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Program[Agent]:
        """A new, active one. `actions` are patterns of what it may do; left out, everything."""
        body = {"name": name, "description": description, "actions": actions}
        return ask(self._retry, post(AGENTS, body, key=idempotency_key), Agent.of)

    @call
    def get(self, agent_id: str) -> Program[Agent]:
        """One."""
        return ask(self._retry, get(_at(agent_id)), Agent.of)

    @many
    def list(self, *, limit: int | None = None) -> Flow[Agent]:
        """Newest first."""
        return pages(self._retry, AGENTS, {}, Agent.of, limit)

    @call
    def suspend(self, agent_id: str) -> Program[Agent]:
        """Its steps are denied until it is active again."""
        return ask(self._retry, post(_at(agent_id, "/suspend")), Agent.of)

    @call
    def activate(self, agent_id: str) -> Program[Agent]:
        """It may act again."""
        return ask(self._retry, post(_at(agent_id, "/activate")), Agent.of)

    @call
    def revoke(self, agent_id: str) -> Program[Agent]:
        """Its steps are denied for ever."""
        return ask(self._retry, post(_at(agent_id, "/revoke")), Agent.of)

    @call
    def claim(self, agent_id: str, *, max: int = 1, wait_seconds: int = 0) -> Program[tuple[Task[D], ...]]:
        """At most `max` tasks for this worker; where there are none, after waiting `wait_seconds` for one."""
        body = {"max": max, "wait_seconds": wait_seconds or None}

        def read(answer: Any) -> tuple[Task[D], ...]:
            return tuple(Task.of(raw, _driver=self._driver, _agent_id=agent_id) for raw in answer["items"])

        return ask(self._retry, post(_at(agent_id, "/tasks/claim"), body, silent=wait_seconds), read)


def _at(agent_id: str, more: str = "", **parts: str) -> str:
    return path(AGENTS + "/{agent_id}" + more, agent_id=agent_id, **parts)
