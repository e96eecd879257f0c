"""What is asked for each execution that is created, in one statement: what of a workflow runs now, and for whom.

A process keeps what it read for a moment. Whoever goes by that has it made sure of by the statement that inserts the
execution (STILL), and takes no refusal from it. The rest of what is read of workflows is in catalog.py.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from contract.away import Away, brought_so_far
from contract.clock import Reading
from contract.identifiers import parse_id
from contract.prepared import Row, one_row
from contract.problems import NotFound, Refusal
from tenants.models import Agent, Tenant
from workflows.catalog import live_version_of
from workflows.models import Workflow, WorkflowVersion

NEAR_SECONDS: Final = 0.002
"""Only what came within this time is kept. By so little our clock may be behind, which is less than an execution takes
to be created: those that are created one after the other, by two processes, stay in their order."""
MOST_KEPT: Final = 1_000

Key = tuple[UUID, UUID]
"""Of a tenant and of its workflow."""


@dataclass(frozen=True, slots=True)
class Live:
    """The version that an execution takes now, the agent it has if it names none, and the database's clock then.

    `kept`: an earlier request read it.
    """

    key: Key
    version: WorkflowVersion
    agent: Agent
    now: datetime
    kept: bool = False

    @property
    def expected(self) -> dict[str, Any]:
        """What STILL compares, beside the columns of the execution and of its submission."""
        return {"agent_status": self.agent.status, "agent_actions": list(self.agent.actions)}

    @contextmanager
    def made_sure(self) -> Iterator[None]:
        """What is refused inside because of what was kept is looked at anew. Raises Outdated."""
        try:
            yield
        except Refusal as refusal:
            if self.kept:
                raise Outdated(self.key) from refusal
            raise


class Outdated(Away):
    """What was kept of a workflow holds no more, or may not."""

    def __init__(self, key: Key) -> None:
        super().__init__(str(key[1]))
        self.key = key

    def bring(self) -> None:
        """Have it read anew."""
        _kept.forget(self.key)


class _Kept:
    """What this process read last of each workflow, the longest kept forgotten first."""

    def __init__(self) -> None:
        self._found: OrderedDict[Key, tuple[Live, Reading]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Live | None:
        """With the time that it is now, unless it was read too long ago."""
        found = self._found.get(key)
        if found is None or (now := found[1].gone_on()) is None:
            return None
        return replace(found[0], now=now, kept=True)

    def keep(self, found: Live, reading: Reading) -> None:
        with self._lock:
            self._found.pop(found.key, None)
            self._found[found.key] = found, reading
            while len(self._found) > MOST_KEPT:
                self._found.popitem(last=False)

    def forget(self, key: Key) -> None:
        with self._lock:
            self._found.pop(key, None)


_kept = _Kept()


def live(tenant: Tenant, workflow_id: str | UUID) -> Live:
    """What runs of the workflow with this id, perhaps as of a moment ago: see Live.made_sure and STILL.

    Raises NotFound, and Conflict as catalog.live_version does.
    """
    identifier = parse_id(workflow_id)
    if identifier is None:
        raise NotFound("there is no such workflow")
    key = tenant.id, identifier
    return (None if _is_outdated(key) else _kept.get(key)) or _read(key)


def _is_outdated(key: Key) -> bool:
    """Whether this request was misled already: what others keep meanwhile could mislead it again, without end."""
    return any(isinstance(away, Outdated) and away.key == key for away in brought_so_far() or ())


def _read(key: Key) -> Live:
    asked_at = time.monotonic()
    row = one_row(_LIVE, {"tenant": key[0], "id": key[1]})
    if row is None:
        raise NotFound("there is no such workflow")
    reading = Reading.now(row[-1])
    found = Live(key, *_shown(row))
    if reading.read_at - asked_at <= NEAR_SECONDS:
        _kept.keep(found, reading)
    return found


def _shown(row: Row) -> tuple[WorkflowVersion, Agent, datetime]:
    """Raises Conflict."""
    workflow = Workflow.from_db(DEFAULT_DB_ALIAS, _OF_WORKFLOW, row[: len(_OF_WORKFLOW)])
    *of_version, now = row[len(_OF_WORKFLOW) + len(_OF_AGENT) :]
    if workflow.live_version_id is not None:
        workflow.live_version = WorkflowVersion.from_db(DEFAULT_DB_ALIAS, _OF_VERSION, of_version)
    agent = Agent.from_db(DEFAULT_DB_ALIAS, _OF_AGENT, row[len(_OF_WORKFLOW) :][: len(_OF_AGENT)])
    return live_version_of(workflow), agent, now


_OF_WORKFLOW = ("id", "tenant_id", "name", "archived_at", "paused_at", "live_version_id")
_OF_AGENT = ("id", "tenant_id", "name", "actions", "status")
_OF_VERSION = ("id", "workflow_id", "version", "digest")
_WITH_AGENT = f"""FROM workflows_workflow w
JOIN tenants_agent a ON a.id = COALESCE(w.default_agent_id,
  (SELECT d.id FROM tenants_agent d WHERE d.tenant_id = w.tenant_id AND d.name = '{Agent.DEFAULT_NAME}'))"""
_LIVE = f"""
SELECT {", ".join(f"w.{name}" for name in _OF_WORKFLOW)},
  {", ".join(f"a.{name}" for name in _OF_AGENT)},
  {", ".join(f"v.{name}" for name in _OF_VERSION)}, clock_timestamp()
{_WITH_AGENT}
LEFT JOIN workflows_workflowversion v ON v.id = w.live_version_id
WHERE w.id = %(id)s AND w.tenant_id = %(tenant)s"""

STILL: Final = f"""
SELECT {_WITH_AGENT}
WHERE w.id = %(workflow_id)s AND w.tenant_id = %(tenant_id)s AND w.live_version_id = %(version_id)s
  AND w.archived_at IS NULL AND w.paused_at IS NULL
  AND a.id = %(agent_id)s AND a.status = %(agent_status)s AND a.actions::text[] = %(agent_actions)s"""
"""Finds a row only while what was read holds, whose ids are those of the execution and its submission."""
