"""What operators see of receipts: how far behind they are, the alarms, the keys."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from prometheus_client.parser import text_string_to_metric_families

from executions.models import Execution, Receipt, SealingRefusal
from executions.receipts import keys
from tests.integration.engine.world import World
from tests.integration.http_client import Caller
from tests.integration.receipts.ending import ended, seal_all


@pytest.fixture
def operator(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("eve"))
    return client


def gauge(name: str) -> float:
    families = text_string_to_metric_families(Client().get("/metrics").content.decode())
    [value] = [sample.value for family in families for sample in family.samples if sample.name == name]
    return float(value)


def tampered(alice: Caller, world: World) -> Execution:
    execution = ended(alice, world)
    execution.attempts.filter(step_index=0).update(output="{}")
    seal_all()
    return execution


def test_metrics_say_how_far_behind_receipts_are_and_how_many_were_refused(alice: Caller, world: World) -> None:
    assert gauge("traceway_sealing_behind_seconds") == 0
    ended(alice, world)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE event SET created_at = created_at - interval '1 minute' WHERE sequence = 1")
    assert 60 <= gauge("traceway_sealing_behind_seconds") < 120
    seal_all()
    assert gauge("traceway_sealing_behind_seconds") == 0
    assert gauge("traceway_sealing_refused") == 1


def test_an_operator_has_a_record_checked_again(alice: Caller, world: World, operator: Client) -> None:
    execution = tampered(alice, world)
    output = '{"name":"first"}'
    alarms = reverse("admin:executions_sealingrefusal_changelist")
    assert b"steps/first attempt 1 output" in operator.get(alarms).content
    asked = {"action": "again", "_selected_action": [str(execution.id)], "_asked": "1", "word": "restored"}
    assert b"refused for" in operator.post(alarms, asked, follow=True).content
    assert SealingRefusal.objects.exists()
    execution.attempts.filter(step_index=0).update(output=output)
    assert b"1 done" in operator.post(alarms, asked, follow=True).content
    assert Receipt.objects.get().execution_id == execution.id
    assert not SealingRefusal.objects.exists()


def test_the_page_of_a_key_never_shows_the_private_one(alice: Caller, operator: Client) -> None:
    keys.signer()
    row = keys.rotate()
    shown = operator.get(reverse("admin:executions_signingkey_change", args=[row.pk])).content.decode()
    assert row.kid in shown
    assert row.sealed not in shown
