"""At most once: a mutation under a key runs in one transaction with its key's lock and its stored answer.

Which requests take a key, and from where, is for the door (tenants/door.py) to say.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from contract import json_values
from contract.http import Answer
from contract.json_values import JSON
from contract.prepared import Row, prepared, together
from contract.problems import Conflict, FieldProblem, InvalidInput
from tenants.models import IdempotentRequest

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 255
KEPT_FOR = timedelta(days=30)
TWIN_WAITS = 5.0
"""Seconds that a simultaneous twin waits for the first one's answer."""

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Once:
    """The mutation that is to happen at most once, and the digest of the body it was asked for with."""

    tenant: UUID
    method: str
    path: str
    key: str
    body_digest: str
    key_field: str = f"header.{HEADER}"
    """Where the key stood, for who is told of it."""

    @property
    def lock(self) -> int:
        """The advisory lock's number."""
        name = f"{self.tenant.hex}\n{self.method}\n{self.path}\n{self.key}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def digest_of(body: JSON) -> str:
    """What two bodies are compared by: equal JSON, however it is spaced, ordered and its numbers are spelled."""
    return hashlib.sha256(json_values.canonical(_numbers_as_one(body))).hexdigest()


def checked_key(key: str | None, field: str) -> str | None:
    """`key`, if it may be one: 1 to 255 printable characters. Raises InvalidInput naming `field`."""
    if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        message = f"1 to {LONGEST_KEY} printable characters are wanted"
        raise InvalidInput(f"{field}: {message}", fields=[FieldProblem(field, "invalid_idempotency_key", message)])
    return key


def agreed_key(header: str | None, member: str | None, member_field: str) -> str | None:
    """The one key of a request that may carry it in its header and its body. Raises InvalidInput if they differ."""
    key = checked_key(_decoded(header) if header is not None else None, f"header.{HEADER}")
    other = checked_key(member, member_field)
    if key is not None and other is not None and key != other:
        message = f"{member_field} and the header {HEADER} differ"
        raise InvalidInput(message, fields=[FieldProblem(member_field, "conflicting", message)])
    return key if key is not None else other


def at_most_once(once: Once, act: Callable[[], Answer], revive: Callable[[JSON], JSON]) -> Answer:
    """The answer of `act`, or of the request that came before under this key.

    `act` runs inside the transaction that holds the key; whatever it raises leaves nothing behind. `revive` puts back
    into a replayed body what is not stored. Raises Conflict for another body, and for a twin that is not done in time.
    """
    deadline = time.monotonic() + TWIN_WAITS
    while True:
        with transaction.atomic():
            locked, row = _claimed(once)
            if locked:
                return (row and _replayed(once, row, revive)) or _stored(once, act())
        if time.monotonic() > deadline:
            message = "a request with this idempotency key is still being carried out"
            raise Conflict(message, reason="idempotency_in_progress", headers={"Retry-After": "1"})
        time.sleep(_POLL_SECONDS)


def _numbers_as_one(value: JSON) -> JSON:
    """`value` with every whole number an int: 1, 1.0 and 1e0 are one number (RFC 8785)."""
    if isinstance(value, dict):
        return {name: _numbers_as_one(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_numbers_as_one(item) for item in value]
    whole = isinstance(value, float) and value.is_integer() and abs(value) <= json_values.MAX_INTEGER
    return int(value) if whole else value


def _decoded(header: str) -> str:
    """A header's text: servers hand its bytes on as Latin-1, but most who write more than ASCII write UTF-8."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def _claimed(once: Once) -> tuple[bool, Row | None]:
    """Whether this transaction has the key's lock now, and the answer that was stored before it had it, if any."""
    named: dict[str, Any] = {"tenant": once.tenant, "method": once.method, "path": once.path, "key": once.key}
    with together():
        # Two statements: what one sees is older than its own lock.
        lock, find = prepared(), prepared()
        lock.execute(_LOCK, {"lock": once.lock})
        find.execute(_FIND, named)
    locked: Row = lock.fetchone() or (False,)
    return locked[0], find.fetchone()


def _replayed(once: Once, row: Row, revive: Callable[[JSON], JSON]) -> Answer | None:
    row_id, body_digest, status, headers, text, forgotten = row
    if forgotten:
        IdempotentRequest.objects.filter(id=row_id).delete()
        return None
    if body_digest != once.body_digest:
        message = "this idempotency key was used with another body"
        problem = FieldProblem(once.key_field, "idempotency_key_reused", message)
        raise Conflict(message, reason=problem.code, fields=[problem])
    body = revive(json_values.load(text)) if text else None
    return Answer(body, status, headers={**json_values.load(headers), REPLAYED: "true"})


def _stored(once: Once, answer: Answer) -> Answer:
    if not 200 <= answer.status_code < 300:
        return answer
    stored: dict[str, Any] = {
        "tenant": once.tenant,
        "method": once.method,
        "path": once.path,
        "key": once.key,
        "body_digest": once.body_digest,
        "status": answer.status_code,
        "headers": json_values.dump(_headers(answer.items())),
        "text": "" if answer.data is None else json_values.dump(without(answer.data, answer.unstored)),
    }
    with prepared() as cursor:
        cursor.execute(_STORE, stored)
    return answer


def _headers(items: Iterable[tuple[str, Any]]) -> dict[str, str]:
    return {name: str(value) for name, value in items if name.lower() != "content-type"}


def without(body: JSON, pointers: Iterable[str]) -> JSON:
    """A copy of `body` with null at each of the JSON Pointers `pointers` (plain member names only)."""
    for pointer in pointers:
        body = _nulled(body, pointer.split("/")[1:])
    return body


def _nulled(body: JSON, tokens: list[str]) -> JSON:
    if not tokens:
        return None
    return {**body, tokens[0]: _nulled(body[tokens[0]], tokens[1:])}


_LOCK = "SELECT pg_try_advisory_xact_lock(%(lock)s::bigint)"
_FIND = f"""
SELECT id, body_digest, status, headers, text, created_at < statement_timestamp() - interval '{KEPT_FOR.days} days'
FROM tenants_idempotentrequest
WHERE tenant_id = %(tenant)s AND method = %(method)s AND path = %(path)s AND key = %(key)s"""
_STORE = """
INSERT INTO tenants_idempotentrequest (tenant_id, method, path, key, body_digest, status, headers, text)
VALUES (%(tenant)s, %(method)s, %(path)s, %(key)s, %(body_digest)s, %(status)s, %(headers)s, %(text)s)"""
