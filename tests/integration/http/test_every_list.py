"""Every list by the same rules: bounds, cursors, unknown parameters; and no loss, no repeat, while rows come."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection

from tests.integration.http.arranging import EXECUTE, TEMPLATES, application, created, creation, published, template
from tests.integration.http.doors import World, hooked, world_of
from tests.integration.http_client import Caller


@dataclass(frozen=True)
class Listed:
    """A list: where it is, and a filter that everything in the world passes."""

    path: str
    query: str = ""

    def at(self, world: World) -> str:
        return self.path.format(**vars(world))


LISTS = (
    Listed("/v1/executions", "sourceSystem=crm"),
    Listed("/v1/orchestrations", "workflow_id={workflow}"),
    Listed("/v1/workflows"),
    Listed("/v1/workflows/{workflow}/versions"),
    Listed(TEMPLATES),
    Listed("/api/v2/applications", "external_ref=ref-1"),
    Listed("/api/v2/applications/{application}/data_orch"),
    Listed("/v1/api-keys"),
    Listed("/v1/secrets"),
    Listed("/v1/agents"),
    Listed("/v1/execution-webhooks"),
    Listed("/v1/execution-webhooks/deliveries"),
)


def page(answer: Any) -> tuple[list[str], str | None]:
    """The ids of a page and the cursor of the next one."""
    assert answer.status_code == 200, answer.content
    body = answer.json()
    if "meta" in body:
        return [item["id"] for item in body["data"]], body["meta"]["next_cursor"]
    data = body.get("data", body)
    return [item["id"] for item in data["items"]], data.get("nextCursor", data.get("next_cursor"))


def every(alice: Caller, path: str, query: str, limit: int) -> list[str]:
    """The ids of all pages."""
    found, cursor = page(alice.get(f"{path}?limit={limit}{query}"))
    while cursor is not None:
        more, cursor = page(alice.get(f"{path}?limit={limit}{query}&cursor={cursor}"))
        found += more
    return found


def fields(answer: Any) -> tuple[int, set[str]]:
    """Of a refusal, whatever the dialect: its status and the fields it names."""
    body = answer.json()
    if "errors" in body:
        return answer.status_code, set(body["errors"])
    details = body["details"]["errors"] if isinstance(body["details"], dict) else body["details"]
    return answer.status_code, {detail["field"] for detail in details}


@pytest.fixture
def world(alice: Caller) -> World:
    """Three of everything that is listed."""
    made = world_of(alice)
    body = {"template_id": made.template, "application_id": made.application}
    for number in range(2):
        alice.post(EXECUTE, body)
        created(alice, made.workflow)
        template(alice, made.workflow)
        application(alice)
        hooked(alice, made.execution)
        alice.post("/v1/agents", {"name": f"agent-{number}"})
        alice.post("/v1/api-keys", {"name": f"key-{number}", "scopes": ["agents:read"]})
        alice.put(f"/v1/secrets/SECRET_{number}", {"value": "v"})
        draft = alice.get(f"/v1/workflows/{made.workflow}").json()
        alice.put(f"/v1/workflows/{made.workflow}", {**draft, "version": f"2.0.{number}"})
        alice.post(f"/v1/workflows/{made.workflow}/publish")
    return made


@pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.path)
def test_pages_by_cursor_and_by_offset_are_the_same_list(alice: Caller, world: World, listed: Listed) -> None:
    path = listed.at(world)
    whole = page(alice.get(path))[0]
    assert len(whole) >= 2
    assert len(set(whole)) == len(whole)
    assert every(alice, path, "", 1) == every(alice, path, "", 2) == whole
    assert [page(alice.get(f"{path}?limit=1&offset={n}"))[0] for n in range(len(whole))] == [[id_] for id_ in whole]
    assert page(alice.get(f"{path}?offset=10000")) == ([], None)
    assert page(alice.get(f"{path}?limit=100"))[1] is None


@pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.path)
def test_what_a_list_does_not_take_is_refused_by_name(alice: Caller, world: World, listed: Listed) -> None:
    path, status = listed.at(world), 422 if listed.path.startswith("/api/v2") else 400
    for query in ("limit=0", "limit=101", "offset=-1", "offset=10001", "cursor=x", "surprise=1", "limit=1&limit=2"):
        assert fields(alice.get(f"{path}?{query}")) == (status, {f"query.{query.partition('=')[0]}"}), query
    _, cursor = page(alice.get(f"{path}?limit=1"))
    for query in (f"cursor={cursor}&offset=0", f"cursor={cursor}x", f"cursor={(cursor or '')[:-1]}"):
        assert fields(alice.get(f"{path}?{query}")) == (status, {"query.cursor"}), query


def test_a_cursor_goes_with_its_own_list_tenant_and_filters_only(alice: Caller, bob: Caller, world: World) -> None:
    cursors = {listed: page(alice.get(f"{listed.at(world)}?limit=1"))[1] for listed in LISTS}
    for listed in LISTS:
        path, status = listed.at(world), 422 if listed.path.startswith("/api/v2") else 400
        for other, cursor in cursors.items():
            answer = alice.get(f"{path}?limit=1&cursor={cursor}")
            assert answer.status_code == (200 if other == listed else status), (listed, other)
        if "{" not in listed.path:
            assert bob.get(f"{path}?cursor={cursors[listed]}").status_code == status
        if listed.query:
            query = listed.query.format(**vars(world))
            assert fields(alice.get(f"{path}?{query}&cursor={cursors[listed]}")) == (status, {"query.cursor"})
            _, own = page(alice.get(f"{path}?{query}&limit=1"))
            assert own is not None
            assert alice.get(f"{path}?{query}&limit=2&cursor={own}").status_code == 200
            assert fields(alice.get(f"{path}?cursor={own}")) == (status, {"query.cursor"})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("query", ["", "&status=workflow_queued", "&sourceSystem=crm"])
def test_nothing_is_lost_or_told_twice_while_executions_are_created(alice: Caller, query: str) -> None:
    workflow_id = published(alice)
    before = [created(alice, workflow_id)["execution"]["id"] for _ in range(60)][::-1]
    stop = threading.Event()
    came: list[str] = []

    def create() -> None:
        other = Caller(alice.tenant, alice.key)
        try:
            while not stop.is_set():
                answer = other.post("/v1/executions", creation(workflow_id))
                came.append(answer.json()["data"]["execution"]["id"])
        finally:
            connection.close()

    creating = [threading.Thread(target=create) for _ in range(3)]
    for thread in creating:
        thread.start()
    try:
        readings = [every(alice, "/v1/executions", query, limit) for limit in (7, 20, 3)]
    finally:
        stop.set()
        for thread in creating:
            thread.join()
    assert len(came) > 10
    known = {*before, *came}
    for found in readings:
        assert len(set(found)) == len(found)
        assert set(found) <= known
        assert [id_ for id_ in found if id_ in set(before)] == before
        assert found == sorted(found, reverse=True)
    assert every(alice, "/v1/executions", query, 100) == sorted(known, reverse=True)
