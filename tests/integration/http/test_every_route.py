"""Every route of the resolver x every way of being refused before anything is looked up: the exact status, the
dialect's body, and not a row written. Another tenant's ids, which are looked up, come last.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

import pytest

from config.openapi.routes import Route, routes
from tenants.scopes import SINGLE
from tests.integration.http import doors
from tests.integration.http.doors import World, assert_refused, nothing_written, world_of
from tests.integration.http_client import Caller, another_key

ROUTES = [route for route in routes() if not route.is_plain]
WITH_CREDENTIAL = [route for route in ROUTES if not route.is_public]
MUTATIONS = [route for route in ROUTES if route.is_mutation]
ANSWERS_PROBLEMS = "/v1/workflows/validate"
"""Whose 200 says what is wrong with a definition."""
OF_A_WORLD = {
    "workflow_id": "workflow", "template_id": "template", "application_id": "application", "execution_id": "execution",
    "orchestration_id": "run", "log_id": "execution", "order_id": "order", "agent_id": "agent", "task_id": "task",
    "key_id": "key", "endpoint_id": "endpoint", "delivery_id": "delivery",
}  # fmt: skip
FIXED = {"version": "1.0.0", "step": "first", "name": "go", "provider": "stripe"}


def at(route: Route, given: Mapping[str, str]) -> str:
    return route.path.format(**{name: given[name] for name in route.path_names})


def known(route: Route) -> tuple[str, str]:
    """What a route is called in the table of doors.py, whatever its ids are."""
    return route.method.upper(), at(route, FIXED | dict.fromkeys(OF_A_WORLD, "-"))


def in_table(row: doors.Route) -> tuple[str, str]:
    return row.method, row.at(World.of("-")).replace("/held/", "/first/")


GOOD = {in_table(row): row.body for row in doors.ROUTES}
"""A good body for each."""


@dataclass(frozen=True)
class Refused:
    """How each route is asked, by a caller with every scope unless `who` says otherwise, and what it has to answer."""

    status: int
    reason: str | None
    routes: list[Route]
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Callable[[Route], bytes] = lambda _: b""
    method: str | None = None
    who: str = "alice"
    field: str | None = None
    of_a_member: bool = False
    """Which is 422 instead in data orchestration."""

    def status_at(self, route: Route) -> int:
        return 422 if self.of_a_member and route.path.startswith("/api/v2") else self.status


def too_large(route: Route) -> bytes:
    return b'{"a": "' + b"x" * route.rules.limit + b'"}'


def surprising(route: Route) -> bytes:
    """A good body, and one member more."""
    good = GOOD[known(route)](World.of(str(uuid4()))) if route in WITH_CREDENTIAL else {}
    return json.dumps({**good, "surprise": 1}).encode()


def taking_json(*, members: bool = False) -> list[Route]:
    """The mutations that read JSON; a provider's webhook reads whatever the provider signed."""
    left = [route for route in MUTATIONS if not route.path.endswith("/webhook")]
    return [route for route in left if route.path != ANSWERS_PROBLEMS] if members else left


UNKNOWN_KEY = {"Authorization": "Bearer tw_live_" + "x" * 43}
NO_JWT = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
TWO_KEYS = {"X-API-Key": "tw_live_" + "y" * 43}
FORM = {"Content_Type": "application/x-www-form-urlencoded"}

TABLE = {
    "no key": Refused(401, "unauthenticated", WITH_CREDENTIAL, who="stranger"),
    "an unknown key": Refused(401, "unauthenticated", WITH_CREDENTIAL, UNKNOWN_KEY),
    "an unsigned JWT": Refused(401, "unauthenticated", WITH_CREDENTIAL, NO_JWT),
    "another scheme": Refused(401, "unauthenticated", WITH_CREDENTIAL, {"Authorization": "Basic dTpw"}),
    "a second, unknown key": Refused(401, "unauthenticated", WITH_CREDENTIAL, TWO_KEYS),
    "a header of another tenant": Refused(403, "wrong_tenant", WITH_CREDENTIAL, {"X-Tenant-ID": "bob"}),
    "a header of no tenant": Refused(403, "wrong_tenant", WITH_CREDENTIAL, {"X-Tenant-ID": str(uuid4())}),
    "a missing scope": Refused(403, "missing_scope", [r for r in WITH_CREDENTIAL if r.rules.scope], who="poor"),
    "another method": Refused(405, "method_not_allowed", ROUTES, method="PATCH", who="stranger"),
    "no method at all": Refused(405, "method_not_allowed", ROUTES, method="BREW", who="stranger"),
    "another content type": Refused(415, "unsupported_media_type", taking_json(), FORM, lambda _: b'{"a": 1}'),
    "malformed JSON": Refused(400, "invalid_json", taking_json(), body=lambda _: b'{"a": '),
    "a member twice": Refused(400, "invalid_json", taking_json(), body=lambda _: b'{"a": 1, "a": 1}'),
    "too large": Refused(413, "payload_too_large", MUTATIONS, body=too_large),
    "no object": Refused(400, None, taking_json(members=True), body=lambda _: b"[]", of_a_member=True),
    "an unknown member": Refused(
        400, "unknown_member", taking_json(members=True), body=surprising, field="/surprise", of_a_member=True
    ),
    "an unknown query parameter": Refused(
        400, "unknown_parameter", WITH_CREDENTIAL, field="query.surprise", of_a_member=True
    ),
    "no token": Refused(
        401, "unauthenticated", [r for r in ROUTES if r.is_public and not r.is_mutation], who="stranger"
    ),
}


def nobodys(route: Route) -> str:
    """The path with ids that name nothing: these refusals come before anything is looked up."""
    return at(route, FIXED | {name: str(uuid4()) for name in OF_A_WORLD})


@pytest.mark.parametrize("way", TABLE)
def test_every_route_refuses(alice: Caller, bob: Caller, stranger: Caller, way: str) -> None:
    refused = TABLE[way]
    query = "?surprise=1" if refused.reason == "unknown_parameter" else ""
    poor = {scope: without(alice, scope) for scope in sorted(SINGLE)} if refused.who == "poor" else {}
    wrong: dict[str, str] = {}
    with nothing_written():
        for route in refused.routes:
            who = {"alice": alice, "stranger": stranger}.get(refused.who) or poor[str(route.rules.scope)]
            method = refused.method or route.method.upper()
            answer = who.send(method, nobodys(route) + query, refused.body(route), **refused.headers)
            try:
                assert_refused(answer, route, refused.status_at(route), refused.reason, refused.field)
            except AssertionError as error:
                wrong[f"{method} {route.path}"] = str(error)[:200]
    assert wrong == {}


def without(alice: Caller, scope: str) -> Caller:
    """Every scope but this one."""
    assert alice.tenant is not None
    return another_key(alice.tenant, *sorted(SINGLE - {scope}))


def test_every_route_stands_in_the_table_of_routes() -> None:
    """Which has a good body for each, what it answers, and its scope."""
    table = {in_table(row): row.scope for row in doors.ROUTES}
    declared = {known(route): route.rules.scope or "" for route in WITH_CREDENTIAL}
    assert declared == {key: table.get(key) for key in declared}


def test_every_route_answers_another_tenants_ids_like_those_that_name_nothing(alice: Caller, bob: Caller) -> None:
    hers, his = world_of(alice), world_of(bob)
    ids = FIXED | {name: getattr(hers, member) for name, member in OF_A_WORLD.items()}
    wrong = {}
    with nothing_written():
        for route in [route for route in WITH_CREDENTIAL if set(route.path_names) & set(OF_A_WORLD)]:
            method, body = route.method.upper(), GOOD[known(route)](his) if route.is_mutation else None
            foreign, unknown = (
                bob.send(method, path, body, X_Request_ID="r") for path in (at(route, ids), nobodys(route))
            )
            if not (foreign.status_code == unknown.status_code == 404 and foreign.content == unknown.content):
                wrong[f"{method} {route.path}"] = foreign.content[:200]
    assert wrong == {}
