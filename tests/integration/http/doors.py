"""The doors and read routes as a table, and what every refusal of them looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from config.errors import WORKFLOW_CODES
from executions.models import Task, WebhookDelivery
from tenants.registry import default_agent_of
from tests.integration.http.arranging import (
    ECHO,
    EXECUTE,
    application,
    created,
    creation,
    published,
    rows_of_every_table,
    template,
)
from tests.integration.http.arranging import (
    TEMPLATES as TEMPLATES_AT,
)
from tests.integration.http_client import Caller

DEFINITION = {"name": "defined", "steps": [{"action": "noop"}]}
HELD = {"name": "held", "type": "wait", "config": {"signal": "go", "approval": {}}, "depends_on": ["second"]}
LEASE = "0197e1a4-0000-7000-8000-000000000000"
EMPTY_PAGE = {"items": [], "hasMore": False, "limit": 20, "offset": 0, "nextCursor": None}


@dataclass(frozen=True)
class World:
    """What a tenant has, and so what another one must not see."""

    workflow: str
    template: str
    application: str
    execution: str
    run: str
    order: str
    agent: str
    task: str
    key: str
    endpoint: str
    delivery: str

    @classmethod
    def of(cls, text: str) -> World:
        """The same text for everything."""
        return cls(**dict.fromkeys(cls.__annotations__, text))


def world_of(alice: Caller) -> World:
    workflow_id = published(alice, [*ECHO, HELD])
    template_id, application_id = template(alice, workflow_id), application(alice, amount=1)
    body = {"template_id": template_id, "application_id": application_id}
    execution = alice.post(EXECUTE, body).json()["data"]["id"]
    paid = created(alice, published(alice, price={"amount": 1, "currency": "EUR"}))["execution"]
    run = alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]["runId"]
    agent = alice.get("/v1/agents").json()["items"][0]["agent_id"]
    key = alice.post("/v1/api-keys", {"name": "ci", "scopes": ["keys:write"]}).json()["data"]["id"]
    alice.put("/v1/secrets/go", {"value": "only-hers"})
    task = claimed(alice, execution)
    hook, told = hooked(alice, execution)
    return World(
        workflow_id, template_id, application_id, execution, run, paid["orderId"], agent, task, key, hook, told
    )


def hooked(alice: Caller, execution: str) -> tuple[str, str]:
    """The id of an endpoint, and of a delivery to it that failed."""
    assert alice.tenant is not None
    made = alice.post("/v1/execution-webhooks", {"name": "n", "url": "https://example.org/hook"}).json()
    endpoint = made["data"]["endpoint"]["id"]
    told = WebhookDelivery.objects.create(
        tenant=alice.tenant,
        endpoint_id=endpoint,
        execution_id=execution,
        sequence=1,
        event_type="execution.created",
        status="failed",
        finished_at="2026-11-22T10:00:00Z",
    )
    return endpoint, str(told.id)


def claimed(alice: Caller, execution: str) -> str:
    """The id of a task that a worker of the default agent has claimed under LEASE."""
    assert alice.tenant is not None
    task = Task.objects.create(
        execution_id=execution,
        step_index=0,
        number=1,
        agent=default_agent_of(alice.tenant),
        status="claimed",
        opened_at="2026-11-22T10:00:00Z",
        lease=LEASE,
        leased_until="2126-11-22T10:00:00Z",
    )
    return str(task.id)


@dataclass(frozen=True)
class Route:
    """`member` is one that a text alone, or a flag alone, may stand in; `answers` what is answered in a new world."""

    method: str
    path: str
    scope: str
    body: Callable[[World], Any] = lambda _: {}
    member: str = ""
    answers: int = 200

    def at(self, world: World) -> str:
        return self.path.format(**vars(world))


DOORS = {
    "executions": Route(
        "POST", "/v1/executions", "executions:write", lambda w: creation(w.workflow), member="requestPayload"
    ),
    "workflows": Route("POST", "/v1/workflows/{workflow}/execute", "workflows:execute", member="parameters"),
    "orchestration": Route(
        "POST",
        EXECUTE,
        "executions:write",
        lambda w: {"template_id": w.template, "application_id": w.application},
        member="template_id",
    ),
}
OTHER_MUTATIONS = {
    "cancel": Route("POST", "/v1/executions/{execution}/cancel", "executions:write", member="reason"),
    "confirm": Route(
        "POST", "/v1/payments/{order}/confirm", "payments:write", lambda _: {"reference": "r"}, member="reference"
    ),
    "refund": Route(
        "POST",
        "/v1/payments/{order}/refund",
        "payments:write",
        lambda _: {"reason": "r"},
        member="reason",
        answers=409,
    ),
    "application": Route(
        "POST", "/api/v2/applications", "applications:write", lambda _: {"data": {}}, member="data", answers=201
    ),
    "orchestrate": Route(
        "POST",
        "/v1/orchestrations/execute",
        "orchestrations:write",
        lambda w: {"workflow_id": w.workflow},
        member="input",
    ),
    "put retention": Route("PUT", "/v1/retention", "retention:write", lambda _: {"payloadDays": 1}),
    "put workflow retention": Route(
        "PUT",
        "/v1/workflows/{workflow}/retention",
        "retention:write",
        lambda _: {"payload_days": 1},
    ),
    "delete workflow retention": Route("DELETE", "/v1/workflows/{workflow}/retention", "retention:write", answers=204),
    "drop payloads": Route("DELETE", "/v1/executions/{execution}/payloads", "executions:write", answers=409),
    "cancel orchestration": Route("POST", "/v1/orchestrations/{run}/cancel", "orchestrations:write", member="reason"),
    "continue": Route(
        "PUT",
        "/api/v2/data_orchestration/{execution}/continue_pass",
        "executions:write",
        lambda w: {"application_id": w.application},
        member="comment",
        answers=422,
    ),
}


def command(path: str, member: str = "", answers: int = 200, **body: str) -> Route:
    at = "/v1/executions/{execution}" + path
    return Route("POST", at, "executions:write", lambda _: dict(body), member=member, answers=answers)


COMMANDS = {
    "pause": command("/pause"),
    "resume": command("/resume", answers=409),
    "redrive": command("/redrive", "preview", answers=409),
    "signal": command("/signals/go"),
    "approve": command("/steps/held/approve", "comment", answers=409),
    "reject": command("/steps/held/reject", "comment", answers=409),
    "skip": command("/steps/first/skip", "reason", reason="r"),
    "complete": command("/steps/first/complete", "reason", reason="r"),
    "resolve": command("/steps/first/resolve", "outcome", answers=409, outcome="failed", reason="r"),
}


def of_a_task(verb: str, **body: str) -> Route:
    given = {"lease": LEASE, **body}
    path = f"/v1/agents/{{agent}}/tasks/{{task}}/{verb}"
    return Route("POST", path, "agents:work", lambda _: dict(given), member="lease")


TASKS = {
    "claim": Route("POST", "/v1/agents/{agent}/tasks/claim", "agents:work"),
    "heartbeat": of_a_task("heartbeat"),
    "complete task": of_a_task("complete"),
    "fail task": of_a_task("fail", error="no"),
}
IDENTITY = {
    "create key": Route("POST", "/v1/api-keys", "keys:write", lambda _: {"name": "n"}, member="name"),
    "rotate key": Route("POST", "/v1/api-keys/{key}/rotate", "keys:write", member="expiresAt"),
    "revoke key": Route("POST", "/v1/api-keys/{key}/revoke", "keys:write"),
    "create agent": Route(
        "POST", "/v1/agents", "agents:write", lambda _: {"name": "scout"}, member="name", answers=201
    ),
    "put secret": Route("PUT", "/v1/secrets/go", "secrets:write", lambda _: {"value": "v"}, member="value"),
    "delete secret": Route("DELETE", "/v1/secrets/go", "secrets:write", answers=204),
    **{
        f"{verb} agent": Route("POST", f"/v1/agents/{{agent}}/{verb}", "agents:write")
        for verb in ("suspend", "activate", "revoke")
    },
}
_HOOKS = "/v1/execution-webhooks"
HOOKS = {
    "create endpoint": Route(
        "POST", _HOOKS, "webhooks:write", lambda _: {"name": "n", "url": "https://example.org/"}, member="url"
    ),
    "delete endpoint": Route("DELETE", f"{_HOOKS}/{{endpoint}}", "webhooks:write", answers=204),
    **{
        f"{verb} endpoint": Route("POST", f"{_HOOKS}/{{endpoint}}/{verb}", "webhooks:write")
        for verb in ("enable", "disable", "regenerate-secret")
    },
    **{
        f"{verb} delivery": Route("POST", f"{_HOOKS}/deliveries/{{delivery}}/{verb}", "webhooks:write")
        for verb in ("retry", "replay")
    },
}
_WORKFLOWS = "/v1/workflows"
_ONE = "/v1/workflows/{workflow}"
_VERSION = {"version": "1.0.0"}
DEFINING = {
    "create workflow": Route("POST", _WORKFLOWS, "workflows:write", lambda _: DEFINITION, answers=201),
    "validate": Route("POST", f"{_WORKFLOWS}/validate", "workflows:write", lambda _: DEFINITION),
    "replace workflow": Route("PUT", _ONE, "workflows:write", lambda _: DEFINITION),
}
"""Their bodies are larger, and refused with the words of definitions."""
WORKFLOWS = {
    "delete workflow": Route("DELETE", _ONE, "workflows:write", answers=204),
    "publish": Route("POST", f"{_ONE}/publish", "workflows:publish", answers=409),
    "rollback": Route(
        "POST", f"{_ONE}/rollback", "workflows:publish", lambda _: dict(_VERSION), member="version", answers=409
    ),
    "archive": Route("POST", f"{_ONE}/archive", "workflows:write"),
    "pause workflow": Route("POST", f"{_ONE}/pause", "workflows:write"),
    "resume workflow": Route("POST", f"{_ONE}/resume", "workflows:write", answers=409),
}


def binding(world: World) -> dict[str, Any]:
    return {"name": "t", "workflow_id": world.workflow, "input": {}, "outcome": "'pass'"}


TEMPLATES = {
    "create template": Route("POST", TEMPLATES_AT, "templates:write", binding, member="name", answers=201),
    "replace template": Route("PUT", f"{TEMPLATES_AT}/{{template}}", "templates:write", binding, member="name"),
    "delete template": Route("DELETE", f"{TEMPLATES_AT}/{{template}}", "templates:write", answers=204),
}
MUTATIONS = WORKFLOWS | TEMPLATES | DOORS | OTHER_MUTATIONS | COMMANDS | TASKS | IDENTITY | HOOKS
READS = {
    "me": Route("GET", "/v1/me", ""),
    "workflows": Route("GET", _WORKFLOWS, "workflows:read"),
    "workflow": Route("GET", _ONE, "workflows:read"),
    "versions": Route("GET", f"{_ONE}/versions", "workflows:read"),
    "version": Route("GET", f"{_ONE}/versions/1.0.0", "workflows:read"),
    "templates": Route("GET", TEMPLATES_AT, "templates:read"),
    "template": Route("GET", f"{TEMPLATES_AT}/{{template}}", "templates:read"),
    "execution": Route("GET", "/v1/executions/{execution}", "executions:read"),
    "execution by run": Route("GET", "/v1/executions/{run}", "executions:read"),
    "executions": Route("GET", "/v1/executions", "executions:read"),
    "events": Route("GET", "/v1/executions/{execution}/events", "executions:read"),
    "steps": Route("GET", "/v1/executions/{execution}/steps", "executions:read"),
    "provenance": Route("GET", "/v1/executions/{execution}/provenance", "executions:read"),
    "impact": Route("GET", "/v1/provenance/impact", "executions:read", answers=400),
    "receipt": Route("GET", "/v1/executions/{execution}/receipt", "executions:read", answers=409),
    "bundle": Route("GET", "/v1/executions/{execution}/bundle", "executions:read"),
    "retention": Route("GET", "/v1/retention", "retention:read"),
    "workflow retention": Route("GET", "/v1/workflows/{workflow}/retention", "retention:read"),
    "stats": Route("GET", "/v1/executions/stats", "executions:read"),
    "orchestrations": Route("GET", "/v1/orchestrations", "orchestrations:read"),
    "stream": Route("GET", "/v1/executions/{execution}/stream", "executions:read"),
    "all streams": Route("GET", "/v1/executions/stream", "executions:read"),
    "why": Route("GET", "/v1/executions/{execution}/steps/first/why-waiting", "executions:read"),
    "orchestration": Route("GET", "/v1/orchestrations/{run}", "orchestrations:read"),
    "orchestration by execution": Route("GET", "/v1/orchestrations/{execution}", "orchestrations:read"),
    "payment": Route("GET", "/v1/payments/{order}", "payments:read"),
    "keys": Route("GET", "/v1/api-keys", "keys:write"),
    "secrets": Route("GET", "/v1/secrets", "secrets:read"),
    "key": Route("GET", "/v1/api-keys/{key}", "keys:write"),
    "endpoints": Route("GET", _HOOKS, "webhooks:read"),
    "endpoint": Route("GET", f"{_HOOKS}/{{endpoint}}", "webhooks:read"),
    "deliveries": Route("GET", f"{_HOOKS}/deliveries", "webhooks:read"),
    "delivery": Route("GET", f"{_HOOKS}/deliveries/{{delivery}}", "webhooks:read"),
    "agents": Route("GET", "/v1/agents", "agents:read"),
    "agent": Route("GET", "/v1/agents/{agent}", "agents:read"),
    "applications": Route("GET", "/api/v2/applications", "applications:read"),
    "application": Route("GET", "/api/v2/applications/{application}", "applications:read"),
    "logs": Route("GET", "/api/v2/applications/{application}/data_orch", "executions:read"),
    "log": Route("GET", "/api/v2/applications/{application}/data_orch/{execution}", "executions:read"),
}
ROUTES = [*READS.values(), *DEFINING.values(), *MUTATIONS.values()]


def send(who: Caller, route: Route, world: World, body: Any = None, query: str = "", **headers: str) -> Any:
    given = route.body(world) if body is None and route.method != "GET" else body
    return who.send(route.method, route.at(world) + query, given, **headers)


class AtPath(Protocol):
    """What has a path, and so a dialect."""

    @property
    def path(self) -> str: ...


def assert_refused(
    answer: Any, route: AtPath, status: int, reason: str | None = None, field: str | None = None
) -> None:
    """The answer is this refusal in the dialect of the route; `field` is a JSON Pointer, query.<n> or header.<n>."""
    body, path = answer.json(), route.path
    assert answer.status_code == status, (path, body)
    assert answer.headers["X-Request-ID"]
    if path.startswith("/api/v2"):
        _assert_data_orchestration(body, status, reason, field)
    elif path.startswith(("/v1/workflows", "/v1/orchestrations", "/v1/agents")):
        assert body.keys() == {"code", "message", "http_status", "details", "request_id"}
        assert (body["code"], body["http_status"]) == (WORKFLOW_CODES[status], status)
        assert body["details"].keys() == {"reason", "errors"}
        assert body["request_id"] == answer.headers["X-Request-ID"]
        assert reason is None or body["details"]["reason"] == reason or _codes(body["details"]["errors"]) == {reason}
        assert field is None or field in {error["field"] for error in body["details"]["errors"]}
    else:
        assert body.keys() == {"code", "message", "details", "requestId"}
        assert body["code"] == status
        assert body["requestId"] == answer.headers["X-Request-ID"]
        assert reason is None or _codes(body["details"]) == {reason}
        assert field is None or field in {detail["field"] for detail in body["details"]}


def _codes(problems: Any) -> set[str]:
    assert all(problem.keys() == {"field", "code", "message"} for problem in problems)
    return {problem["code"] for problem in problems}


def _assert_data_orchestration(body: Any, status: int, reason: str | None, field: str | None) -> None:
    if status == 401:
        assert body == {"message": "Unauthenticated."}
        return
    assert body.keys() == {"message", "errors", "code"}
    assert all(isinstance(said, list) and said for said in body["errors"].values())
    assert field is None or field.lstrip("/") in body["errors"]
    assert reason is None or status == 422 or body["code"] == reason


@contextmanager
def nothing_written() -> Iterator[None]:
    before = rows_of_every_table()
    yield
    assert rows_of_every_table() == before


def of_a_member(route: Route) -> int:
    return 422 if route.path.startswith("/api/v2") else 400
