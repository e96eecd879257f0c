"""Steps that ask a model, from their definition to what stands on record of them: no key anywhere, the answer held."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from django.db import connection

from executions.models import Attempt, Execution
from tenants.models import Tenant
from tests.integration.engine.world import World, published, result, submitted, transform
from tests.integration.http_client import another_key
from tests.unit.orchestrator.raw_server import Seen, answering, reply, serving

KEY = "sk-quite-secret"
SCHEMA = {"type": "object", "properties": {"verdict": {"enum": ["good", "bad"]}}, "required": ["verdict"]}
AT_ONCE = {"max_attempts": 3, "initial_seconds": 0.001, "jitter": False}


def ask(base_url: str, **members: Any) -> dict[str, Any]:
    config = {
        "base_url": base_url,
        "model": "m",
        "messages": [{"role": "user", "content": "Is ${{ input.who }} good?"}],
        "schema": SCHEMA,
        "api_key": KEY,
        **members.pop("config", {}),
    }
    return {"name": "ask", "type": "llm_inference", "config": config, **members}


def completion(content: str) -> bytes:
    choice = {"message": {"role": "assistant", "content": content}}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "cost": 0.5}
    return reply(json.dumps({"choices": [choice], "usage": usage}).encode(), 200, "Content-Type: application/json")


def run(world: World, alice: Tenant, *steps: dict[str, Any]) -> Execution:
    execution = submitted(alice, published(alice, list(steps)), {"who": "Ada"})
    for _ in range(20):
        world.drain_after(1)
    execution.refresh_from_db()
    return execution


def everything_stored() -> str:
    """Every row of every table of the product, as text."""
    tables = [name for name in connection.introspection.table_names() if not name.startswith("django_")]
    with connection.cursor() as cursor:
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [text for (text,) in cursor.fetchall()]
    return "\n".join(rows)


def test_what_the_model_says_flows_into_the_next_step_with_what_it_cost(alice: Tenant, world: World) -> None:
    with serving(answering(completion('{"verdict": "good"}'))) as server:
        after = transform("after", "${{ steps.ask.output.parsed.verdict }}", "ask")
        execution = run(world, alice, ask(f"{server.address}/v1"), after)

    assert json.loads(execution.output or "") == {"after": "good"}
    assert json.loads(server.seen[0].body)["messages"][0]["content"] == "Is Ada good?"
    assert server.seen[0].headers["idempotency-key"] == f"{execution.id}:ask:1"
    assert result(execution, "ask") == {
        "content": '{"verdict": "good"}',
        "parsed": {"verdict": "good"},
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
        "cost": 0.5,
    }


def test_an_answer_that_does_not_fit_is_asked_for_again_under_the_same_key(alice: Tenant, world: World) -> None:
    answers = [completion("well"), completion('{"verdict": "so so"}'), completion('{"verdict": "bad"}')]

    def answer(_seen: Seen, out: BinaryIO) -> bool:
        out.write(answers.pop(0))
        return True

    with serving(answer) as server:
        execution = run(world, alice, ask(server.address, retry={**AT_ONCE, "on": ["schema_violated"]}))

    assert execution.status == "workflow_succeeded"
    errors = [json.loads(text) for text in Attempt.objects.order_by("number").values_list("error", flat=True) if text]
    assert [error["kind"] for error in errors] == ["schema_violated"] * 2
    assert [error["details"]["content"] for error in errors] == ["well", '{"verdict": "so so"}']
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1


def test_the_key_is_sent_and_stands_nowhere(alice: Tenant, world: World) -> None:
    def answer(seen: Seen, out: BinaryIO) -> bool:
        out.write(reply(seen.headers["authorization"].encode(), 401) if len(server.seen) > 1 else completion(KEY))
        return True

    caller = another_key(alice)
    with serving(answer) as server:
        steps = [ask(server.address, config={"schema": None}), {**ask(server.address), "name": "again"}]
        execution = run(world, alice, *steps)

    assert [seen.headers["authorization"] for seen in server.seen] == [f"Bearer {KEY}"] * 2
    assert KEY not in everything_stored()
    for path in ("", "/steps", "/events"):
        assert KEY not in caller.get(f"/v1/executions/{execution.id}{path}").content.decode()
    workflow = caller.get(f"/v1/workflows/{execution.workflow_id}")
    assert workflow.json()["steps"][0]["config"]["api_key"] == "***"
    planned = caller.post(f"/v1/workflows/{execution.workflow_id}/execute", {"dry_run": True})
    assert planned.json()["steps"][0]["config"]["api_key"] == "***"
