"""Log lines show no client token."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from config.masking import mask_tokens, name_request

TOKEN = "ct_0a1b2c3d_" + "Ab-_9" * 8


@pytest.mark.parametrize(
    "line",
    [
        f'{{"event": "GET /v1/public/executions/x?token={TOKEN}&a=1"}}',
        f'{{"event": "{TOKEN}"}}',
        f"X-Client-Token: {TOKEN}",
        '{"path": "/x?a=1&token=ct%5F0a1b2c3d%5Fsecret"}',
        '{"path": "/x?TOKEN=guess"}',
    ],
)
def test_a_token_is_masked_wherever_it_stands(line: str) -> None:
    masked = mask_tokens(None, "info", line)
    assert "***" in masked
    assert not any(secret in masked for secret in (TOKEN, "Ab-_9", "secret", "guess"))


def test_what_is_no_token_stays() -> None:
    line = '{"event": "a ct_short and tokens=3", "id": "ct"}'
    assert mask_tokens(None, "info", line) == line


def test_a_request_is_named_without_its_query() -> None:
    request = SimpleNamespace(method="GET", path="/v1/public/executions/x")
    assert name_request(None, "warning", {"request": request})["request"] == "GET /v1/public/executions/x"
    assert name_request(None, "warning", {"event": "e"}) == {"event": "e"}


def test_a_request_that_is_over_is_named_by_its_id_too() -> None:
    request = SimpleNamespace(method="GET", path="/v1/me", request_id="abc-123")
    assert name_request(None, "warning", {"request": request}) == {"request": "GET /v1/me", "request_id": "abc-123"}
