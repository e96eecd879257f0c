"""Client tokens: derived, so that nothing of them is stored."""

from __future__ import annotations

import base64
import re
from uuid import UUID

from executions.client_tokens import client_token

ONE = UUID("01a2022d-9de5-7440-bc82-e5ecfc474f4c")
OTHER = UUID("01a2022d-9de5-7440-bc82-e5ecfc474f4d")


def test_a_token_names_its_key_and_holds_a_whole_signature() -> None:
    found = re.fullmatch(r"ct_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", client_token("secret", ONE))
    assert found is not None
    assert len(base64.urlsafe_b64decode(found[2] + "=")) == 32


def test_the_same_execution_has_the_same_token_every_time() -> None:
    assert client_token("secret", ONE) == client_token("secret", ONE)


def test_another_execution_or_another_secret_has_another_token() -> None:
    assert len({client_token("secret", ONE), client_token("secret", OTHER), client_token("other", ONE)}) == 3


def test_the_key_id_changes_with_the_secret_and_not_with_the_execution() -> None:
    def key_id(token: str) -> str:
        return token.split("_")[1]

    assert key_id(client_token("secret", ONE)) == key_id(client_token("secret", OTHER))
    assert key_id(client_token("secret", ONE)) != key_id(client_token("other", ONE))


def test_a_token_tells_neither_the_secret_nor_the_execution() -> None:
    token = client_token("secret", ONE)
    assert "secret" not in token
    assert str(ONE) not in token
    assert ONE.hex not in token
