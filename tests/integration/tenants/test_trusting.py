"""What operators do about tenants, keys and issuers on the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tenants import registry
from tenants.models import ApiKey, Tenant, TrustedIssuer
from tests.integration.http.vouching import user
from tests.integration.http_client import Caller
from tests.issuing import AUDIENCE, ISSUER, jwk, key_set, private_jwk, rsa_key

NAMED = {"issuer": ISSUER, "audience": AUDIENCE}


@pytest.fixture
def alice(db: None) -> Tenant:
    return registry.create_tenant("alice", "Alice")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(key_set()))
    return file


def said(command: str, *words: str, **options: Any) -> str:
    """What the command prints, in a line of its own."""
    out = io.StringIO()
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    call_command(command, *words, *given, stdout=out)
    return out.getvalue().removesuffix("\n")


def trusted(**options: Any) -> str:
    return said("trust_issuer", **{"tenant": "alice", "scopes": "agents:read", **NAMED, **options})


def test_an_issuer_is_trusted_by_its_keys(alice: Tenant, keys: Path) -> None:
    row_id = trusted(jwks=str(keys))
    row = TrustedIssuer.objects.get()
    assert (str(row.id), row.tenant, row.algorithms) == (row_id, alice, ["RS256", "ES256", "EdDSA"])
    assert user().get("/v1/agents").status_code == 200
    assert user().get("/v1/workflows").status_code == 403


def test_an_issuer_is_trusted_by_the_address_of_its_keys(alice: Tenant) -> None:
    trusted(jwks_url="https://issuer.example/keys", algorithms="RS256, ES256", scopes="agents:*, workflows:read")
    row = TrustedIssuer.objects.get()
    assert (row.jwks, row.jwks_url) == (None, "https://issuer.example/keys")
    assert (row.algorithms, row.scopes) == (["RS256", "ES256"], ["agents:*", "workflows:read"])


def test_what_cannot_be_trusted_is_told_in_one_line(alice: Tenant, keys: Path, tmp_path: Path) -> None:
    private, short, twice = tmp_path / "private.json", tmp_path / "short.json", tmp_path / "twice.json"
    private.write_text(json.dumps({"keys": [{**private_jwk(rsa_key()), "kid": "x"}]}))
    short.write_text(json.dumps({"keys": [jwk(rsa_key(1024), "x")]}))
    twice.write_text('{"keys": [], "keys": []}')
    for options, told in (
        ({"jwks": str(private)}, "jwks: keys/0: only public keys"),
        ({"jwks": str(short)}, "jwks: keys/0: RSA keys have 2048"),
        ({"jwks": str(twice)}, "given twice"),
        ({"jwks": str(tmp_path / "none.json")}, "No such file"),
        ({"jwks_url": "http://issuer.example/keys"}, "jwks_url: .*https://"),
        ({"jwks": str(keys), "scopes": "agents:fly"}, "scopes: there is no scope 'agents:fly'"),
        ({"jwks": str(keys), "scopes": " , "}, "scopes: "),
        ({"jwks": str(keys), "algorithms": "HS256"}, "One or more of RS256, ES256, EdDSA"),
        ({"jwks": str(keys), "tenant": "nobody"}, "there is no tenant 'nobody'"),
        ({"jwks": str(keys), "issuer": "x" * 256}, "issuer: "),
    ):
        with pytest.raises(CommandError, match=told):
            trusted(**options)
    assert not TrustedIssuer.objects.exists()


def test_an_issuer_is_trusted_for_an_audience_once(alice: Tenant, keys: Path) -> None:
    registry.create_tenant("bob", "Bob")
    trusted(jwks=str(keys))
    with pytest.raises(CommandError, match="by this tenant or another"):
        trusted(jwks=str(keys), tenant="bob")


def test_an_issuer_is_trusted_no_longer(alice: Tenant, keys: Path) -> None:
    trusted(jwks=str(keys))
    assert said("distrust_issuer", **NAMED) == ""
    assert user().get("/v1/agents").status_code == 401
    with pytest.raises(CommandError, match="is not trusted"):
        said("distrust_issuer", **NAMED)


def test_a_tenant_is_made_with_a_rate_limit(db: None) -> None:
    said("create_tenant", "alice", rate_limit=5)
    said("create_tenant", "bob")
    assert dict(Tenant.objects.values_list("slug", "rate_limit_per_minute")) == {"alice": 5, "bob": None}
    for wrong in (0, 100_001):
        with pytest.raises(CommandError, match="--rate-limit"):
            said("create_tenant", "carol", rate_limit=wrong)


def test_a_key_of_the_command_line_says_where_it_is_from(alice: Tenant) -> None:
    text = said("create_api_key", tenant="alice")
    assert ApiKey.objects.get().created_by == "create_api_key"
    assert Caller(key=text).get("/v1/me").status_code == 200
