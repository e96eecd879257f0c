"""One worker process put together: its identity, its lease, its engine. Made once a process, after the fork."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID, uuid4

import psycopg
from django.conf import settings
from django.db import DatabaseError, connection

from executions.announce import announce
from executions.store import PostgresStore
from executions.transitions import Carrier
from orchestrator.actions.action import Action
from orchestrator.actions.carrying import Carrier as StepCarrier
from orchestrator.actions.egress import client
from orchestrator.actions.http import HttpAction
from orchestrator.actions.tool_call import ToolCallAction
from orchestrator.actions.webhook import WebhookAction
from orchestrator.engine import Engine
from orchestrator.leases import Lease
from orchestrator.outcomes import Limits
from workflows import catalog, tools
from workflows.spec import Runnable


def runnable(version_id: UUID, parameters: str) -> Runnable:
    """What a run of this version with these parameters carries out. Raises psycopg.OperationalError in an outage."""
    try:
        return catalog.runnable_of(version_id, parameters)
    except DatabaseError as error:
        connection.close()
        raise psycopg.OperationalError("the definition could not be read") from error


def actions() -> dict[str, Action]:
    """The action of each effectful step type."""
    outbound = client(settings.EGRESS_ALLOWED_HOSTS)
    return {
        "http": HttpAction(outbound),
        "tool_call": ToolCallAction(tools.registry),
        "webhook": WebhookAction(outbound),
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
        limits = Limits(settings.OUTPUT_LIMIT_BYTES)
        return Engine(
            store=PostgresStore(self.url, self.carrier),
            runnables=runnable,
            carry_out=StepCarrier(actions(), limits),
            announce=announce,
            limits=limits,
        )

    @cached_property
    def lease(self) -> Lease:
        return Lease(self.url, self.carrier, self.engine.held.all)
