"""The admin: a window on every model, through which no secret shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tenants.models import ApiKey, Secret, Tenant, TrustedIssuer
from tests.integration.http.vouching import trust, user
from tests.integration.http_client import Caller
from tests.issuing import AUDIENCE, ISSUER, jwk, key_set, rsa_key
from workflows.models import WorkflowVersion

ROOMS = ("tenants", "workflows")
MODELS = [model for model in admin.site._registry if model._meta.app_label in ROOMS]
LIMITED, MADE_HERE = {Tenant, ApiKey}, {Secret, TrustedIssuer}
"""Of these, an operator sets the rate limit; those, an operator makes."""
SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def one_of_each(alice: Caller) -> None:
    call = {"url": "https://example.com/", "payload": {}, "secret": SECRET}
    steps = [{"name": "tell", "type": "webhook", "config": call}]
    workflow = alice.post("/v1/workflows", {"name": "credit", "steps": steps}, Idempotency_Key="k").json()["id"]
    alice.post(f"/v1/workflows/{workflow}/publish")
    body = {"name": "t", "workflow_id": workflow, "input": {}, "outcome": "output.tell"}
    alice.post("/api/v2/data_orchestration/templates", body)
    trust(alice)
    alice.put("/v1/secrets/TOKEN", {"value": SECRET})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_listed_and_shown_and_cannot_be_changed(
    operator: Client, one_of_each: None, alice: Caller, model: Any
) -> None:
    names = (model._meta.app_label, model._meta.model_name)
    row = model.objects.first()
    change = reverse("admin:{}_{}_change".format(*names), args=[row.pk])
    pages = [operator.get(reverse("admin:{}_{}_changelist".format(*names))), operator.get(change)]
    assert [page.status_code for page in pages] == [200, 200]
    sealed = {WorkflowVersion.objects.get().sealed, Secret.objects.get().sealed}
    for page in pages:
        assert not {secret for secret in (SECRET, *sealed, alice.key) if secret and secret in page.content.decode()}
    if model not in LIMITED | MADE_HERE:
        assert operator.post(change, {"name": "changed"}).status_code == 403
    if model not in MADE_HERE:
        assert operator.get(reverse("admin:{}_{}_add".format(*names))).status_code == 403
        assert operator.post(reverse("admin:{}_{}_delete".format(*names), args=[row.pk])).status_code == 403


def test_an_operator_revokes_keys(operator: Client, alice: Caller) -> None:
    assert alice.get("/v1/me").status_code == 200
    changelist = reverse("admin:tenants_apikey_changelist")
    key_id = alice.get("/v1/me").json()["data"]["credential"]["id"]
    operator.post(changelist, {"action": "revoke", "_selected_action": [key_id]})
    assert alice.get("/v1/me").status_code == 401


@pytest.mark.parametrize("model", sorted(LIMITED, key=str), ids=lambda model: model.__name__)
def test_an_operator_sets_rate_limits_and_nothing_else(operator: Client, alice: Caller, model: Any) -> None:
    row = model.objects.get()
    change = reverse(f"admin:tenants_{model._meta.model_name}_change", args=[row.pk])
    everything = {"name": "changed", "slug": "changed", "scopes": "keys:write", "hash": "0" * 64}
    assert operator.post(change, {**everything, "rate_limit_per_minute": "7"}).status_code == 302
    after = model.objects.get()
    assert after.rate_limit_per_minute == 7
    changed = {name for name, value in vars(after).items() if name != "_state" and vars(row)[name] != value}
    assert changed == {"rate_limit_per_minute"}
    assert operator.post(change, {"rate_limit_per_minute": "0"}).status_code == 200
    assert operator.post(change, {"rate_limit_per_minute": ""}).status_code == 302
    assert model.objects.get().rate_limit_per_minute is None


def issuer_form(alice: Caller, **others: Any) -> dict[str, Any]:
    assert alice.tenant is not None
    keys = json.dumps(key_set())
    given = {"tenant": alice.tenant.pk, "issuer": ISSUER, "audience": AUDIENCE, "jwks": keys, "jwks_url": ""}
    return {**given, "algorithms": ["EdDSA"], "scopes": "agents:*,workflows:read", **others}


def test_an_operator_makes_and_ends_the_trust_in_an_issuer(operator: Client, alice: Caller) -> None:
    add = reverse("admin:tenants_trustedissuer_add")
    assert operator.get(add).status_code == 200
    assert operator.post(add, issuer_form(alice)).status_code == 302
    row = TrustedIssuer.objects.get()
    assert (row.algorithms, row.scopes, row.jwks_url) == (["EdDSA"], ["agents:*", "workflows:read"], "")
    assert user().get("/v1/agents").status_code == 200
    change = reverse("admin:tenants_trustedissuer_change", args=[row.pk])
    assert operator.post(change, issuer_form(alice, scopes="workflows:read")).status_code == 302
    assert user().get("/v1/agents").status_code == 403
    operator.post(reverse("admin:tenants_trustedissuer_delete", args=[row.pk]), {"post": "yes"})
    assert user().get("/v1/agents").status_code == 401


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"jwks": '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "x"}]}'}, "only public keys belong here"),
        ({"jwks": json.dumps({"keys": [jwk(rsa_key(1024), "x")]})}, "RSA keys have 2048 to 8192 bits"),
        ({"jwks": "[]"}, "a key set is an object"),
        ({"jwks": "{"}, "Enter a valid JSON"),
        ({"jwks": ""}, "Either the JWKS or its URL is wanted."),
        ({"jwks_url": "https://issuer.example/keys"}, "Either the JWKS or its URL is wanted."),
        ({"jwks": "", "jwks_url": "http://issuer.example/keys"}, "begins with https://"),
        ({"scopes": "agents:fly"}, "there is no scope &#x27;agents:fly&#x27;"),
        ({"scopes": ""}, "This field is required."),
        ({"algorithms": []}, "This field is required."),
        ({"algorithms": ["HS256"]}, "HS256 is not one of the available choices"),
        ({"issuer": ""}, "This field is required."),
    ],
)
def test_an_operator_is_told_why_an_issuer_cannot_be_trusted(
    operator: Client, alice: Caller, wrong: dict[str, Any], told: str
) -> None:
    answer = operator.post(reverse("admin:tenants_trustedissuer_add"), issuer_form(alice, **wrong))
    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert not TrustedIssuer.objects.exists()


def test_an_issuer_that_is_trusted_already_is_told_of(operator: Client, alice: Caller) -> None:
    trust(alice)
    answer = operator.post(reverse("admin:tenants_trustedissuer_add"), issuer_form(alice))
    assert "This issuer is trusted for this audience already" in answer.content.decode()
