"""Users: JWTs of trusted issuers as credentials."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from executions.models import Submission
from tenants import issuers
from tenants.jwks import ALGORITHMS
from tenants.models import TrustedIssuer
from tests.integration.http.arranging import created, published
from tests.integration.http.vouching import trust, user
from tests.integration.http_client import Caller
from tests.issuing import AUDIENCE, ISSUER, claims, ed_key, key_set, rsa_key, sealed, token

CHALLENGE = 'Bearer realm="traceway"'


def without_request_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "requestId"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_a_trusted_issuer_is_a_credential(alice: Caller, algorithm: str) -> None:
    trust(alice)
    answer = Caller(key=token(algorithm)).get("/v1/me")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert data["tenant"]["slug"] == "alice"
    ends = data["credential"].pop("expiresAt")
    assert ends.endswith("Z")
    assert data["credential"] == {
        "type": "user",
        "id": "ada",
        "name": "ada",
        "issuer": ISSUER,
        "scopes": ["*"],
        "rateLimitPerMinute": None,
    }


def test_a_token_costs_one_query(alice: Caller) -> None:
    trust(alice)
    with CaptureQueriesContext(connection) as queries:
        assert user().get("/v1/me").status_code == 200
    assert len(queries) == 1


def test_whatever_is_wrong_with_a_token_it_is_refused_like_an_unknown_key(alice: Caller, stranger: Caller) -> None:
    trust(alice)
    header = json.dumps({"alg": "none", "kid": "RS256"})
    texts = [
        token(header={"kid": "unknown"}),
        token(key=rsa_key(2048, 1)),
        token(exp=1),
        token(aud="https://other.example"),
        token(iss="https://other.example"),
        token(header={"jku": "https://other.example"}),
        sealed(header, json.dumps(claims()), rsa_key()).rpartition(".")[0] + ".",
        "a.b.c",
        "..",
    ]
    unknown = stranger.get("/v1/me", X_API_Key="tw_live_unknown")
    for text in texts:
        answer = Caller(key=text).get("/v1/me")
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, CHALLENGE), text
        assert without_request_id(answer) == without_request_id(unknown)
        assert answer.headers.keys() == unknown.headers.keys()


def test_a_token_of_nobody_who_is_trusted_is_refused(alice: Caller) -> None:
    assert user().get("/v1/me").status_code == 401
    row = trust(alice)
    assert user().get("/v1/me").status_code == 200
    issuers.distrust(row.issuer, row.audience)
    assert user().get("/v1/me").status_code == 401


def test_issuer_and_audience_name_the_tenant(alice: Caller, bob: Caller) -> None:
    trust(alice, "a")
    trust(bob, "b")
    for audience, slug in (("a", "alice"), ("b", "bob"), (["b", "c"], "bob")):
        assert user(aud=audience).get("/v1/me").json()["data"]["tenant"]["slug"] == slug
    assert user(aud=["a", "b"]).get("/v1/me").status_code == 401
    assert user(aud="A").get("/v1/me").status_code == 401


def test_the_keys_of_one_issuer_do_not_sign_for_another(alice: Caller, bob: Caller) -> None:
    trust(alice, "a", keys=key_set("RS256"))
    trust(bob, "b", keys=key_set("EdDSA"))
    assert user(aud="b").get("/v1/me").status_code == 200
    assert user(aud="a").get("/v1/me").status_code == 401
    assert Caller(key=token("RS256", aud="b")).get("/v1/me").status_code == 401


def test_an_issuer_is_trusted_for_an_audience_by_one_tenant_alone(alice: Caller, bob: Caller) -> None:
    trust(alice)
    with pytest.raises(ValidationError, match="by this tenant or another"):
        trust(bob)
    row = TrustedIssuer(tenant=bob.tenant, issuer=ISSUER, audience=AUDIENCE, scopes=["*"], jwks=key_set())
    row.algorithms = ["RS256"]
    with pytest.raises(IntegrityError, match="trusted_issuer_is_unique"), transaction.atomic():
        row.save()


@pytest.mark.parametrize("allowed", [["ES256"], ["RS256", "ES256"]])
def test_an_algorithm_that_the_issuer_does_not_use_is_refused(alice: Caller, allowed: list[str]) -> None:
    trust(alice)
    TrustedIssuer.objects.update(algorithms=allowed)
    assert user().get("/v1/me").status_code == 401
    assert Caller(key=token("ES256")).get("/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("most", "claimed", "granted"),
    [
        (["*"], {}, ["*"]),
        (["executions:read", "agents:*"], {}, ["agents:*", "executions:read"]),
        (["*"], {"scope": "executions:read openid"}, ["executions:read"]),
        (["executions:read"], {"scope": "executions:* agents:read"}, ["executions:read"]),
        (["executions:*"], {"scope": "executions:read agents:read"}, ["executions:read"]),
        (["executions:*"], {"scope": "*"}, ["executions:*"]),
        (["executions:*"], {"scp": ["executions:*"]}, ["executions:*"]),
        (["executions:*"], {"scope": "agents:*"}, []),
        (["*"], {"scope": ""}, []),
        (["*"], {"scope": "openid profile"}, []),
    ],
)
def test_a_token_may_do_what_it_says_and_its_issuer_may_give(
    alice: Caller, most: list[str], claimed: dict[str, Any], granted: list[str]
) -> None:
    trust(alice, AUDIENCE, *most)
    answer = user(**claimed).get("/v1/me")
    assert answer.json()["data"]["credential"]["scopes"] == granted


def test_a_scope_that_a_token_lacks_is_named(alice: Caller) -> None:
    trust(alice)
    answer = user(scope="executions:*").get("/v1/agents")
    assert (answer.status_code, answer.json()["details"]["reason"]) == (403, "missing_scope")


def test_a_token_is_no_api_key_and_a_second_credential_is_one_too_many(alice: Caller, stranger: Caller) -> None:
    trust(alice)
    text, key = token("EdDSA"), str(alice.key)
    bearer = {"Authorization": f"Bearer {text}"}
    assert stranger.get("/v1/me", **bearer).status_code == 200
    assert stranger.get("/v1/me", **bearer, X_API_Key="").status_code == 200
    for headers in (
        {"X_API_Key": text},
        {**bearer, "X_API_Key": text},
        {**bearer, "X_API_Key": key},
        {"Authorization": f"Bearer {key}", "X_API_Key": text},
        {"Authorization": f"Basic {text}"},
        {"Authorization": text},
        {"Authorization": key},
    ):
        assert stranger.get("/v1/me", **headers).status_code == 401, headers


def test_the_tenant_header_of_a_user_names_the_tenant_of_the_issuer(alice: Caller, bob: Caller) -> None:
    trust(alice)
    assert user().get("/v1/me", X_Tenant_ID="alice").status_code == 200
    assert user().get("/v1/me", X_Tenant_ID="bob").status_code == 403


def test_what_a_user_starts_is_on_record_as_the_subjects(alice: Caller) -> None:
    trust(alice)
    execution = created(user(sub="auth0|ada"), published(alice))["execution"]
    assert (execution["initiatedByType"], execution["initiatedById"]) == ("user", "auth0|ada")
    assert Submission.objects.get().initiated_by_id == "auth0|ada"


def test_a_user_makes_keys_that_may_do_what_the_user_may(alice: Caller) -> None:
    trust(alice)
    ada = user(scope="keys:write agents:read")
    made = ada.post("/v1/api-keys", {"name": "ci"}).json()["data"]
    assert (made["scopes"], made["expiresAt"], made["createdBy"]) == (["agents:read", "keys:write"], None, "user:ada")
    assert Caller(key=made["key"]).get("/v1/agents").status_code == 200
    assert ada.post("/v1/api-keys", {"name": "ci", "scopes": ["*"]}).status_code == 400


def test_a_token_that_is_signed_by_an_ed25519_key_of_another_is_refused(alice: Caller) -> None:
    trust(alice, keys={"keys": [key for key in key_set()["keys"] if key["kid"] != "EdDSA"]})
    assert Caller(key=token("EdDSA", key=ed_key())).get("/v1/me").status_code == 401
