"""One worker process put together: its identity, its lease, its engine. Made once a process, after the fork."""

from __future__ import annotations

import os
import socket
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID, uuid4

import psycopg
from django.conf import settings
from django.db import DatabaseError, connection

from executions.announce import announce
from executions.bell import Bell
from executions.change import Carrier
from executions.payloads.reading import contents
from executions.postgres_store import PostgresStore
from orchestrator.actions import tenant_secrets, workflow
from orchestrator.actions.action import Action
from orchestrator.actions.carrying import Carrier as StepCarrier
from orchestrator.actions.http import HttpAction
from orchestrator.actions.llm_inference import LlmAction
from orchestrator.actions.time_limit import interrupt
from orchestrator.actions.tool_call import ToolCallAction
from orchestrator.actions.webhook import WebhookAction
from orchestrator.engine import Engine
from orchestrator.held import Held
from orchestrator.leases import Lease
from orchestrator.outcomes import Limits
from tenants.egress import client
from workflows import catalog, tools
from workflows.spec import Runnable

RUNNABLES_KEPT = 256


class Runnables:
    """The compiled definitions that this process has at hand, the longest unused forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, str], Runnable] = OrderedDict()

    def kept(self, version_id: UUID, parameters: str) -> Runnable | None:
        found = self._kept.get((version_id, parameters))
        if found is not None:
            self._kept.move_to_end((version_id, parameters))
        return found

    def load(self, version_id: UUID, parameters: str) -> None:
        """Raises psycopg.OperationalError in an outage."""
        try:
            self._kept[version_id, parameters] = catalog.runnable_of(version_id, parameters)
        except DatabaseError as error:
            connection.close()
            raise psycopg.OperationalError("the definition could not be read") from error
        while len(self._kept) > RUNNABLES_KEPT:
            self._kept.popitem(last=False)


def actions() -> dict[str, Action]:
    """The action of each effectful step type."""
    outbound = client(settings.EGRESS_ALLOWED_HOSTS)
    return {
        "http": HttpAction(outbound),
        "llm_inference": LlmAction(outbound, settings.LLM_BASE_URL or None),
        "tool_call": ToolCallAction(tools.registry),
        "webhook": WebhookAction(outbound),
        "workflow": workflow.start,
    }


@dataclass
class WorkerProcess:
    """This process as a worker."""

    url: str

    @cached_property
    def carrier(self) -> Carrier:
        return Carrier(uuid4(), f"{socket.gethostname()}:{os.getpid()}", settings.CODE_VERSION)

    @cached_property
    def engine(self) -> Engine:
        limits, held = Limits(settings.OUTPUT_LIMIT_BYTES), Held()
        return Engine(
            store=PostgresStore(self.url, self.carrier, contents()),
            runnables=Runnables(),
            carry_out=StepCarrier(actions(), limits, held, tenant_secrets.of_tenant),
            announce=announce,
            limits=limits,
            held=held,
        )

    @cached_property
    def bell(self) -> Bell:
        return Bell(settings.REDIS_URL)

    @cached_property
    def lease(self) -> Lease:
        return Lease(self.url, self.carrier, self.engine.held, interrupt)
