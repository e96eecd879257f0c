"""Lists: newest first, by offset or by cursor, in the dialect's envelope."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.http_client import Caller


@pytest.fixture
def names(alice: Caller) -> list[str]:
    """Five agents, newest first; the default one is the oldest."""
    for number in range(1, 5):
        alice.post("/v1/agents", {"name": f"agent {number}"})
    return ["agent 4", "agent 3", "agent 2", "agent 1", "default"]


def listed(answer: Any) -> list[str]:
    return [item["name"] for item in answer.json()["items"]]


def test_pages_by_cursor_are_the_whole_list_without_repeats(alice: Caller, names: list[str]) -> None:
    found: list[str] = []
    query = "limit=2"
    for _ in range(3):
        answer = alice.get(f"/v1/agents?{query}")
        found += listed(answer)
        query = f"limit=2&cursor={answer.json()['next_cursor']}"
    assert found == names
    assert answer.json()["next_cursor"] is None
    assert answer.json()["has_more"] is False


def test_a_cursor_goes_on_where_it_was_though_something_new_came(alice: Caller, names: list[str]) -> None:
    first = alice.get("/v1/agents?limit=2").json()
    alice.post("/v1/agents", {"name": "newcomer"})
    assert listed(alice.get(f"/v1/agents?limit=2&cursor={first['next_cursor']}")) == names[2:4]


def test_pages_by_offset(alice: Caller, names: list[str]) -> None:
    answer = alice.get("/v1/agents?limit=2&offset=3")
    assert listed(answer) == names[3:]
    assert {name: answer.json()[name] for name in ("limit", "offset", "has_more")} == {
        "limit": 2,
        "offset": 3,
        "has_more": False,
    }


def test_the_executions_dialect_wraps_a_list_in_camel_case(alice: Caller) -> None:
    answer = alice.get("/v1/api-keys").json()
    assert (answer["code"], answer["message"]) == (200, "success")
    assert set(answer["data"]) == {"items", "hasMore", "limit", "offset", "nextCursor"}
    assert answer["data"]["limit"] == 20


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=101", "query.limit"),
        ("limit=ten", "query.limit"),
        ("limit=1&limit=2", "query.limit"),
        ("limit=%D9%A3", "query.limit"),
        ("offset=-1", "query.offset"),
        ("offset=10001", "query.offset"),
        ("cursor=nonsense", "query.cursor"),
        ("cursor=", "query.cursor"),
        ("cursor=%C3%BC", "query.cursor"),
        ("colour=red", "query.colour"),
    ],
)
def test_what_a_list_does_not_take_is_refused_by_name(alice: Caller, query: str, field: str) -> None:
    answer = alice.get(f"/v1/agents?{query}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["details"]["errors"]] == [field]


def test_a_cursor_of_another_list_or_tenant_is_refused(alice: Caller, bob: Caller, names: list[str]) -> None:
    cursor = alice.get("/v1/agents?limit=1").json()["next_cursor"]
    assert alice.get(f"/v1/agents?cursor={cursor}").status_code == 200
    assert bob.get(f"/v1/agents?cursor={cursor}").status_code == 400
    assert alice.get(f"/v1/api-keys?cursor={cursor}").status_code == 400
    assert alice.get(f"/v1/agents?cursor={cursor}&offset=0").status_code == 400
