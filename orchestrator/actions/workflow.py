"""The workflow step: start an execution of another workflow. Its end is waited for without a worker."""

from __future__ import annotations

import time
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from contract.away import Unreachable
from contract.json_values import JSON
from contract.problems import Refusal
from executions.children import Turn, start_child
from orchestrator.actions.action import ActionFailed, Attempted, Started

PAUSE_SECONDS = 0.5


def start(config: dict[str, JSON], attempted: Attempted) -> Started:
    """Start the child, through any outage of the database or the payload store that the step's time-out allows.

    Raises ActionFailed(child_refused).
    """
    turn = Turn(UUID(attempted.execution_id), attempted.index, attempted.step, attempted.turn)
    while True:
        try:
            return Started(start_child(turn, config["workflow_id"], config["version"], config["input"]))
        except Refusal as refusal:
            details = [{"field": f.field, "code": f.code, "message": f.message} for f in refusal.fields]
            raise ActionFailed(
                "child_refused",
                f"the workflow {config['workflow_id']!r} cannot be run: {refusal.message}",
                retryable=False,
                details={"reason": refusal.reason, "errors": details},
            ) from refusal
        except (OperationalError, InterfaceError, Unreachable):
            # Whether it was started is looked up before it is started again.
            connection.close()
            time.sleep(PAUSE_SECONDS)
