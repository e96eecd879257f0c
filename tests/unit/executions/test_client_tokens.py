"""Client tokens: who may look at an execution, by a signature over its id."""

from __future__ import annotations

from uuid import uuid4

import pytest

from executions.client_tokens import client_token, is_client_token


def test_a_token_opens_its_own_execution_and_no_other() -> None:
    mine, other = uuid4(), uuid4()
    token = client_token("secret", mine)
    assert is_client_token(token, ["secret"], mine)
    assert not is_client_token(token, ["secret"], other)
    assert not is_client_token(token, ["another secret"], mine)


def test_a_token_of_an_earlier_key_goes_on_opening_while_that_key_is_kept() -> None:
    execution_id = uuid4()
    token = client_token("earlier", execution_id)
    assert is_client_token(token, ["today", "earlier"], execution_id)
    assert not is_client_token(token, ["today"], execution_id)


def test_the_kid_names_the_key() -> None:
    one, two = client_token("a", uuid4()), client_token("a", uuid4())
    assert one.split("_")[:2] == two.split("_")[:2] != client_token("b", uuid4()).split("_")[:2]


@pytest.mark.parametrize("given", ["", "ct_", "x" * 10_000, "\ud800", "ct_00000000_é"])
def test_anything_else_opens_nothing(given: str) -> None:
    assert not is_client_token(given, ["secret"], uuid4())
