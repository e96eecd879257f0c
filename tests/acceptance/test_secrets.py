"""A canary: the value of a secret, sent wherever a step may send it, stands nowhere that anybody could read it."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from standardwebhooks import Webhook

from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.acceptance.conftest import EMBEDDED
from tests.unit.orchestrator.raw_server import Seen, Server, reply, serving

CANARY = "kanarie/Vogel+4711"
BOBS = "kanarie/Andere+0815"
HOOK = "whsec_" + base64.b64encode(b"kanarie-in-der-mine-4711").decode()
NAMED = "${{ secrets.CANARY }}"
TRACES = [
    spelled
    for value in (CANARY, BOBS, HOOK, HOOK.removeprefix("whsec_"), "kanarie-in-der-mine")
    for spelled in (value, quote(value), quote(value, safe=""), json.dumps(value)[1:-1], value.replace("/", "\\/"))
] + [base64.b64encode(value.encode()).decode()[:16] for value in (CANARY, BOBS, HOOK)]
"""Spellings of the values; in bytes, tables show them as hexadecimal digits."""


@dataclass
class Answers:
    """Every answer that the callers of a test got: none may show a value."""

    texts: list[str] = field(default_factory=list)

    def keep(self, response: Any) -> None:
        self.texts.append(response.read().decode() + str(response.headers))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One whose steps may reach this machine by its address, and by no other name."""
    settings = {**EMBEDDED, "EGRESS_ALLOWED_HOSTS": "127.0.0.1", "LOG_LEVEL": "DEBUG"}
    made = Stack(settings, data_dir=tmp_path_factory.mktemp("secrets"))
    try:
        yield made.start()
    finally:
        made.stop()


def of_tenant(stack: Stack, slug: str, answers: Answers) -> Api:
    api = Api.of_new_tenant(stack, slug)
    api.client.event_hooks["response"].append(answers.keep)
    api.client.headers["X-Tenant-ID"] = slug
    return api


def put(api: Api, name: str, value: str) -> None:
    """Twice, under one key: the second answer is the stored one."""
    for _ in range(2):
        answer = api.client.put(f"/v1/secrets/{name}", json={"value": value}, headers={"Idempotency-Key": "a-key"})
        assert answer.status_code == 200, answer.text
    assert answer.headers["Idempotent-Replayed"] == "true"


def echo(seen: Seen, out: BinaryIO) -> bool:
    """Answers with everything that it was sent, in the way that the path asks for."""
    told = {
        "target": seen.target,
        "headers": seen.headers,
        "body": seen.body.decode(),
        seen.headers.get("x-own", "-"): "-",
    }
    body = json.dumps(told).encode()
    if seen.target.startswith("/slow"):
        time.sleep(1.5)
    elif seen.target.startswith("/broken"):
        out.write(b"HTTP/1.1 200 " + body[:50])
        return False
    elif seen.target.startswith("/moved"):
        out.write(reply(body, 302, f"Location: http://localhost:9/{seen.headers['x-own']}"))
        return True
    elif seen.target.startswith("/model/"):
        body = json.dumps({"choices": [{"message": {"content": f"you said {seen.body.decode()}"}}]}).encode()
    status = 500 if seen.target.startswith("/failing") else 200
    out.write(reply(body, status, "Content-Type: application/json", f"X-Echo: {seen.headers.get('authorization', '')}"))
    return True


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def http(name: str, url: str, method: str = "POST", **members: Any) -> dict[str, Any]:
    config: dict[str, Any] = {
        "method": method,
        "url": f"{url}/{NAMED}",
        "headers": {"Authorization": f"Bearer {NAMED}", "X-Own": NAMED},
        "query": {"q": NAMED},
    }
    config |= {"body": {"deep": [NAMED, "and ${{ input.who }}"]}} if method == "POST" else {}
    return {"name": name, "type": "http", "config": config, "on_failure": "continue", "depends_on": [], **members}


def steps(server: Server) -> list[dict[str, Any]]:
    """Every way to name a secret, and every way to fail with one."""
    at, retry = server.address, {"max_attempts": 2, "initial_seconds": 0.01}
    others = {"on_failure": "continue", "depends_on": []}
    tell = {
        "url": f"{at}/hook/{NAMED}",
        "payload": {"p": NAMED},
        "event": f"e.{NAMED}",
        "secret": "${{ secrets.HOOK }}",
    }
    asked = [{"role": "user", "content": f"use {NAMED}"}]
    model = {"base_url": f"{at}/model/{NAMED}", "model": "m", "messages": asked, "api_key": NAMED}
    call = {"type": "http", "config": http("x", f"{at}/inside")["config"]}
    return [
        http("good", at),
        {"name": "hook", "type": "webhook", "config": tell, **others},
        {"name": "model", "type": "llm_inference", "config": model, **others},
        {"name": "strict", "type": "llm_inference", "config": {**model, "schema": {"type": "integer"}}, **others},
        {"name": "each", "type": "map", "config": {"over": [1, 2], "step": call}, **others},
        {
            "name": "again",
            "type": "loop",
            "config": {"body": [{"name": "b", **call}], "until": "true", "max_iterations": 1},
            **others,
        },
        http("failing", f"{at}/failing", retry=retry),
        http("slow", f"{at}/slow", timeout_seconds=1),
        http("broken", f"{at}/broken"),
        http("moved", f"{at}/moved", "GET"),
        http("refused", "http://localhost:9"),
        http("private", "http://10.255.255.1"),
        http("closed", f"http://127.0.0.1:{unused_port()}"),
        http("unresolved", f"http://{NAMED}.invalid"),
        {
            "name": "missing",
            "type": "http",
            "config": {"method": "GET", "url": at, "headers": {"X": "${{secrets.NONE}}"}},
            **others,
        },
        {
            "name": "after",
            "type": "tool_call",
            "config": {"tool": "noop", "arguments": {"got": "${{ steps.good.output }}"}},
            "depends_on": ["good"],
        },
    ]


FAILED = {
    "failing": "http_status", "slow": "timeout", "broken": "connection_failed", "moved": "egress_refused",
    "refused": "egress_refused", "private": "egress_refused", "missing": "secret_missing", "strict": "schema_violated",
    "closed": "connection_failed",
}  # fmt: skip


def everything_read(api: Api, workflow: str, definition: Any, execution: str) -> list[Any]:
    """Whatever can be asked of it."""
    found = api.steps(execution)
    for path in (
        f"/v1/executions/{execution}",
        f"/v1/executions/{execution}/events",
        f"/v1/orchestrations/{execution}",
        f"/v1/workflows/{workflow}",
        f"/v1/workflows/{workflow}/versions/1.0.0",
        "/v1/secrets",
        "/v1/execution-webhooks/deliveries",
    ):
        api.get(path)
    api.client.get(f"/v1/executions/{execution}/stream", timeout=20)
    api.post("/v1/workflows/validate", definition)
    api.post(f"/v1/workflows/{workflow}/execute", {"dry_run": True, "input": {"who": "ada"}})
    return found


def traces(texts: Any) -> set[str]:
    """The spellings of a value that stand in any of the texts, however long."""
    return {trace for text in texts for trace in TRACES if trace in text or trace.encode().hex() in text}


def rows(stack: Stack) -> Iterator[str]:
    """Every row of every table, as text."""
    with psycopg.connect(stack.data.database_url()) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        assert len(tables) > 20
        for schema, table in tables:
            for (row,) in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))):
                yield row


def test_the_value_of_a_secret_reaches_its_server_and_stands_nowhere_else(stack: Stack) -> None:
    answers = Answers()
    alice, bob = of_tenant(stack, "alice", answers), of_tenant(stack, "bob", answers)
    for api, value in ((alice, CANARY), (bob, BOBS)):
        put(api, "CANARY", value)
        put(api, "HOOK", HOOK)
    with serving(echo) as server, closing(alice.client), closing(bob.client):
        told = {"name": "n", "url": f"{server.address}/told"}
        alice.post("/v1/execution-webhooks", told)
        definition = {"name": "canary", "steps": steps(server)}
        workflow, bobs = (
            alice.publish(definition),
            bob.publish({"name": "his", "steps": [http("good", f"{server.address}/bob")]}),
        )
        executions = [alice.start(workflow, {"who": "ada"}), bob.start(bobs, {"who": "bob"})]
        ended = alice.ended(executions[:1], 120) + bob.ended(executions[1:], 60)
        found = {step["name"]: step for step in everything_read(alice, workflow, definition, executions[0])}
        everything_read(bob, bobs, {"name": "his", "steps": []} | definition, executions[1])
    assert ended["workflow_succeeded"] == 2, ended
    assert_sent(server.seen)
    assert {name: found[name]["error"]["kind"] for name in FAILED} == FAILED
    assert found["unresolved"]["error"] is not None
    assert "***" in json.dumps(found["good"]["input"])
    assert found["good"]["output"]["body"]["headers"]["x-own"] == "***"
    assert traces(answers.texts) == set()
    assert traces(rows(stack)) == set()
    logs = [path.read_text(errors="replace") for path in stack.data.logs.rglob("*") if path.is_file()]
    assert len(logs) > 3
    assert traces(logs) == set()


def assert_sent(seen: list[Seen]) -> None:
    """Every server that was to have the value had it, Bob's steps Bob's, and nobody told an endpoint."""
    good, bobs = ([s for s in seen if s.target.startswith(at)] for at in (f"/{CANARY}?", f"/bob/{BOBS}?"))
    for one, value in ((good[0], CANARY), (bobs[0], BOBS)):
        assert one.headers["authorization"] == f"Bearer {value}"
        assert one.headers["x-own"] == value
        assert json.loads(one.body)["deep"][0] == value
        assert "q=" in one.target
    (hook,) = [s for s in seen if s.target.startswith("/hook/")]
    assert Webhook(HOOK).verify(hook.body, hook.headers)["data"] == {"p": CANARY}
    models = [s for s in seen if s.target.startswith(f"/model/{CANARY}")]
    assert {s.headers["authorization"] for s in models} == {f"Bearer {CANARY}"}
    assert all(CANARY in json.loads(s.body)["messages"][0]["content"] for s in models)
    assert len([s for s in seen if s.target.startswith("/inside/")]) == 3
    assert len([s for s in seen if s.target.startswith("/failing/")]) == 2
    told = [s for s in seen if s.target.startswith("/told")]
    assert told
    assert traces(s.body.decode() for s in told) == set()
