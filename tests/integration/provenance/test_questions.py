"""GET /v1/executions/{id}/provenance and /v1/provenance/impact, as a caller asks them."""

from __future__ import annotations

import hashlib
import time
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client
from prov.model import ProvDocument, ProvEntity

from contract import json_values
from executions import commands
from executions.models import Execution, Lineage, WebhookDelivery
from executions.payloads.references import drop
from executions.provenance import impact
from executions.provenance.lineage import derived, kept_rows, remember
from executions.provenance.record import Record
from tests.integration.engine.world import World, child, ended, failing, published, submitted, transform
from tests.integration.http.arranging import application, template
from tests.integration.http_client import Caller
from tests.integration.provenance.bound import record_of
from tests.integration.provenance.test_bound import call, run, step

EXECUTE = "/api/v2/data_orchestration/execute"


def sha(value: Any) -> str:
    return hashlib.sha256(json_values.stored(value).encode()).hexdigest()


def asked(alice: Caller, execution: Execution | str, **query: Any) -> Any:
    identifier = execution if isinstance(execution, str) else execution.id
    return alice.get(f"/v1/executions/{identifier}/provenance?{urlencode(query)}")


def chain(alice: Caller, execution: Execution | str, path: str) -> dict[str, Any]:
    answer = asked(alice, execution, path=path)
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def nodes(data: dict[str, Any]) -> dict[str, list[str]]:
    """What each value came from, by path."""
    return {node["path"]: node["from"] for node in data["chain"]}


def consumers(alice: Caller, **query: Any) -> list[dict[str, Any]]:
    answer = alice.get(f"/v1/provenance/impact?{urlencode({'limit': 100, **query})}")
    assert answer.status_code == 200, answer.content
    items: list[dict[str, Any]] = answer.json()["data"]["items"]
    return items


def reached(items: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    return {(item["kind"], item["step"], item["field"], item["distance"]) for item in items}


def seal(*executions: Execution) -> None:
    """Keep what sealing keeps of their lineage."""
    for execution in executions:
        record = record_of(execution)
        remember(record, derived(record))


def scored(alice: Caller, world: World) -> Execution:
    """Two steps and an output, of an applicant."""
    steps = [
        transform("points", {"sum": "${{ input.age + input.amount }}", "who": "${{ input.name }}"}),
        call("letter", "points", text="Dear ${{ steps.points.output.who }}", points="${{ steps.points.output.sum }}"),
    ]
    given = {"age": 40, "amount": 2, "name": "bob"}
    return run(alice, world, steps, given, output={"sent": "${{ steps.letter.output.text }}"})


def test_the_chain_leads_from_a_value_back_to_the_inputs(alice: Caller, world: World) -> None:
    data = chain(alice, scored(alice, world), "/steps/letter/input/arguments/points")
    assert (data["path"], data["value"], data["digest"], data["complete"]) == (
        "/steps/letter/input/arguments/points",
        42,
        sha(42),
        True,
    )
    assert nodes(data) == {
        "/steps/letter/input/arguments/points": ["/steps/points/output/sum"],
        "/steps/points/output/sum": ["/steps/points/input/input.age", "/steps/points/input/input.amount"],
        "/steps/points/input/input.age": ["/input/age"],
        "/steps/points/input/input.amount": ["/input/amount"],
        "/input/age": [],
        "/input/amount": [],
    }
    first, made = data["chain"][:2]
    assert (first["kind"], first["expression"]) == ("field", "${{ steps.points.output.sum }}")
    assert (made["kind"], made["step"], made["attempt"], made["pointer"]) == ("step", "points", 1, "/sum")
    assert (made["worker"], made["value"]) == ("test:1", 42)


def test_every_place_can_be_asked_for(alice: Caller, world: World) -> None:
    execution = scored(alice, world)
    for path, value in {
        "/input": {"age": 40, "amount": 2, "name": "bob"},
        "/input/name": "bob",
        "/output/sent": "Dear bob",
        "/steps/points/output": {"sum": 42, "who": "bob"},
        "/steps/points/attempts/1/output/who": "bob",
        "/parameters": {},
    }.items():
        assert chain(alice, execution, path)["value"] == value


@pytest.mark.parametrize(
    ("path", "refused", "told"),
    [
        ("steps/points", (400, "bad_path"), "a path is"),
        ("/nothing", (400, "bad_path"), "/input/..."),
        ("/steps/points/error", (400, "bad_path"), "no `error`"),
        ("/steps/points/attempts/x/input", (400, "bad_path"), "by its number"),
        ("/steps/nobody/input", (404, "nothing_there"), "`points`, `letter`"),
        ("/steps/points/attempts/2/input", (404, "nothing_there"), "has 1 attempts"),
        ("/steps/points/output/who/deeper", (404, "nothing_there"), "has no members"),
        ("/steps/points/output/nobody", (404, "nothing_there"), "`sum`, `who`"),
        ("/outcome", (404, "nothing_there"), "no outcome"),
        ("/runs/2/parameters/x", (404, "nothing_there"), "1 runs"),
    ],
)
def test_a_wrong_path_is_told_what_would_be_right(
    alice: Caller, world: World, path: str, refused: tuple[int, str], told: str
) -> None:
    answer = asked(alice, scored(alice, world), path=path)
    (detail,) = answer.json()["details"]
    assert (answer.status_code, detail["code"]) == refused
    assert detail["field"] == "query.path"
    assert told in detail["message"]


def test_what_excludes_each_other_is_refused(alice: Caller, world: World) -> None:
    execution = scored(alice, world)
    assert asked(alice, execution, path="/input", format="prov-json").status_code == 400
    assert asked(alice, execution, path="/input", limit=1).status_code == 400
    assert asked(alice, execution, format="prov-json", limit=1).status_code == 400
    for query in ({}, {"digest": sha(1), "step": "x"}, {"step": "x"}, {"execution": str(execution.id)}):
        assert alice.get(f"/v1/provenance/impact?{urlencode(query)}").status_code == 400
    assert alice.get("/v1/provenance/impact?digest=12").status_code == 400


def test_the_chain_goes_on_into_children_and_out_to_parents(alice: Caller, world: World) -> None:
    assert alice.tenant is not None
    inner = published(
        alice.tenant, [transform("double", "${{ input.n * 2 }}")], output={"v": "${{ steps.double.output }}"}
    )
    steps = [child("sub", inner, given={"n": "${{ input.n }}"}), transform("got", "${{ steps.sub.output.v }}", "sub")]
    execution = run(alice, world, steps, {"n": 4})
    made = f"/executions/{execution.children.get().execution_id}"
    found = nodes(chain(alice, execution, "/output/got"))
    assert found["/steps/sub/output/v"] == [f"{made}/output/v"]
    assert found[f"{made}/input/n"] == ["/steps/sub/input/input/n"]
    assert found["/input/n"] == []
    from_within = nodes(chain(alice, str(execution.children.get().execution_id), "/output/v"))
    assert f"/executions/{execution.id}/input/n" in from_within


def test_an_item_of_a_map_leads_to_the_list_and_its_output_to_the_item(alice: Caller, world: World) -> None:
    each = {"type": "tool_call", "config": {"tool": "noop", "arguments": {"k": "${{ item.k }}"}}}
    steps = [
        step("each", "map", over="input.list", step=each),
        transform("one", "${{ steps.each.output.items[1].k }}", "each"),
    ]
    execution = run(alice, world, steps, {"list": [{"k": "a"}, {"k": "b"}]})
    assert nodes(chain(alice, execution, "/output/one")) == {
        "/output/one": ["/steps/one/output"],
        "/steps/one/output": ["/steps/one/input/steps.each.output.items[1].k"],
        "/steps/one/input/steps.each.output.items[1].k": ["/steps/each/output/items/1/k"],
        "/steps/each/output/items/1/k": ["/steps/each[1]/output/k"],
        "/steps/each[1]/output/k": ["/steps/each[1]/input/arguments/k"],
        "/steps/each[1]/input/arguments/k": ["/steps/each/input/over/1/k"],
        "/steps/each/input/over/1/k": ["/input/list/1/k"],
        "/input/list/1/k": [],
    }


def test_the_output_of_a_loop_is_that_of_its_last_round(alice: Caller, world: World) -> None:
    body = [transform("inc", {"n": "${{ item == null ? input.from : item.inc.n + 1 }}"})]
    loop = step("again", "loop", body=body, until="steps.inc.output.n >= 2", max_iterations=5)
    execution = run(alice, world, [loop], {"from": 1})
    found = nodes(chain(alice, execution, "/output/again/inc/n"))
    assert found["/steps/again/output/inc/n"] == ["/steps/again[1].inc/output/n"]
    assert "/steps/again[0].inc/output/n" in found["/steps/again[1].inc/input/item.inc.n"]
    assert found["/steps/again[0].inc/input/input.from"] == ["/input/from"]


def test_a_patched_field_leads_to_the_parameter_of_its_run(alice: Caller, world: World) -> None:
    steps = [call("called", a="${{ input.a }}"), failing("breaks", "called")]
    execution = run(alice, world, steps, {"a": 1})
    commands.redrive(execution.id, "called", {"arguments": {"a": 2}}, "operator:eve")
    world.drain()
    assert nodes(chain(alice, execution, "/steps/called/input/arguments/a")) == {
        "/steps/called/input/arguments/a": ["/parameters/called/arguments/a"],
        "/parameters/called/arguments/a": [],
    }
    earlier = chain(alice, execution, "/steps/called/attempts/1/input/arguments/a")
    assert earlier["value"] == 1
    assert nodes(earlier) == {"/steps/called/attempts/1/input/arguments/a": ["/input/a"], "/input/a": []}


def test_what_a_template_took_of_an_application(alice: Caller, world: World) -> None:
    assert alice.tenant is not None
    workflow = published(alice.tenant, [transform("risk", {"v": "${{ input.amount * 2 }}"})])
    made = template(
        alice,
        workflow,
        input={"amount": "${{ application.loan.amount }}"},
        outcome="output.risk.v > 5 ? 'fail' : 'pass'",
    )
    body = {"template_id": made, "application_id": application(alice, loan={"amount": 3}, name="bob")}
    execution = alice.post(EXECUTE, body).json()["data"]["id"]
    world.drain()
    data = chain(alice, execution, "/outcome")
    assert (data["value"], nodes(data)["/outcome"]) == ("fail", ["/output/risk/v"])
    assert nodes(data)["/input/amount"] == ["/application/loan/amount"]
    alice.put(
        f"/api/v2/data_orchestration/templates/{made}",
        {"name": "t", "workflow_id": workflow, "input": {"amount": 1}, "outcome": "'x'"},
    )
    assert nodes(chain(alice, execution, "/outcome"))["/input/amount"] == ["/application"]


def test_the_page_of_steps_tells_of_every_attempt_and_of_every_field(alice: Caller, world: World) -> None:
    execution = scored(alice, world)
    data = asked(alice, execution, limit=1).json()["data"]
    assert data["execution"]["input"] == {"digest": sha(json_values.load(execution.submission.input)), "bytes": 34}
    assert [item["name"] for item in data["items"]] == ["points"]
    (letter,) = asked(alice, execution, limit=1, cursor=data["nextCursor"]).json()["data"]["items"]
    (attempt,) = letter["attempts"]
    assert (attempt["action"], attempt["actionVersion"], attempt["worker"]) == ("noop", "1", "test:1")
    assert attempt["agent"]["name"] == "default"
    assert [(field["field"], [source["path"] for source in field["sources"]]) for field in attempt["inputs"]] == [
        ("/arguments/points", ["/steps/points/output/sum"]),
        ("/arguments/text", ["/steps/points/output/who"]),
        ("/tool", ["/definition"]),
    ]


def test_usage_and_cost_are_told_where_the_action_reported_them(alice: Caller, world: World) -> None:
    execution = run(alice, world, [call("asked", usage={"total_tokens": 7}, cost=0.5), transform("not", {"cost": 1})])
    first, second = asked(alice, execution).json()["data"]["items"]
    assert (first["attempts"][0]["usage"], first["attempts"][0]["cost"]) == ({"total_tokens": 7}, 0.5)
    assert second["attempts"][0]["cost"] is None


def test_a_live_execution_is_told_as_far_as_it_has_come(alice: Caller, world: World) -> None:
    steps = [transform("first", "${{ input.x }}"), step("held", "wait", "first", signal="go")]
    execution = run(alice, world, steps, {"x": 1})
    assert ended(execution)[0] == "workflow_waiting"
    assert nodes(chain(alice, execution, "/steps/first/output"))["/steps/first/input/input.x"] == ["/input/x"]


def test_values_over_4_kib_are_told_by_their_digest(alice: Caller, world: World) -> None:
    long = "x" * 5_000
    data = chain(alice, run(alice, world, [call("only", v="${{ input.v }}")], {"v": long}), "/steps/only/output/v")
    assert (data["value"], data["digest"], data["bytes"]) == (None, sha(long), 5_002)


def test_a_chain_that_is_too_long_says_so(alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("executions.provenance.chains.MOST_NODES", 3)
    data = chain(alice, scored(alice, world), "/output/sent")
    assert (len(data["chain"]), data["complete"]) == (3, False)


def test_what_was_dropped_keeps_its_sources_and_digests(alice: Caller, world: World) -> None:
    execution = scored(alice, world)
    seal(execution)
    for attempt in execution.attempts.all():
        attempt.input, attempt.output = drop(attempt.input or ""), drop(attempt.output or "")
        attempt.save()
    data = chain(alice, execution, "/steps/letter/input/arguments/points")
    assert (data["value"], [node["path"] for node in data["chain"]][1]) == (None, "/steps/points/output/sum")
    assert data["chain"][1]["digest"] == sha(42)


@pytest.mark.parametrize("sealed", [True, False])
def test_impact_tells_everything_a_steps_output_went_into(alice: Caller, world: World, sealed: bool) -> None:
    execution = scored(alice, world)
    if sealed:
        seal(execution)
    assert reached(consumers(alice, execution=execution.id, step="points")) == {
        ("step", "letter", "/arguments/points", 1),
        ("step", "letter", "/arguments/text", 1),
        ("output", None, "/output/sent", 2),
    }
    by_digest = consumers(alice, digest=sha(42))
    assert reached(by_digest) == {("step", "letter", "/arguments/points", 1), ("output", None, "/output/sent", 2)}
    assert by_digest[0]["via"] == "/steps/points/attempts/1/output/sum"
    whole = consumers(alice, digest=sha({"sum": 42, "who": "bob"}))
    assert {(item["field"], item["distance"]) for item in whole if item["kind"] == "step"} == {
        ("/arguments/points", 1),
        ("/arguments/text", 1),
    }


def test_impact_goes_into_children_up_to_parents_and_to_outcomes_and_deliveries(alice: Caller, world: World) -> None:
    assert alice.tenant is not None
    inner = published(
        alice.tenant, [transform("double", "${{ input.n * 2 }}")], output={"v": "${{ steps.double.output }}"}
    )
    steps = [
        transform("first", "${{ input.n + 1 }}"),
        child("sub", inner, "first", given={"n": "${{ steps.first.output }}"}),
        transform("got", "${{ steps.sub.output.v }}", "sub"),
    ]
    execution = run(alice, world, steps, {"n": 4})
    hook = alice.post("/v1/execution-webhooks", {"name": "n", "url": "https://example.org/hook"}).json()
    told = {"endpoint_id": hook["data"]["endpoint"]["id"], "event_type": "execution.succeeded"}
    WebhookDelivery.objects.create(
        tenant=alice.tenant, execution=execution, sequence=execution.event_sequence, due_at=execution.created_at, **told
    )
    found = consumers(alice, execution=execution.id, step="first")
    made = str(execution.children.get().execution_id)
    assert {(item["kind"], item["executionId"], item["step"]) for item in found} >= {
        ("step", str(execution.id), "sub"),
        ("execution", made, None),
        ("step", made, "double"),
        ("output", made, None),
        ("step", str(execution.id), "got"),
        ("output", str(execution.id), None),
        ("delivery", str(execution.id), None),
    }
    (delivery,) = (item["delivery"] for item in found if item["kind"] == "delivery")
    assert (delivery["endpoint"], delivery["eventType"]) == ("n", "execution.succeeded")


def test_impact_of_an_item_goes_to_the_map_that_it_is_a_part_of(alice: Caller, world: World) -> None:
    each = {"type": "tool_call", "config": {"tool": "noop", "arguments": {"k": "${{ item }}"}}}
    steps = [step("each", "map", over="input.list", step=each), transform("all", "${{ steps.each.output }}", "each")]
    execution = run(alice, world, steps, {"list": ["a", "b"]})
    found = consumers(alice, execution=execution.id, step="each[1]")
    assert [(item["kind"], item["step"]) for item in found if item["distance"] == 1] == [("step", "each")]
    assert ("step", "all", "/steps.each.output", 2) in reached(found)


def test_a_digest_in_two_executions_is_found_in_both(alice: Caller, world: World) -> None:
    first, second = scored(alice, world), scored(alice, world)
    seal(first)
    found = consumers(alice, digest=sha("bob"))
    assert {item["executionId"] for item in found} == {str(first.id), str(second.id)}


def test_impact_is_paged_and_says_where_it_was_cut(
    alice: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = scored(alice, world)
    query = f"/v1/provenance/impact?execution={execution.id}&step=points&limit=2"
    first = alice.get(query).json()["data"]
    second = alice.get(f"{query}&cursor={first['nextCursor']}").json()["data"]
    assert (len(first["items"]), len(second["items"]), second["nextCursor"], second["complete"]) == (2, 1, None, True)
    assert alice.get(f"/v1/provenance/impact?digest={sha(1)}&cursor={first['nextCursor']}").status_code == 400
    monkeypatch.setattr(impact, "MOST", 1)
    cut = alice.get(query).json()["data"]
    assert (len(cut["items"]), cut["complete"]) == (1, False)


def test_another_tenant_sees_nothing_of_it(alice: Caller, bob: Caller, world: World) -> None:
    execution = scored(alice, world)
    seal(execution)
    unknown = asked(bob, str(uuid4()), path="/input")
    foreign = asked(bob, execution, path="/input")
    assert (foreign.status_code, foreign.json()["message"]) == (404, unknown.json()["message"])
    assert bob.get(f"/v1/provenance/impact?execution={execution.id}&step=points").status_code == 404
    assert consumers(bob, digest=sha(42)) == []
    his = scored(bob, world)
    assert {item["executionId"] for item in consumers(bob, digest=sha(42))} == {str(his.id)}


def test_what_is_kept_is_kept_once_and_is_what_was_derived(alice: Caller, world: World) -> None:
    execution = scored(alice, world)
    seal(execution, execution)
    rows = Lineage.objects.filter(execution=execution).order_by("position")
    assert kept_rows(rows) == derived(record_of(execution))


def test_the_lineage_of_fewer_events_is_the_beginning_of_the_lineage(alice: Caller, world: World) -> None:
    record = record_of(scored(alice, world))
    whole = derived(record)
    for event in record.events:
        part = derived(record, event.sequence)
        assert part == whole[: len(part)]


def test_the_events_of_an_execution_come_as_run_events_of_open_lineage(alice: Caller, world: World) -> None:
    execution = scored(alice, world)
    events = asked(alice, execution, format="openlineage").json()
    assert [event["run"]["facets"]["traceway_record"]["sequence"] for event in events] == [
        *range(1, execution.events.count() + 1)
    ]
    of_run = [event["eventType"] for event in events if "parent" not in event["run"]["facets"]]
    assert (of_run.count("START"), of_run[-1]) == (1, "COMPLETE")


def test_prov_json_is_loaded_by_prov_and_comes_back_the_same(alice: Caller, world: World) -> None:
    execution = scored(alice, world)
    answer = asked(alice, execution, format="prov-json")
    document = ProvDocument.deserialize(content=answer.content.decode(), format="json")
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    assert document == again
    names = {str(entity.identifier) for entity in document.get_records(ProvEntity)}
    base = f"execution:{execution.id}"
    assert {f"{base}/input", f"{base}/output", f"{base}/steps/letter/attempts/1/input"} <= names
    derived_from = {
        (one["prov:generatedEntity"], one["prov:usedEntity"]) for one in answer.json()["wasDerivedFrom"].values()
    }
    assert derived_from == {
        (f"{base}/steps/points/attempts/1/input", f"{base}/input"),
        (f"{base}/steps/points/attempts/1/output", f"{base}/steps/points/attempts/1/input"),
        (f"{base}/steps/letter/attempts/1/input", f"{base}/steps/points/attempts/1/output"),
        (f"{base}/steps/letter/attempts/1/output", f"{base}/steps/letter/attempts/1/input"),
        (f"{base}/output", f"{base}/steps/letter/attempts/1/output"),
    }
    informed = answer.json()["wasInformedBy"].values()
    assert [one["prov:informant"] for one in informed] == [f"{base}/steps/points/attempts/1"]


def _taken(record: Record, rows: int) -> float:
    before = time.perf_counter()
    assert len(derived(record)) == rows
    return time.perf_counter() - before


def test_a_fan_in_of_a_thousand_steps_costs_in_proportion(alice: Caller, world: World) -> None:
    def seconds(count: int) -> float:
        fan = [transform(f"s{n}", {"n": f"${{{{ input.x + {n} }}}}"}) for n in range(count)]
        read = [f"${{{{ steps.s{n}.output.n }}}}" for n in range(count)]
        assert alice.tenant is not None
        workflow = published(alice.tenant, [*fan, transform("all", read, *(one["name"] for one in fan))])
        execution = submitted(alice.tenant, workflow, {"x": 1})
        world.drain(60)
        assert ended(execution)[0] == "workflow_succeeded"
        record = record_of(execution)
        return min(_taken(record, 2 * count + 1) for _ in range(4))

    few, many = seconds(100), seconds(1_000)
    assert many < 30 * few + 0.1
    assert many < 2


def test_the_admin_shows_where_a_steps_input_came_from(alice: Caller, world: World, admin_client: Client) -> None:
    execution = scored(alice, world)
    letter, points = (execution.steps.get(name=name) for name in ("letter", "points"))
    page = admin_client.get(f"/admin/executions/step/{letter.id}/change/").content.decode()
    for told in ("Provenance", "/arguments/points", "steps.points.output.sum", sha(42)[:12], "points, attempt 1"):
        assert told in page
    assert f"/admin/executions/step/{points.id}/change/" in page
    whole = admin_client.get(f"/admin/executions/execution/{execution.id}/change/").content.decode()
    assert "letter, attempt 1" in whole
