"""The doors and read routes as a table, and what every refusal of them looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from config.errors import WORKFLOW_CODES
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
from tests.integration.http_client import Caller

HELD = {"name": "held", "type": "wait", "config": {"signal": "go", "approval": {}}, "depends_on": ["second"]}
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


def world_of(alice: Caller) -> World:
    workflow_id = published(alice, [*ECHO, HELD])
    template_id, application_id = template(alice, workflow_id), application(alice, amount=1)
    body = {"template_id": template_id, "application_id": application_id}
    execution = alice.post(EXECUTE, body).json()["data"]["id"]
    paid = created(alice, published(alice, price={"amount": 1, "currency": "EUR"}))["execution"]
    run = alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]["runId"]
    return World(workflow_id, template_id, application_id, execution, run, paid["orderId"])


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
    "application": Route(
        "POST", "/api/v2/applications", "applications:write", lambda _: {"data": {}}, member="data", answers=201
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
MUTATIONS = DOORS | OTHER_MUTATIONS | COMMANDS
READS = {
    "execution": Route("GET", "/v1/executions/{execution}", "executions:read"),
    "execution by run": Route("GET", "/v1/executions/{run}", "executions:read"),
    "executions": Route("GET", "/v1/executions", "executions:read"),
    "events": Route("GET", "/v1/executions/{execution}/events", "executions:read"),
    "steps": Route("GET", "/v1/executions/{execution}/steps", "executions:read"),
    "why": Route("GET", "/v1/executions/{execution}/steps/first/why-waiting", "executions:read"),
    "orchestration": Route("GET", "/v1/orchestrations/{run}", "orchestrations:read"),
    "orchestration by execution": Route("GET", "/v1/orchestrations/{execution}", "orchestrations:read"),
    "payment": Route("GET", "/v1/payments/{order}", "payments:read"),
    "applications": Route("GET", "/api/v2/applications", "applications:read"),
    "application": Route("GET", "/api/v2/applications/{application}", "applications:read"),
    "logs": Route("GET", "/api/v2/applications/{application}/data_orch", "executions:read"),
    "log": Route("GET", "/api/v2/applications/{application}/data_orch/{execution}", "executions:read"),
}
ROUTES = [*READS.values(), *MUTATIONS.values()]


def send(who: Caller, route: Route, world: World, body: Any = None, query: str = "", **headers: str) -> Any:
    given = route.body(world) if body is None and route.method == "POST" else body
    return who.send(route.method, route.at(world) + query, given, **headers)


def assert_refused(answer: Any, route: Route, status: int, reason: str | None = None, field: str | None = None) -> None:
    """The answer is this refusal in the dialect of the route; `field` is a JSON Pointer, query.<n> or header.<n>."""
    body, path = answer.json(), route.path
    assert answer.status_code == status, (path, body)
    assert answer.headers["X-Request-ID"]
    if path.startswith("/api/v2"):
        _assert_data_orchestration(body, status, reason, field)
    elif path.startswith(("/v1/workflows", "/v1/orchestrations")):
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
