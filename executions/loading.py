"""What the store's reads give, as it crosses the port: rows of columns in, the engine's own rows out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from executions import statements
from executions.change import (
    PLAIN_COLUMNS,
    AgentRow,
    ArrivalRow,
    Asked,
    DueRow,
    ExecutionRow,
    Loaded,
    Standing,
    StepRow,
)
from executions.plan import Counters, StepState
from executions.states import Intent, Status, StepStatus
from executions.store import DUE_WINDOW

_STEP_COLUMNS = statements.STEP_COLUMNS.split(", ")


def untouched(row: dict[str, Any]) -> Loaded:
    """An execution that nobody has written since it was created: nothing stands around it yet."""
    return loaded(row, {"now": row["now"], "steps": [], "due": [], "arrivals": []})


def loaded(row: dict[str, Any], around: dict[str, Any] | None) -> Loaded:
    if around is None:
        raise LookupError("the neighbourhood query gives one row")
    due = [DueRow(index, datetime.fromisoformat(due_at)) for index, due_at in around["due"]]
    steps = (dict(zip(_STEP_COLUMNS, step, strict=True)) for step in around["steps"])
    return Loaded(
        row=_execution(row),
        now=around["now"],
        steps={step["index"]: step_row(step) for step in steps},
        due=due,
        arrivals=[ArrivalRow(*arrival) for arrival in around["arrivals"]],
        due_is_cut=len(due) == DUE_WINDOW,
    )


def _execution(row: dict[str, Any]) -> ExecutionRow:
    standing = Standing(
        status=Status(row["status"]),
        intent=Intent(row["intent"]),
        counters=Counters(row["steps_left"], row["steps_running"], row["steps_ready"], row["steps_waiting"]),
        **{name: row[name] for name in PLAIN_COLUMNS},
    )
    asked = Asked(**{name: row[name] for name in statements.ASKED})
    return ExecutionRow(
        row["id"],
        row["tenant_id"],
        row["version_id"],
        row["seq"],
        row["event_sequence"],
        bytes(row["chain_head"]),
        standing,
        asked,
        row["concurrency_key"],
        _agent(row),
    )


def _agent(row: dict[str, Any]) -> AgentRow | None:
    """For whom the execution runs; those of old may have been started for nobody."""
    if row["agent_id"] is None:
        return None
    return AgentRow(row["agent_id"], row["agent_name"], row["agent_status"], tuple(row["agent_actions"]))


def step_row(row: dict[str, Any]) -> StepRow:
    state = StepState(
        StepStatus(row["status"]),
        row["parents_left"],
        row["parents_live"],
        row["parts_left"],
        row["parts_open"],
        row["parts_failed"],
    )
    return StepRow(state, **{name: row[name] for name in statements.STEP_COUNTS})
