"""Executions that have ended, for tests of their receipts."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from executions.models import Execution, Lineage, Receipt
from executions.provenance.files import files_of
from executions.provenance.lineage import kept_rows
from executions.provenance.record import records_of
from executions.receipts import background, keys
from tests.integration.engine.world import World, noop, published, submitted, transform
from tests.integration.http_client import Caller
from traceway.records import Verdict, verify

STEPS = [noop("first"), transform("second", {"got": "${{ steps.first.output.name }}", "n": "${{ input.n }}"}, "first")]


def ended(alice: Caller, world: World, steps: Any = None, **members: Any) -> Execution:
    """An execution that was drained."""
    assert alice.tenant is not None
    execution = submitted(alice.tenant, published(alice.tenant, steps or STEPS, **members), {"n": 1.5})
    world.drain()
    execution.refresh_from_db()
    return execution


def seal_all() -> None:
    """What the sweeper's thread does, until nothing is left."""
    while background.seal_what_ended():
        pass


def asked(who: Caller, execution: Execution, query: str = "") -> Any:
    return who.get(f"/v1/executions/{execution.id}/receipt{query}")


def reason(answer: Any) -> tuple[int, str]:
    """Of a refusal in the executions dialect."""
    [detail] = answer.json()["details"]
    return answer.status_code, detail["code"]


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def checked(jws: str, key_set: Any = None) -> dict[str, Any]:
    """What it signs, checked with nothing but a key set as it is published and plain Ed25519."""
    head, payload, signature = jws.split(".")
    header = json.loads(decoded(head))
    [key] = [key for key in (key_set or keys.published())["keys"] if key["kid"] == header["kid"]]
    Ed25519PublicKey.from_public_bytes(decoded(key["x"])).verify(decoded(signature), f"{head}.{payload}".encode())
    assert (header["alg"], header["typ"]) == ("EdDSA", "traceway-receipt+jwt")
    said: dict[str, Any] = json.loads(decoded(payload))
    return said


def verdict(execution: Execution) -> Verdict:
    """What the verifier says of everything that is there of the execution, by the published keys."""
    [record] = records_of([execution.id])
    receipts = list(Receipt.objects.filter(execution=execution).order_by("sequence"))
    lineage = kept_rows(Lineage.objects.filter(execution=execution).order_by("position"))
    key_set = keys.published_of({receipt.kid for receipt in receipts})
    return verify(files_of(record, receipts, key_set, lineage, lambda _: None), keys.published())


def redriven(who: Caller, execution: Execution) -> None:
    """Have it run again."""
    assert who.post(f"/v1/executions/{execution.id}/redrive").status_code == 200
    execution.refresh_from_db()
