"""A receiver of OpenLineage is told of every run and every attempt, and what each read and gave."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db import transaction

from executions.models import Execution, WebhookDelivery
from executions.open_lineage import STATES, run_event
from executions.webhooks import endpoints
from executions.webhooks.words import Format
from tenants.models import Tenant
from tests.integration.engine.world import World, failing, published, submitted
from tests.integration.webhooks.receiving import fan_out_all, sender, turned_until
from tests.unit.orchestrator.raw_server import answering, reply, serving


def reading(name: str, expression: str, *depends_on: str) -> dict[str, Any]:
    """An effectful step that gives back what it reads."""
    config = {"tool": "noop", "arguments": {"n": expression}}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on)}


STEPS = [reading("first", "${{ input.n }}"), reading("second", "${{ steps.first.output.n }}", "first")]


def told(execution: Execution) -> list[Any]:
    """Every event of the execution as a run event."""
    return [run_event(event) for event in execution.events.order_by("sequence")]


def by_job(messages: list[Any]) -> dict[str, list[str]]:
    """The transitions that each job went through, in order."""
    found: dict[str, list[str]] = {}
    for message in sorted(messages, key=lambda one: one["eventTime"]):
        found.setdefault(message["job"]["name"], []).append(message["eventType"])
    return found


def test_runs_and_attempts_begin_and_end_where_they_are_told(alice: Tenant, world: World) -> None:
    with serving(answering(reply(b""))) as server, sender() as who:
        with transaction.atomic():
            endpoints.create(alice, name="ol", url=server.address, form=Format.OPEN_LINEAGE, api_key="theirs")
        fan_out_all()
        execution = submitted(alice, published(alice, STEPS, name="flow"), {"n": 7})
        world.drain()
        fan_out_all()
        expected = WebhookDelivery.objects.count()
        turned_until(who, lambda: len(server.seen) >= expected)
    messages = [json.loads(seen.body) for seen in server.seen]
    assert by_job(messages) == {name: ["START", "COMPLETE"] for name in ("flow", "flow.first", "flow.second")}
    assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer theirs"}
    of_run = next(message for message in messages if message["job"]["name"] == "flow")
    assert of_run["run"]["runId"] == str(execution.run_id or Execution.objects.get(id=execution.id).run_id)


def test_what_a_step_read_and_gave_are_datasets_that_join_the_steps(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, STEPS, name="flow"), {"n": 7})
    world.drain()
    ended = {message["job"]["name"]: message for message in told(execution) if message["eventType"] == "COMPLETE"}
    reads = {job: [dataset["name"] for dataset in message["inputs"]] for job, message in ended.items()}
    assert reads == {"flow.first": ["flow.input"], "flow.second": ["flow.first.output"], "flow": ["flow.input"]}
    gave = {job: [dataset["name"] for dataset in message["outputs"]] for job, message in ended.items()}
    assert gave == {job: [f"{job}.output"] for job in ended}
    output = execution.events.get(type="execution.succeeded")
    version = ended["flow"]["outputs"][0]["facets"]["version"]["datasetVersion"]
    assert version == json.loads(output.body)["data"]["output"]


def test_an_attempt_is_a_run_of_its_own_below_the_run_of_its_execution(alice: Tenant, world: World) -> None:
    flaky = failing("flaky", retry={"max_attempts": 2, "initial_seconds": 0.1, "jitter": False})
    execution = submitted(alice, published(alice, [flaky], name="flow"))
    world.drain()
    attempts = [message for message in told(execution) if message["job"]["name"] == "flow.flaky"]
    assert attempts[0]["run"]["runId"] != told(execution)[0]["run"]["runId"]
    parents = {message["run"]["facets"]["parent"]["run"]["runId"] for message in attempts}
    assert parents == {str(Execution.objects.get(id=execution.id).run_id)}
    failed = next(message for message in attempts if message["eventType"] == "FAIL")
    assert failed["run"]["facets"]["errorMessage"]["message"]
    assert failed["run"]["runId"] == attempts[0]["run"]["runId"]


def test_every_run_event_holds_what_the_specification_requires(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, STEPS, name="flow"), {"n": 7})
    world.drain()
    for message in told(execution):
        assert message.keys() >= {"eventTime", "producer", "schemaURL", "run", "job"}
        UUID(message["run"]["runId"])
        holders = [message["run"], message["job"], *message.get("inputs", []), *message.get("outputs", [])]
        facets = [facet for holder in holders for facet in holder.get("facets", {}).values()]
        assert all(facet.keys() >= {"_producer", "_schemaURL"} for facet in facets)
        record = message["run"]["facets"]["traceway_record"]
        event = execution.events.get(sequence=record["sequence"])
        assert record["hash"] == bytes(event.hash).hex()


def test_nothing_of_a_payload_is_told(alice: Tenant, world: World) -> None:
    execution = submitted(alice, published(alice, STEPS, name="flow"), {"n": 7, "secret": "canary-in-a-payload"})
    world.drain()
    assert "canary-in-a-payload" not in json.dumps(told(execution))


def test_an_endpoint_of_open_lineage_is_told_of_beginnings_and_ends_alone(alice: Tenant) -> None:
    with transaction.atomic():
        endpoint, _ = endpoints.create(alice, name="ol", url="https://example.org/lineage", form=Format.OPEN_LINEAGE)
    assert endpoint.subscribed == sorted(STATES)
