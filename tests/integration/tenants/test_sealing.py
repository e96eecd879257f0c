"""Sealing: a key for each purpose, what was sealed before still opens, and all of it can be sealed anew."""

from __future__ import annotations

import base64
from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from contract import json_values
from executions.management.commands.reseal_secrets import SEALED
from executions.models import PaymentAccount, SigningKey, WebhookEndpoint
from executions.payments import accounts
from executions.receipts import keys
from executions.webhooks import endpoints, signing
from tenants import registry, secrets
from tenants.models import Secret, Tenant
from tenants.sealing import InvalidToken, Purpose, seal, unseal
from workflows import authoring, catalog
from workflows.models import WorkflowVersion

CALL = {"url": "https://example.com/", "payload": {}, "secret": "whsec_c2VjcmV0"}
DEFINITION = {"name": "w", "steps": [{"name": "tell", "type": "webhook", "config": CALL}]}


@pytest.fixture
def alice(db: None) -> Tenant:
    """With something sealed of every kind, one of each by the key that once was for everything."""
    tenant = registry.create_tenant("alice", "Alice")
    secrets.put(tenant, "TOKEN", "value")
    workflow = authoring.create(tenant, authoring.read_definition(DEFINITION))
    authoring.publish(tenant, workflow.id)
    accounts.use_stripe(tenant, "sk_test_1", "whsec_1")
    endpoints.create(tenant, name="n", url="https://example.org/hook")
    keys.signer()
    for model in SEALED:
        row: Any = model._default_manager.get()
        model._default_manager.filter(pk=row.pk).update(sealed=sealed_as_once(unseal(row.sealed, SEALED[model])))
    return tenant


def sealed_as_once(values: dict[str, str]) -> str:
    derived = HKDF(SHA256(), 32, salt=None, info=b"traceway definition secrets").derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(derived)).encrypt(json_values.canonical(values)).decode()


def everything(tenant: Tenant) -> list[Any]:
    accounts._opened.cache_clear()
    version = WorkflowVersion.objects.select_related("workflow").get()
    definition: Any = catalog.whole_definition(version)
    accounts.provider_of(tenant.id, "stripe")
    return [
        secrets.opened(tenant.id, ["TOKEN"]),
        definition["steps"][0]["config"]["secret"],
        unseal(PaymentAccount.objects.get().sealed, Purpose.PAYMENT_ACCOUNT),
        signing.signing(WebhookEndpoint.objects.get().sealed, overlapping=False)[0][:6],
        keys.signer().kid == SigningKey.objects.get().kid,
    ]


EXPECTED = [
    {"TOKEN": "value"},
    CALL["secret"],
    {"api_key": "sk_test_1", "webhook_secret": "whsec_1"},
    "whsec_",
    True,
]


def test_every_column_that_is_sealed_is_sealed_anew() -> None:
    models = {model for model in apps.get_models() if "sealed" in {field.name for field in model._meta.get_fields()}}
    assert set(SEALED) == models


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_is_sealed_for_one_purpose_opens_for_no_other(purpose: Purpose) -> None:
    for other in set(Purpose) - {purpose, Purpose.DEFINITION}:
        with pytest.raises(InvalidToken):
            unseal(seal({"a": "b"}, other), purpose)
    assert unseal(seal({"a": "b"}, purpose), purpose) == {"a": "b"}


def test_what_was_sealed_when_one_key_was_for_everything_still_opens(alice: Tenant) -> None:
    assert everything(alice) == EXPECTED


def test_after_everything_was_sealed_anew_the_fallback_may_go(alice: Tenant) -> None:
    out = StringIO()
    with override_settings(SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert everything(alice) == EXPECTED
        call_command("reseal_secrets", stdout=out)
    assert out.getvalue().count(": 1 sealed anew, 0 unreadable") == len(SEALED)
    with override_settings(SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=[]):
        assert everything(alice) == EXPECTED
        call_command("reseal_secrets", stdout=out)
        assert everything(alice) == EXPECTED
    assert Secret.objects.get().version == 1


def test_what_no_key_opens_is_counted_and_left_and_the_rest_is_sealed_anew(alice: Tenant) -> None:
    other = registry.create_tenant("bob", "Bob")
    with override_settings(SECRET_KEY="lost"):
        secrets.put(other, "TOKEN", "lost")
    lost = Secret.objects.get(tenant=other).sealed
    with (
        override_settings(SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]),
        pytest.raises(CommandError, match="1 were sealed with a key"),
    ):
        call_command("reseal_secrets", stdout=StringIO())
    assert Secret.objects.get(tenant=other).sealed == lost
    with override_settings(SECRET_KEY="a new one"):
        assert everything(alice) == EXPECTED
