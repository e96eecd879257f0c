"""The doors refuse: the exact status, the dialect's own body, and not a row written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from config.errors import WORKFLOW_CODES
from contract.http import BODY_LIMIT
from tenants.scopes import SINGLE
from tests.integration.http.arranging import (
    EXECUTE,
    application,
    created,
    creation,
    published,
    rows_of_every_table,
    template,
)
from tests.integration.http_client import Caller, another_key

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
    workflow_id = published(alice)
    template_id, application_id = template(alice, workflow_id), application(alice, amount=1)
    body = {"template_id": template_id, "application_id": application_id}
    execution = alice.post(EXECUTE, body).json()["data"]["id"]
    paid = created(alice, published(alice, price={"amount": 1, "currency": "EUR"}))["execution"]
    run = alice.get(f"/v1/executions/{execution}").json()["data"]["execution"]["runId"]
    return World(workflow_id, template_id, application_id, execution, run, paid["orderId"])


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    scope: str
    body: Callable[[World], Any] = lambda _: {}
    member: str = ""

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
    "application": Route("POST", "/api/v2/applications", "applications:write", lambda _: {"data": {}}, member="data"),
}
MUTATIONS = DOORS | OTHER_MUTATIONS
READS = {
    "execution": Route("GET", "/v1/executions/{execution}", "executions:read"),
    "execution by run": Route("GET", "/v1/executions/{run}", "executions:read"),
    "executions": Route("GET", "/v1/executions", "executions:read"),
    "events": Route("GET", "/v1/executions/{execution}/events", "executions:read"),
    "steps": Route("GET", "/v1/executions/{execution}/steps", "executions:read"),
    "orchestration": Route("GET", "/v1/orchestrations/{run}", "orchestrations:read"),
    "orchestration by execution": Route("GET", "/v1/orchestrations/{execution}", "orchestrations:read"),
    "payment": Route("GET", "/v1/payments/{order}", "payments:read"),
    "applications": Route("GET", "/api/v2/applications", "applications:read"),
    "application": Route("GET", "/api/v2/applications/{application}", "applications:read"),
    "logs": Route("GET", "/api/v2/applications/{application}/data_orch", "executions:read"),
    "log": Route("GET", "/api/v2/applications/{application}/data_orch/{execution}", "executions:read"),
}
ROUTES = [*READS.values(), *MUTATIONS.values()]


@pytest.fixture
def alices(alice: Caller) -> World:
    return world_of(alice)


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


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer tw_live_" + "x" * 43},
        {"Authorization": "Basic dTpw"},
        {"X_API_Key": "nonsense"},
        {"Authorization": "Bearer "},
    ],
    ids=["no key", "an unknown key", "another scheme", "no key at all", "an empty key"],
)
def test_no_key_and_a_wrong_one(alices: World, stranger: Caller, headers: dict[str, str]) -> None:
    with nothing_written():
        for route in ROUTES:
            answer = send(stranger, route, alices, **headers)
            assert_refused(answer, route, 401, "unauthenticated")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_two_different_keys(alice: Caller, alices: World) -> None:
    assert alice.tenant is not None
    other = another_key(alice.tenant).key or ""
    with nothing_written():
        for route in ROUTES:
            answer = send(alice, route, alices, Authorization=f"Bearer {alice.key}", X_API_Key=other)
            assert_refused(answer, route, 401)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_missing_scope_is_named(alice: Caller, alices: World, route: Route) -> None:
    assert alice.tenant is not None
    poor = another_key(alice.tenant, *sorted(SINGLE - {route.scope}))
    enough = another_key(alice.tenant, route.scope)
    with nothing_written():
        answer = send(poor, route, alices)
        assert_refused(answer, route, 403, "missing_scope")
        assert route.scope in answer.json()["message"]
    assert send(enough, route, alices).status_code in {200, 201}


def test_a_tenant_header_that_names_another_tenant(alice: Caller, bob: Caller, alices: World) -> None:
    for route in ROUTES:
        with nothing_written():
            for named in ("bob", str(uuid4()), "nobody"):
                assert_refused(send(alice, route, alices, X_Tenant_ID=named), route, 403, "wrong_tenant")
    for route in READS.values():
        assert send(alice, route, alices, X_Tenant_ID="alice").status_code == 200


def test_another_tenants_thing_in_a_path_is_one_that_does_not_exist(bob: Caller, alices: World) -> None:
    unknown = World(*[str(uuid4())] * 6)
    nonsense = ("x", "%00", "maip-orch:" + "Z" * 26, "maip-agent:" + "0" * 26, "%ff", "1", "x" * 2000)
    with nothing_written():
        for route in [route for route in ROUTES if "{" in route.path]:
            foreign = send(bob, route, alices, X_Request_ID="r")
            assert_refused(foreign, route, 404, "not_found")
            for world in (unknown, *(World(*[text] * 6) for text in nonsense)):
                assert send(bob, route, world, X_Request_ID="r").content == foreign.content


def test_another_tenants_things_are_in_no_list(bob: Caller, alices: World) -> None:
    for path in ("/v1/executions", "/api/v2/applications", "/api/v2/data_orchestration/templates", "/v1/workflows"):
        answer = bob.get(path).json()
        assert answer.get("items", answer.get("data")) in ([], EMPTY_PAGE), path


@pytest.mark.parametrize(
    ("door", "member"),
    [("executions", "workflowId"), ("orchestration", "template_id"), ("orchestration", "application_id")],
)
def test_another_tenants_id_in_a_body_is_named(
    alice: Caller, bob: Caller, alices: World, door: str, member: str
) -> None:
    route, bobs = DOORS[door], world_of(bob)
    wrong = (route.body(bobs)[member], str(uuid4()), "architecto", "\U0001f600" * 255)
    with nothing_written():
        answers = [send(alice, route, alices, {**route.body(alices), member: id_}, X_Request_ID="r") for id_ in wrong]
        for answer in answers:
            assert_refused(answer, route, 404 if door == "executions" else 422, field=f"/{member}")
        assert len({answer.content for answer in answers}) == 1


def test_anothers_log_is_not_under_ones_own_application(alice: Caller, alices: World) -> None:
    other = application(alice, amount=2)
    path = "/api/v2/applications/{}/data_orch/{}"
    assert alice.get(path.format(alices.application, alices.execution)).status_code == 200
    assert alice.get(path.format(other, alices.execution)).status_code == 404
    elsewhere = created(alice, alices.workflow)["execution"]["id"]
    assert alice.get(path.format(alices.application, elsewhere)).status_code == 404


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"nonsense", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": 1, "a": 2}', "'a'"),
        (b'{"a": {"b": [NaN]}}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": 1e999}', "infinity"),
        (b'{"a": 9007199254740992}', "2^53"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\udc00": 1}', "surrogate"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", "64 levels"),
        (b"[" * 100_000, "64 levels"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_what_is_not_json_here(alice: Caller, alices: World, text: bytes, said: str) -> None:
    with nothing_written():
        for route in MUTATIONS.values():
            answer = send(alice, route, alices, text)
            assert_refused(answer, route, 400, "invalid_json")
            assert said in answer.json()["message"]


def test_sixty_four_levels_are_taken(alice: Caller, alices: World) -> None:
    deep: Any = 1
    for _ in range(62):
        deep = [deep]
    for payload, status in (({"deep": deep}, 200), ({"deep": [deep]}, 400)):
        assert alice.post("/v1/executions", creation(alices.workflow, requestPayload=payload)).status_code == status


def test_too_much_and_of_the_wrong_kind(alice: Caller, alices: World) -> None:
    with nothing_written():
        for route in MUTATIONS.values():
            assert_refused(send(alice, route, alices, b"x" * (BODY_LIMIT + 1)), route, 413, "payload_too_large")
            for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""):
                answer = send(alice, route, alices, b'{"a": 1}', Content_Type=kind)
                assert_refused(answer, route, 415, "unsupported_media_type")


def test_an_unknown_member_is_named(alice: Caller, alices: World) -> None:
    with nothing_written():
        for route in MUTATIONS.values():
            answer = send(alice, route, alices, {**route.body(alices), "surprise": None})
            assert_refused(answer, route, of_a_member(route), "unknown_member", field="/surprise")


def test_a_body_that_is_no_object(alice: Caller, alices: World) -> None:
    with nothing_written():
        for route in MUTATIONS.values():
            for text in (b"[]", b"1", b'"text"', b"true", b"1.5", b"null"):
                assert_refused(send(alice, route, alices, text), route, of_a_member(route), "invalid_type")


def test_a_member_of_the_wrong_type_is_named(alice: Caller, alices: World) -> None:
    with nothing_written():
        for route in MUTATIONS.values():
            for wrong in (1, ["x"], True):
                answer = send(alice, route, alices, {**route.body(alices), route.member: wrong})
                assert_refused(answer, route, of_a_member(route), "invalid_type", field=f"/{route.member}")


@pytest.mark.parametrize(
    ("route", "members"),
    [
        (DOORS["executions"], ("workflowId", "sourceSystem", "sourceEntityType")),
        (DOORS["orchestration"], ("template_id", "application_id")),
        (OTHER_MUTATIONS["confirm"], ("reference",)),
    ],
    ids=["executions", "orchestration", "confirm"],
)
def test_a_required_string_is_there_not_empty_and_not_too_long(
    alice: Caller, alices: World, route: Route, members: tuple[str, ...]
) -> None:
    good = route.body(alices)
    with nothing_written():
        for member in members:
            without = {name: value for name, value in good.items() if name != member}
            for body in (without, *({**good, member: wrong} for wrong in (None, "", "x" * 256, {}))):
                assert_refused(send(alice, route, alices, body), route, of_a_member(route), field=f"/{member}")


def test_a_string_has_at_most_255_characters(alice: Caller, alices: World) -> None:
    for member in ("sourceEntityId", "externalRef", "idempotencyKey", "sourceSystem", "sourceEntityType"):
        for size, status in ((255, 200), (256, 400)):
            answer = alice.post("/v1/executions", creation(alices.workflow, **{member: "ä" * size}))
            assert answer.status_code == status, member


def test_an_unknown_query_parameter_is_named(alice: Caller, alices: World) -> None:
    with nothing_written():
        for route in ROUTES:
            answer = send(alice, route, alices, query="?surprise=1")
            assert_refused(answer, route, of_a_member(route), "unknown_parameter", field="query.surprise")


def test_a_method_that_is_not_there_comes_before_the_credential(stranger: Caller) -> None:
    for route in ROUTES:
        path = route.path.format(**dict.fromkeys(World.__annotations__, "x"))
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "BREW"):
            answer = stranger.send(method, path)
            assert_refused(answer, route, 405, "method_not_allowed")
            assert route.method in answer.headers["Allow"]


def test_a_trailing_slash_is_another_path(alice: Caller, alices: World) -> None:
    for route in ROUTES:
        assert alice.send(route.method, route.at(alices) + "/").status_code == 404


def test_an_idempotency_key_that_is_none(alice: Caller, alices: World) -> None:
    with nothing_written():
        for route in MUTATIONS.values():
            for key in ("", "k" * 256, "a\x7f", "\t"):
                answer = send(alice, route, alices, Idempotency_Key=key)
                assert_refused(answer, route, of_a_member(route), field="header.Idempotency-Key")


def test_nothing_before_the_ids_depends_on_what_exists(bob: Caller, alices: World) -> None:
    unknown = World(*[str(uuid4())] * 6)
    for route in DOORS.values():
        for wrong in ({"surprise": 1}, {"surprise": 1, "input": {}}):
            answers = [
                bob.send("POST", route.at(world), {**route.body(world), **wrong}, X_Request_ID="r")
                for world in (alices, unknown)
            ]
            assert answers[0].status_code == of_a_member(route)
            assert answers[0].content == answers[1].content
