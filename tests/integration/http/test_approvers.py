"""Who an approver is: a key by its name, a user by the subject; told apart where the kind is said."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.integration.http.arranging import created, engine, published
from tests.integration.http.vouching import trust, user
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class People:
    """`ada` is a user; two keys have been given a name that may be taken for her."""

    ada: Caller
    key: Caller
    impostor: Caller


@pytest.fixture
def people(alice: Caller) -> People:
    trust(alice)
    keys = [alice.post("/v1/api-keys", {"name": name}).json()["data"]["key"] for name in ("ada", "user:ada")]
    return People(user(), Caller(key=keys[0]), Caller(key=keys[1]))


def waiting_for(alice: Caller, *approvers: str) -> str:
    """The path of a step that waits for one of these to approve it."""
    step = {"name": "ask", "type": "wait", "config": {"approval": {"approvers": approvers}}}
    execution = created(alice, published(alice, [step]))["execution"]["id"]
    with engine() as world:
        world.drain()
    return f"/v1/executions/{execution}/steps/ask/approve"


def assert_refused(caller: Caller, path: str) -> None:
    answer = caller.post(path)
    assert (answer.status_code, answer.json()["details"][0]["code"]) == (403, "not_an_approver")


def test_a_bare_name_is_that_of_a_key_or_a_subject(alice: Caller, people: People) -> None:
    path = waiting_for(alice, "ada")
    for other in (user(sub="eve"), alice, people.impostor):
        assert_refused(other, path)
    assert people.ada.post(path).status_code == 200
    assert people.key.post(waiting_for(alice, "ada")).status_code == 200


def test_a_user_may_be_named_as_a_user_and_then_no_key_will_do(alice: Caller, people: People) -> None:
    path = waiting_for(alice, "user:ada")
    for other in (people.key, people.impostor, user(sub="user:ada"), user(sub="eve")):
        assert_refused(other, path)
    assert people.ada.post(path).status_code == 200


def test_a_key_may_be_named_as_a_key_and_then_no_user_will_do(alice: Caller, people: People) -> None:
    path = waiting_for(alice, "api_key:ada")
    for other in (people.ada, people.impostor, user(sub="api_key:ada")):
        assert_refused(other, path)
    assert people.key.post(path).status_code == 200
