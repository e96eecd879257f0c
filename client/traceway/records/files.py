"""A file of which nobody says what it is: a bundle, a receipt as the API answers it, or a bare JWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from traceway.records.container import is_container, load, unpack
from traceway.records.findings import Finding, Report, Unreadable, Verdict
from traceway.records.receipts import FORMAT, Keys, check_signature
from traceway.records.signatures import COMPACT, read_keys
from traceway.records.verifying import trusted_of, verify

MAX_RECEIPT_BYTES = 64 << 20
MAX_KEYS_BYTES = 1 << 20


def verify_file(path: Path | str, trusted_keys: Mapping[str, Any] | None = None) -> Verdict:
    """As verify, for a file: a bundle or a receipt. Raises Unreadable for anything else."""
    return verify_bytes(load(path), trusted_keys)


def verify_bytes(data: bytes, trusted_keys: Mapping[str, Any] | None = None) -> Verdict:
    """As verify_file."""
    if not is_container(data):
        return verify_receipt(data, trusted_keys)
    unpacked = unpack(data)
    if unpacked.finding is None:
        return verify(unpacked.files, trusted_keys)
    if not unpacked.files:
        return Verdict(findings=(unpacked.finding,))
    return _with(verify(unpacked.files, trusted_keys), unpacked.finding)


def verify_receipt(data: bytes | str, trusted_keys: Mapping[str, Any] | None = None) -> Verdict:
    """A receipt alone: its signature, and that what stands beside it is what it signs.

    `data` is the compact JWS, or JSON that holds it as `jws`, with its `keys` or without. Raises Unreadable for
    anything else, and where there is no key to verify with.
    """
    jws, answer = _receipt(_text(data))
    report = Report()
    keys = _keys(answer, trusted_keys, report)
    signed = check_signature("receipt", jws, keys, report)
    if signed is not None:
        report.execution = signed.payload["execution"]
        report.compare("receipt format", FORMAT, signed.payload["format"], "is another one")
        report.count("steps", len(signed.payload["steps"]))
        _check_shown(answer, signed.payload, report)
    report.count("receipts", 1)
    report.note("record", "a receipt alone says what was signed, not what it was made from: that takes the bundle")
    return report.verdict(trusted=keys.trusted)


def read_jwks(text: bytes | str) -> dict[str, Any]:
    """A JWKS, or one key alone, as verify takes it. Raises Unreadable."""
    if len(text) > MAX_KEYS_BYTES:
        raise Unreadable("the keys are larger than any JWKS")
    value = _json(_text(text), "the keys are")
    if isinstance(value, dict) and "kty" in value:
        value = {"keys": [value]}
    if not isinstance(value, dict) or not isinstance(value.get("keys"), list):
        raise Unreadable("the keys are no JWKS: an object with a list `keys` is expected")
    return value


def _with(verdict: Verdict, finding: Finding) -> Verdict:
    return Verdict(
        findings=(*verdict.findings, finding),
        notes=verdict.notes,
        checked=verdict.checked,
        signed_by=verdict.signed_by,
        trusted=verdict.trusted,
        dropped=verdict.dropped,
        execution=verdict.execution,
    )


def _text(data: bytes | str) -> str:
    if len(data) > MAX_RECEIPT_BYTES:
        raise Unreadable("the file is neither a bundle nor a receipt: it is too large")
    try:
        return (data if isinstance(data, str) else data.decode()).strip()
    except UnicodeDecodeError as error:
        raise Unreadable("the file is neither a bundle nor a receipt: it is not even text") from error


def _receipt(text: str) -> tuple[str, dict[str, Any]]:
    """The JWS, and the object that it stands in."""
    if COMPACT.fullmatch(text):
        return text, {}
    found = next(_objects(_json(text, "the file is neither a bundle nor a receipt:")), None)
    if found is None:
        raise Unreadable("the file is neither a bundle nor a receipt: nothing in it is named `jws`")
    return found["jws"], found


def _objects(value: Any, depth: int = 3) -> Iterator[dict[str, Any]]:
    """Those with a `jws`, the outer ones first: APIs put their answers into envelopes."""
    if isinstance(value, dict):
        if isinstance(value.get("jws"), str):
            yield value
        if depth:
            for member in value.values():
                yield from _objects(member, depth - 1)


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{what} no JSON: {error}") from error


def _keys(answer: Mapping[str, Any], trusted: Mapping[str, Any] | None, report: Report) -> Keys:
    if trusted is not None:
        return Keys(trusted_of(trusted, report), trusted=True)
    own = answer.get("keys")
    if own is None:
        raise Unreadable(
            "no key is at hand: the receipt does not carry its own, so say with --keys which ones to trust"
        )
    return Keys(read_keys({"keys": own} if isinstance(own, list) else own, "keys", report), trusted=False)


def _check_shown(answer: Mapping[str, Any], payload: Mapping[str, Any], report: Report) -> None:
    """What is shown beside the signature must be what is signed; names may be spelled either way, times be cut."""
    for name, shown in answer.items():
        if name in {"payload", "receipt"} and isinstance(shown, dict):
            _check_shown(shown, payload, report)
        elif _snake(name) in payload and not _same(shown, payload[_snake(name)]):
            report.compare(f"receipt {name}", payload[_snake(name)], shown, "is not what is signed")


def _same(shown: Any, signed: Any) -> bool:
    if isinstance(shown, dict) and isinstance(signed, dict):
        told = {_snake(name): value for name, value in shown.items()}
        return all(_same(told[name], value) for name, value in signed.items() if name in told)
    if isinstance(shown, list) and isinstance(signed, list):
        return len(shown) == len(signed) and all(map(_same, shown, signed))
    if isinstance(shown, str) and isinstance(signed, str) and shown.endswith("Z"):
        return shown == signed or (len(shown) > 20 and signed.startswith(shown[:-1]))
    return bool(shown == signed) and type(shown) is type(signed)


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)
