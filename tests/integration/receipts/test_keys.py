"""The keys that sign: made once, published for ever, rotated, and never shown."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from executions.models import Receipt, SigningKey
from executions.receipts import keys
from tenants.sealing import Purpose, unseal
from tests.integration.engine.world import World
from tests.integration.http_client import Caller
from tests.integration.receipts.ending import asked, checked, ended, reason, seal_all

JWKS = "/.well-known/jwks.json"


def test_anyone_may_read_the_public_keys_and_keep_them_for_a_while(alice: Caller) -> None:
    answer = Caller().get(JWKS)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=300")
    [key] = answer.json()["keys"]
    assert key.keys() == {"alg", "crv", "kid", "kty", "use", "x"}, "nothing of the private one"
    assert (key["alg"], key["crv"], key["kty"], key["use"]) == ("EdDSA", "Ed25519", "OKP", "sig")
    wanted = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": key["x"]}, separators=(",", ":"))
    assert key["kid"] == base64.urlsafe_b64encode(hashlib.sha256(wanted.encode()).digest()).rstrip(b"=").decode()


def test_the_key_is_made_when_it_is_first_wanted_and_is_the_same_for_every_tenant(
    alice: Caller, bob: Caller, world: World
) -> None:
    assert not SigningKey.objects.exists()
    executions = [ended(alice, world), ended(bob, world)]
    seal_all()
    assert {Receipt.objects.get(execution=one).kid for one in executions} == {SigningKey.objects.get().kid}


def test_of_those_that_make_the_first_key_at_the_same_moment_one_does(alice: Caller) -> None:
    gate = threading.Barrier(6)
    signing: list[str] = []

    def make() -> None:
        gate.wait(20)
        signing.append(keys.signer().kid)
        connections.close_all()

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert signing == [SigningKey.objects.get().kid] * 6


def test_after_a_rotation_the_new_key_signs_and_what_the_old_one_signed_stays_good(alice: Caller, world: World) -> None:
    early = ended(alice, world)
    seal_all()
    told = StringIO()
    call_command("rotate_signing_key", stdout=told)
    late = ended(alice, world)
    seal_all()
    key_set = Caller().get(JWKS).json()
    before, after = Receipt.objects.get(execution=early), Receipt.objects.get(execution=late)
    assert told.getvalue().strip() == after.kid
    assert [key["kid"] for key in key_set["keys"]] == [after.kid, before.kid]
    assert checked(before.jws, key_set)["execution"] == str(early.id)
    assert checked(after.jws, key_set)["execution"] == str(late.id)
    retired = SigningKey.objects.get(kid=before.kid)
    assert (retired.signs, retired.retired_at is not None) == (None, True)


def test_rotations_at_the_same_moment_leave_one_key_that_signs(alice: Caller) -> None:
    keys.signer()
    gate = threading.Barrier(4)

    def rotate() -> None:
        gate.wait(20)
        keys.rotate()
        connections.close_all()

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert SigningKey.objects.count() == 5
    assert SigningKey.objects.filter(signs=True).count() == 1


def test_the_private_key_is_encrypted_at_rest(alice: Caller) -> None:
    signer = keys.signer()
    private = signer.private.private_bytes_raw()
    stored = SigningKey.objects.get().sealed
    assert private not in stored.encode()
    assert base64.b64encode(private).decode() not in stored
    assert base64.b64decode(unseal(stored, Purpose.SIGNING_KEY)["d"]) == private


def test_a_key_that_cannot_be_opened_signs_nothing_until_it_is_rotated(
    alice: Caller, world: World, settings: Any
) -> None:
    keys.signer()
    execution = ended(alice, world)
    settings.SECRET_KEY = "another" * 10
    assert reason(asked(alice, execution)) == (503, "signing_key_unreadable")
    keys.rotate()
    assert asked(alice, execution).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_keys_are_only_read(alice: Caller, method: str) -> None:
    assert Caller().send(method, JWKS).status_code == 405
