"""The doors refuse callers, ids, methods, queries, headers: the dialect's own body, and not a row written."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tenants.scopes import SINGLE
from tests.integration.http.arranging import application, created
from tests.integration.http.doors import (
    DOORS,
    EMPTY_PAGE,
    MUTATIONS,
    READS,
    ROUTES,
    Route,
    World,
    assert_refused,
    nothing_written,
    of_a_member,
    send,
    world_of,
)
from tests.integration.http_client import Caller, another_key

WRONG_TENANT = ("wrong_tenant", "header.X-Tenant-ID")


@pytest.fixture
def alices(alice: Caller) -> World:
    return world_of(alice)


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


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.scope], ids=lambda route: f"{route.method} {route.path}"
)
def test_a_missing_scope_is_named(alice: Caller, alices: World, route: Route) -> None:
    assert alice.tenant is not None
    poor = another_key(alice.tenant, *sorted(SINGLE - {route.scope}))
    enough = another_key(alice.tenant, route.scope)
    with nothing_written():
        answer = send(poor, route, alices)
        assert_refused(answer, route, 403, "missing_scope")
        assert route.scope in answer.json()["message"]
    assert send(enough, route, alices).status_code == route.answers


def test_a_tenant_header_that_names_another_tenant(alice: Caller, bob: Caller, alices: World) -> None:
    for route in ROUTES:
        with nothing_written():
            for named in ("bob", str(uuid4()), "nobody"):
                assert_refused(send(alice, route, alices, X_Tenant_ID=named), route, 403, *WRONG_TENANT)
    for route in READS.values():
        assert send(alice, route, alices, X_Tenant_ID="alice").status_code == route.answers


def test_another_tenants_thing_in_a_path_is_one_that_does_not_exist(bob: Caller, alices: World) -> None:
    unknown = World.of(str(uuid4()))
    nonsense = ("x", "%00", "maip-orch:" + "Z" * 26, "maip-agent:" + "0" * 26, "%ff", "1", "x" * 2000)
    with nothing_written():
        for route in [route for route in ROUTES if "{" in route.path]:
            foreign = send(bob, route, alices, X_Request_ID="r")
            assert_refused(foreign, route, 404, "not_found")
            for world in (unknown, *(World.of(text) for text in nonsense)):
                body = None if route.method == "GET" else route.body(alices)
                assert send(bob, route, world, body, X_Request_ID="r").content == foreign.content


def test_another_tenants_things_are_in_no_list(bob: Caller, alices: World) -> None:
    for path in ("/v1/executions", "/api/v2/applications", "/api/v2/data_orchestration/templates", "/v1/workflows"):
        answer = bob.get(path).json()
        assert answer.get("items", answer.get("data")) in ([], EMPTY_PAGE), path


@pytest.mark.parametrize(
    ("door", "member"),
    [
        ("executions", "workflowId"),
        ("orchestrate", "workflow_id"),
        ("orchestration", "template_id"),
        ("orchestration", "application_id"),
    ],
)
def test_another_tenants_id_in_a_body_is_named(
    alice: Caller, bob: Caller, alices: World, door: str, member: str
) -> None:
    route, bobs = MUTATIONS[door], world_of(bob)
    wrong = (route.body(bobs)[member], str(uuid4()), "architecto", "\U0001f600" * 255)
    with nothing_written():
        answers = [send(alice, route, alices, {**route.body(alices), member: id_}, X_Request_ID="r") for id_ in wrong]
        for answer in answers:
            assert_refused(answer, route, 422 if route.path.startswith("/api/v2") else 404, field=f"/{member}")
        assert len({answer.content for answer in answers}) == 1


def test_anothers_log_is_not_under_ones_own_application(alice: Caller, alices: World) -> None:
    other = application(alice, amount=2)
    path = "/api/v2/applications/{}/data_orch/{}"
    assert alice.get(path.format(alices.application, alices.execution)).status_code == 200
    assert alice.get(path.format(other, alices.execution)).status_code == 404
    elsewhere = created(alice, alices.workflow)["execution"]["id"]
    assert alice.get(path.format(alices.application, elsewhere)).status_code == 404


def test_an_unknown_query_parameter_is_named(alice: Caller, alices: World) -> None:
    with nothing_written():
        for route in ROUTES:
            answer = send(alice, route, alices, query="?surprise=1")
            assert_refused(answer, route, of_a_member(route), "unknown_parameter", field="query.surprise")


def test_a_method_that_is_not_there_comes_before_the_credential(stranger: Caller) -> None:
    for route in ROUTES:
        path = route.path.format(**dict.fromkeys(World.__annotations__, "x"))
        there = {other.method for other in ROUTES if other.path == route.path}
        for method in {"PUT", "PATCH", "DELETE", "TRACE", "BREW"} - there:
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
    unknown = World.of(str(uuid4()))
    for route in DOORS.values():
        for wrong in (dict.fromkeys(("surprise", "other"), 1), {"surprise": 1}):
            answers = [
                bob.send("POST", route.at(world), {**route.body(world), **wrong}, X_Request_ID="r")
                for world in (alices, unknown)
            ]
            assert answers[0].status_code == of_a_member(route)
            assert answers[0].content == answers[1].content
