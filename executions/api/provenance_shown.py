"""Provenance as the executions dialect shows it: steps with their sources, chains, consumers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from contract.identifiers import AGENT, parse_id, run_name
from contract.json_values import JSON, escape
from contract.timestamps import wire
from executions.models import Attempt
from executions.payloads.reading import value_of
from executions.payloads.references import digest_of, size_of
from executions.provenance.chains import Chain, Node
from executions.provenance.chains_origins import source_of
from executions.provenance.chains_places import At, Place, path_of
from executions.provenance.impact import Consumer
from executions.provenance.lineage_opened import Opened
from executions.provenance.sources import Row
from executions.provenance.sources_payloads import ABSENT, digest_of_value
from executions.steps import SteppedOn
from tenants.models import Agent

LONGEST_SHOWN: Final = 4_096
"""Bytes of a value that a chain tells in full."""
REPORTING: Final = frozenset({"agent", "llm_inference", "tool_call"})
"""Types whose action may say what it used up."""


class Agents:
    """The agents of one answer: asked for once."""

    def __init__(self, opened: Opened, steps: Iterable[SteppedOn]) -> None:
        self._own = opened.record.execution.submission.agent_id
        named = {parse_id(step.spec.agent_id, AGENT) for step in steps if step.spec.agent_id} | {self._own}
        wanted = [identifier for identifier in named if identifier is not None]
        rows = Agent.objects.filter(tenant_id=opened.record.execution.tenant_id, id__in=wanted)
        self._names = dict(rows.values_list("id", "name"))

    def shown(self, named: str | None = None) -> JSON:
        """The step's own agent, or else the execution's; None for one that there is not."""
        identifier = self._own if named is None else parse_id(named, AGENT)
        known = identifier is not None and identifier in self._names
        return {"id": str(identifier), "name": self._names[identifier]} if known and identifier else None


def shown_execution(opened: Opened, agents: Agents) -> JSON:
    execution = opened.record.execution
    asked, version = execution.submission, execution.version
    own = opened.rows.get(("", 0), [])
    return {
        "id": str(execution.id),
        "runId": run_name(execution.run_id) if execution.run_id else None,
        "status": execution.status,
        "workflowId": str(execution.workflow_id),
        "workflow": execution.workflow.name,
        "version": version.version,
        "definition": version.digest,
        "initiatedByType": asked.initiated_by_type,
        "initiatedById": asked.initiated_by_id,
        "agent": agents.shown(),
        "parentExecutionId": str(asked.parent_id) if asked.parent_id else None,
        "input": _payload(asked.input),
        "parameters": _payload(asked.parameters),
        "application": _payload(asked.application_data),
        "output": _payload(execution.output),
        "outcome": execution.outcome,
        "inputs": list(_fields(opened, [row for row in own if row["field"] == "/input"])),
        "outputs": list(_fields(opened, [row for row in own if row["field"] != "/input"])),
        "events": {"sequence": execution.event_sequence, "head": bytes(execution.chain_head).hex()},
    }


def shown_step(opened: Opened, step: SteppedOn, agents: Agents) -> JSON:
    patch = opened.newest_parameters().get(step.spec.name)
    return {
        "id": str(step.id),
        "name": step.spec.name,
        "type": step.spec.type,
        "status": step.status,
        "patch": patch if isinstance(patch, dict) else None,
        "attempts": [_shown_attempt(opened, step, attempt, agents) for attempt in step.attempts],
    }


def _shown_attempt(opened: Opened, step: SteppedOn, attempt: Attempt, agents: Agents) -> JSON:
    key, ended = (step.spec.name, attempt.number), attempt.finished_at
    begun = opened.begun.get(key)
    action, _, version = (begun.data["action"] if begun else step.spec.action).rpartition("@")
    usage, cost = _reported(step.spec.type, attempt)
    return {
        "number": attempt.number,
        "status": attempt.status,
        "action": action or version or None,
        "actionVersion": version if action else None,
        "agent": agents.shown(step.spec.agent_id),
        "by": opened.by.get(key),
        "worker": attempt.worker_name,
        "process": str(attempt.worker),
        "codeVersion": attempt.code_version,
        "startedAt": wire(attempt.started_at),
        "finishedAt": wire(ended),
        "durationMs": None if ended is None else round((ended - attempt.started_at).total_seconds() * 1000),
        "input": _payload(attempt.input),
        "output": _payload(attempt.output),
        "error": value_of(attempt.error, attempt.execution_id),
        "usage": usage,
        "cost": cost,
        "childExecutionId": str(attempt.child) if attempt.child else None,
        "inputs": fields_of_attempt(opened, *key),
    }


def fields_of_attempt(opened: Opened, step: str, number: int) -> list[JSON]:
    """Every field of its input with its sources, in the order of their pointers; what is literal, at its top."""
    rows = opened.rows.get((step, number), [])
    found = [*_fields(opened, rows), *_literals(opened, step, number, {row["field"] for row in rows})]
    return sorted(found, key=lambda field: str(field["field"]))


def _fields(opened: Opened, rows: Iterable[Row]) -> Iterator[dict[str, JSON]]:
    fields: dict[str, dict[str, JSON]] = {}
    for row in rows:
        told = fields.setdefault(row["field"], {"field": row["field"], "digest": row["value"], "sources": []})
        told["sources"].append(_source(opened, row))
    yield from fields.values()


def _source(opened: Opened, row: Row) -> JSON:
    place = source_of(opened.id, row, opened.earlier_run(row["step"], row["number"]))
    names = ("kind", "name", "attempt", "pointer", "expression", "digest")
    return {name: row[name] for name in names} | {"path": _path(opened, place)}


def _literals(opened: Opened, step: str, number: int, read: set[str]) -> Iterator[dict[str, JSON]]:
    """What stands in the input as it is written in the definition, or is filled in by it."""
    attempt = opened.attempts[step, number]
    found = None if attempt.input is None else opened.found(Place(opened.id, At.STEP_INPUT, "", step, number))
    if found is None or found.value is ABSENT or opened.reads_by_name(step, number):
        return
    above = {pointer for field in read for pointer in _prefixes(field)}
    pending: list[tuple[str, JSON]] = [("", found.value)]
    while pending:
        pointer, value = pending.pop()
        if pointer in read:
            continue
        if pointer in above or not pointer:
            members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
            pending += [(f"{pointer}/{escape(str(name))}", member) for name, member in members]
            continue
        source = {"kind": "definition", **dict.fromkeys(("name", "attempt", "pointer", "expression"))}
        definition = {"digest": opened.record.execution.version.digest, "path": "/definition"}
        yield {"field": pointer, "digest": digest_of_value(value), "sources": [source | definition]}


def _prefixes(pointer: str) -> Iterator[str]:
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield pointer


def _reported(kind: str, attempt: Attempt) -> tuple[JSON, JSON]:
    """The usage and the cost that its action told, null for what it did not."""
    output = value_of(attempt.output, attempt.execution_id) if kind in REPORTING else None
    if not isinstance(output, dict):
        return None, None
    usage, cost = output.get("usage"), output.get("cost")
    is_number = isinstance(cost, int | float) and not isinstance(cost, bool)
    return usage if isinstance(usage, dict) else None, cost if is_number else None


def shown_chain(opened: Opened, chain: Chain, by_id: dict[UUID, Opened]) -> JSON:
    """`by_id` are the executions that the chain came through."""
    nodes = [_node(opened, node, by_id) for node in chain.nodes]
    first = {name: nodes[0][name] for name in ("path", "value", "digest", "bytes")}
    return {**first, "chain": nodes, "complete": chain.complete}


def _node(asked: Opened, node: Node, by_id: dict[UUID, Opened]) -> dict[str, JSON]:
    place, of = node.place, by_id.get(node.place.execution)
    attempt = None if of is None else of.attempts.get((place.step or "", place.number or 0))
    return {
        "path": _path_from(asked, place, by_id),
        "executionId": str(place.execution),
        "kind": place.at.value,
        "step": place.step,
        "attempt": place.number,
        "pointer": place.pointer,
        "expression": node.expression,
        **_value(node),
        "worker": attempt.worker_name if attempt else None,
        "startedAt": wire(attempt.started_at) if attempt else None,
        "from": [_path_from(asked, source, by_id) for source in node.sources],
    }


def _value(node: Node) -> dict[str, JSON]:
    found = node.found
    if found is None:
        return {"value": None, "digest": None, "bytes": None}
    fits = found.value is not ABSENT and found.size is not None and found.size <= LONGEST_SHOWN
    return {"value": found.value if fits else None, "digest": found.digest, "bytes": found.size}


def _path_from(asked: Opened, place: Place, by_id: dict[UUID, Opened]) -> str:
    of = by_id.get(place.execution)
    path = path_of(place, None) if of is None else _path(of, place)
    return path if place.execution == asked.id else f"/executions/{place.execution}{path}"


def _path(opened: Opened, place: Place) -> str:
    elsewhere = place.execution != opened.id
    return f"/executions/{place.execution}" if elsewhere else opened.path(place)


def shown_consumer(consumer: Consumer) -> JSON:
    delivery = consumer.delivery
    abroad = consumer.via_execution not in {None, consumer.execution}
    return {
        "kind": consumer.by.value,
        "executionId": str(consumer.execution),
        "step": consumer.step,
        "attempt": consumer.attempt,
        "field": consumer.place,
        "distance": consumer.distance,
        "via": f"/executions/{consumer.via_execution}{consumer.via}" if abroad else consumer.via,
        "delivery": None
        if delivery is None
        else {
            "id": str(delivery.id),
            "endpointId": str(delivery.endpoint_id),
            "endpoint": delivery.endpoint.name,
            "eventType": delivery.event_type,
            "sequence": delivery.sequence,
            "status": delivery.status,
        },
    }


def _payload(column: str | None) -> JSON:
    return None if column is None else {"digest": digest_of(column), "bytes": size_of(column)}
