"""The admin: a window on every model, through which no secret shows."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.integration.http_client import Caller
from workflows.models import WorkflowVersion

ROOMS = ("tenants", "workflows")
MODELS = [model for model in admin.site._registry if model._meta.app_label in ROOMS]
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


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_is_listed_and_shown_and_cannot_be_changed(
    operator: Client, one_of_each: None, alice: Caller, model: Any
) -> None:
    names = (model._meta.app_label, model._meta.model_name)
    row = model.objects.first()
    change = reverse("admin:{}_{}_change".format(*names), args=[row.pk])
    pages = [operator.get(reverse("admin:{}_{}_changelist".format(*names))), operator.get(change)]
    assert [page.status_code for page in pages] == [200, 200]
    sealed = WorkflowVersion.objects.get().sealed
    for page in pages:
        assert not {secret for secret in (SECRET, sealed, alice.key) if secret and secret in page.content.decode()}
    assert operator.post(change, {"name": "changed"}).status_code == 403
    assert operator.get(reverse("admin:{}_{}_add".format(*names))).status_code == 403


def test_an_operator_revokes_keys(operator: Client, alice: Caller) -> None:
    assert alice.get("/v1/me").status_code == 200
    changelist = reverse("admin:tenants_apikey_changelist")
    key_id = alice.get("/v1/me").json()["data"]["credential"]["id"]
    operator.post(changelist, {"action": "revoke", "_selected_action": [key_id]})
    assert alice.get("/v1/me").status_code == 401
