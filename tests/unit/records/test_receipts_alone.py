"""A receipt without its bundle: whatever it comes in, its signature counts, and what is shown beside it is signed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.unit.records.shelf import plain
from tests.unit.records.writing import SIGNER, Json, Signer, jwks, text_of
from traceway.records import Unreadable, Verdict, verify_receipt

TRUSTED = jwks(SIGNER, Signer("next"))


def jws() -> str:
    return str(plain().receipts[0]["jws"])


def payload() -> Json:
    part = jws().split(".")[1]
    decoded: Json = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


def wheres(verdict: Verdict) -> list[str]:
    return [finding.where for finding in verdict.findings]


@pytest.mark.parametrize(
    "text",
    [
        jws(),
        jws() + "\n",
        json.dumps({"jws": jws()}),
        json.dumps({"code": 0, "data": {"id": "receipt-1", "jws": jws(), "runId": payload()["run_id"]}}),
        json.dumps({"data": {"receipt": {"jws": jws(), "payload": payload()}}}, indent=2),
    ],
)
def test_a_receipt_verifies_in_whatever_it_comes(text: str) -> None:
    verdict = verify_receipt(text, TRUSTED)
    assert (verdict.findings, verdict.signed_by, verdict.trusted) == ((), ("first",), True)
    assert verdict.execution == payload()["execution"]
    assert verify_receipt(text.encode(), TRUSTED) == verdict


def test_without_trusted_keys_those_beside_it_are_taken_and_that_is_told() -> None:
    verdict = verify_receipt(json.dumps({"jws": jws(), "keys": jwks(SIGNER)}))
    assert (verdict.intact, verdict.trusted) == (True, False)
    assert verify_receipt(json.dumps({"jws": jws(), "keys": jwks(SIGNER)["keys"]})) == verdict
    with pytest.raises(Unreadable, match="no key is at hand"):
        verify_receipt(jws())


def test_the_keys_beside_it_do_not_count_where_others_are_trusted() -> None:
    verdict = verify_receipt(json.dumps({"jws": jws(), "keys": jwks(SIGNER)}), jwks(Signer("other")))
    assert wheres(verdict) == ["receipt key"]


@pytest.mark.parametrize(
    ("shown", "where"),
    [
        ({"status": "workflow_failed"}, "receipt status"),
        ({"runId": "maip-orch:other"}, "receipt runId"),
        ({"finishedAt": "2026-11-22T15:00:00.000Z"}, "receipt finishedAt"),
        ({"payload": {**payload(), "output": "0" * 64}}, "receipt output"),
        ({"steps": [{**step, "attempts": 7} for step in payload()["steps"]]}, "receipt steps"),
    ],
)
def test_what_is_shown_beside_the_signature_must_be_signed(shown: Json, where: str) -> None:
    assert wheres(verify_receipt(json.dumps({"jws": jws(), **shown}), TRUSTED)) == [where]


def test_times_may_be_shown_in_milliseconds_and_names_in_camel_case() -> None:
    signed = payload()
    cut = {"finishedAt": signed["finished_at"][:-4] + "Z", "startedAt": signed["started_at"], "runId": signed["run_id"]}
    assert verify_receipt(json.dumps({"jws": jws(), **cut}), TRUSTED).intact


def resigned(change: dict[str, Any], header: Json | None = None) -> str:
    head, _, _ = jws().split(".")
    if header is not None:
        head = base64.urlsafe_b64encode(text_of(header)).rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(text_of(payload() | change)).rstrip(b"=").decode()
    mark = base64.urlsafe_b64encode(SIGNER.private.sign(f"{head}.{body}".encode())).rstrip(b"=").decode()
    return f"{head}.{body}.{mark}"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": "first", "typ": "traceway-receipt+jwt"},
        {"alg": "HS256", "kid": "first", "typ": "traceway-receipt+jwt"},
        {"alg": "EdDSA", "kid": "first", "typ": "JWT"},
        {"alg": "EdDSA", "kid": "first", "typ": "traceway-receipt+jwt", "crit": ["b64"], "b64": False},
        {"alg": "EdDSA", "kid": "first", "typ": "traceway-receipt+jwt", "jwk": SIGNER.jwk},
        {"alg": "EdDSA", "kid": None, "typ": "traceway-receipt+jwt"},
    ],
)
def test_another_header_is_no_receipt_even_where_the_signature_fits(header: Json) -> None:
    assert wheres(verify_receipt(resigned({}, header), TRUSTED)) == ["receipt signature"]


def test_what_is_signed_must_have_the_shape_of_a_receipt() -> None:
    assert wheres(verify_receipt(resigned({"format": "traceway-receipt/2"}), TRUSTED)) == ["receipt format"]
    assert wheres(verify_receipt(resigned({"more": 1}), TRUSTED)) == ["receipt /more"]
    assert wheres(verify_receipt(resigned({"steps": {}}), TRUSTED)) == ["receipt /steps"]


def test_a_character_changed_anywhere_in_it_is_named() -> None:
    text = jws()
    for at, character in enumerate(text):
        other = text[:at] + ("A" if character != "A" else "B") + text[at + 1 :]
        try:
            assert not verify_receipt(other, TRUSTED).intact, at
        except Unreadable:
            assert character == "."


def test_a_signature_with_spare_bits_is_another_text_and_is_named() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = jws()
    other = text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]
    assert base64.urlsafe_b64decode(text.split(".")[2] + "==") == base64.urlsafe_b64decode(other.split(".")[2] + "==")
    assert wheres(verify_receipt(other, TRUSTED)) == ["receipt signature"]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "a.b", '{"jws": 1}', "[" * 100_000, "\x00", '{"data": [{"jws": "x"}]}']
)
def test_what_holds_no_receipt_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="neither a bundle nor a receipt"):
        verify_receipt(text, TRUSTED)


def test_trusted_keys_may_stand_among_keys_for_other_things() -> None:
    mixed = {"keys": [{"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"}, *jwks(SIGNER)["keys"]]}
    assert verify_receipt(jws(), mixed).intact
    assert wheres(verify_receipt(jws(), {"keys": mixed["keys"][:1]})) == ["trusted keys", "receipt key"]
