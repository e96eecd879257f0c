"""The doors refuse bodies: what is no JSON here, too much, of the wrong kind or shape; not a row is written."""

from __future__ import annotations

from typing import Any

import pytest

from contract.http import BODY_LIMIT, DEFINITION_LIMIT
from tests.integration.http.arranging import creation
from tests.integration.http.doors import (
    DOORS,
    MUTATIONS,
    OTHER_MUTATIONS,
    Route,
    World,
    assert_refused,
    nothing_written,
    of_a_member,
    send,
    world_of,
)
from tests.integration.http_client import Caller

TAKE_DEFINITIONS = {"create workflow", "replace workflow", "validate"}


@pytest.fixture
def alices(alice: Caller) -> World:
    return world_of(alice)


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
        for name, route in MUTATIONS.items():
            limit = DEFINITION_LIMIT if name in TAKE_DEFINITIONS else BODY_LIMIT
            assert_refused(send(alice, route, alices, b"x" * (limit + 1)), route, 413, "payload_too_large")
            for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""):
                answer = send(alice, route, alices, b'{"a": 1}', Content_Type=kind)
                assert_refused(answer, route, 415, "unsupported_media_type", field="header.Content-Type")


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
        for route in (route for route in MUTATIONS.values() if route.member):
            for wrong in (1, ["x"], True if route.member != "preview" else "yes"):
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
            for body in (without, *({**good, member: wrong} for wrong in (None, "", "x" * 256, 1))):
                assert_refused(send(alice, route, alices, body), route, of_a_member(route), field=f"/{member}")


def test_a_string_has_at_most_255_characters(alice: Caller, alices: World) -> None:
    for member in ("sourceEntityId", "externalRef", "idempotencyKey", "sourceSystem", "sourceEntityType"):
        for size, status in ((255, 200), (256, 400)):
            answer = alice.post("/v1/executions", creation(alices.workflow, **{member: "ä" * size}))
            assert answer.status_code == status, member
