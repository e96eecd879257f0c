"""Another tenant can neither read, list, change nor infer a row of any model; streams are in integration/streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db.models import ForeignKey, Model

from executions.models import LogCursor, PayloadRemoval, SigningKey, Worker
from tenants.models import Tenant, TrustedIssuer
from tests.integration.http.arranging import creation, published
from tests.integration.http.doors import ROUTES, World, send, world_of
from tests.integration.http_client import Caller, caller
from tests.integration.operators.rows import one_of_each

ROOMS = ("tenants", "workflows", "executions")
MODELS = [model for room in ROOMS for model in apps.get_app_config(room).get_models()]
WITHOUT_TENANT = {Worker, LogCursor, PayloadRemoval, SigningKey}
UNSEEN = {
    "Arrival", "Attempt", "Charge", "DueStep", "EarlierRun", "IdempotentRequest", "ImportedBundle", "LedgerEntry",
    "Lineage", "PaymentAccount", "PaymentEvent", "Refund", "Retention", "Step", "Submission", "Task",
    "TrustedIssuer", "WebhookAttempt",
}  # fmt: skip
"""No answer names these by an id of their own."""
MARK = "only-alice-knows"


def way_to_tenant(model: type[Model]) -> str | None:
    """The shortest way of foreign keys from `model` to its tenant, as the ORM writes it; None where there is none."""
    if model is Tenant:
        return "pk"
    ways, seen = [("", model)], {model}
    for way, at in ways:
        for field in at._meta.get_fields():
            if isinstance(field, ForeignKey) and (goal := field.related_model) not in seen:
                if goal is Tenant:
                    return f"{way}{field.name}"
                seen.add(goal)
                ways.append((f"{way}{field.name}__", goal))
    return None


OWNED = [model for model in MODELS if way_to_tenant(model)]


def rows_of(model: Any, tenant: Tenant) -> list[dict[str, Any]]:
    """The tenant's rows, whole."""
    own = {str(way_to_tenant(model)): tenant.pk}
    return list(model._default_manager.filter(**own).order_by("pk").values())


def names_of(rows: list[dict[str, Any]]) -> set[str]:
    """What would give these rows away: their ids, and every text that only they hold."""
    values = [value for row in rows for value in row.values()]
    return {str(value) for value in values if isinstance(value, UUID)} | {
        str(value) for value in values if isinstance(value, str) and MARK in value
    }


@dataclass(frozen=True)
class Seen:
    """Alice's rows before and after Bob tried every route on them, and what each of the two was told."""

    before: dict[type[Model], list[dict[str, Any]]]
    after: dict[type[Model], list[dict[str, Any]]]
    bob: dict[str, bytes]
    alice: dict[str, bytes]


@cache
def observed() -> Seen:
    """Made once, in the transaction of whichever test comes first: what is kept of it are texts."""
    alice, bob = caller("alice"), caller("bob")
    assert alice.tenant is not None
    hers, his = world_of(alice), world_of(bob)
    furnish(alice, hers)
    before = {model: rows_of(model, alice.tenant) for model in OWNED}
    told_bob = dict(tries(bob, hers, his))
    after = {model: rows_of(model, alice.tenant) for model in OWNED}
    told_alice = {route.path: send(alice, route, hers).content for route in ROUTES if is_read(route)}
    return Seen(before, after, told_bob, told_alice)


@pytest.fixture
def seen(db: None) -> Seen:
    return observed()


def furnish(alice: Caller, world: World) -> None:
    """Rows of the models that no route of the table fills."""
    assert alice.tenant is not None
    one_of_each(alice.tenant)
    body = creation(world.workflow, externalRef=MARK, requestPayload={"who": MARK}, clientSafeMetadata={"who": MARK})
    assert alice.post("/v1/executions", body, Idempotency_Key=MARK).status_code == 200
    assert alice.post("/v1/agents", {"name": MARK}).status_code == 201
    published(alice, description=MARK)
    TrustedIssuer.objects.create(
        tenant=alice.tenant,
        issuer=f"https://{MARK}.example",
        audience=MARK,
        algorithms=["EdDSA"],
        jwks={"keys": []},
        scopes=["*"],
    )


def is_read(route: Any) -> bool:
    return route.method == "GET" and "stream" not in route.path


def tries(bob: Caller, hers: World, his: World) -> Iterator[tuple[str, bytes]]:
    """Every route, with her ids in its path, its body and its filters; the lists as they are."""
    for route in [route for route in ROUTES if "stream" not in route.path]:
        asked = f"{route.method} {route.path}"
        yield asked, send(bob, route, hers).content
        yield f"{asked} (his path, her body)", send(bob, route, his, route.body(hers)).content
        for query in filters(hers) if route.method == "GET" else ():
            yield f"{asked}{query}", send(bob, route, his, query=query).content


def filters(hers: World) -> Iterator[str]:
    for name, value in vars(hers).items():
        yield f"?{name}Id={value}"
        yield f"?{name}_id={value}"
    yield f"?externalRef={MARK}"
    yield f"?sourceEntityId={hers.application}"
    yield "?limit=100"


def test_every_model_has_a_tenant_but_what_belongs_to_the_installation() -> None:
    assert set(MODELS) - set(OWNED) == WITHOUT_TENANT


@pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
def test_nothing_of_it_is_in_any_answer_to_another_tenant(seen: Seen, model: type[Model]) -> None:
    names = names_of(seen.before[model])
    assert seen.before[model], "there has to be something to find"
    found = {asked: name for asked, told in seen.bob.items() for name in names if name.encode() in told}
    assert found == {}


@pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
def test_nothing_of_it_is_changed_by_another_tenant(seen: Seen, model: type[Model]) -> None:
    assert seen.after[model] == seen.before[model]


@pytest.mark.parametrize("model", [m for m in OWNED if m.__name__ not in UNSEEN], ids=lambda model: model.__name__)
def test_its_own_tenant_does_see_it(seen: Seen, model: type[Model]) -> None:
    primary = {str(row[model._meta.pk.attname]) for row in seen.before[model]}
    assert any(name.encode() in told for told in seen.alice.values() for name in primary)


def test_whether_another_tenant_has_a_name_or_a_key_cannot_be_told(alice: Caller, bob: Caller) -> None:
    for who in (alice, bob):
        made = who.post("/v1/workflows", {"name": MARK, "steps": [{"action": "noop"}]}, Idempotency_Key=MARK)
        assert (made.status_code, made.headers.get("Idempotent-Replayed")) == (201, None)
        assert who.post("/v1/agents", {"name": MARK}, Idempotency_Key=MARK).status_code == 201
        assert who.post("/v1/api-keys", {"name": MARK}, Idempotency_Key=MARK).status_code == 200
        workflow = made.json()["id"]
        assert who.post(f"/v1/workflows/{workflow}/publish").status_code == 200
        ran = who.post("/v1/executions", creation(workflow, idempotencyKey=MARK, externalRef=MARK))
        assert (ran.status_code, ran.headers.get("Idempotent-Replayed")) == (200, None)
        assert len(who.get(f"/v1/executions?externalRef={MARK}").json()["data"]["items"]) == 1


def test_a_cursor_of_another_tenants_list_is_refused(alice: Caller, bob: Caller) -> None:
    for who in (alice, bob):
        for name in ("a", "b"):
            who.post("/v1/agents", {"name": name})
    cursor = alice.get("/v1/agents?limit=1").json()["next_cursor"]
    assert alice.get(f"/v1/agents?cursor={cursor}").status_code == 200
    assert bob.get(f"/v1/agents?cursor={cursor}").json()["details"]["errors"][0]["code"] == "invalid_cursor"


def test_another_tenants_name_of_a_workflow_starts_no_child_of_it(alice: Caller, bob: Caller) -> None:
    hers = published(alice)
    config = {"workflow_id": hers, "input": {}}
    step = {"name": "child", "type": "workflow", "config": config}
    answers = [bob.post("/v1/workflows", {"name": n, "steps": [step]}, X_Request_ID="r") for n in ("a", "b")]
    unknown = {**config, "workflow_id": hers[:-4] + "0000"}
    answers.append(bob.post("/v1/workflows", {"name": "c", "steps": [{**step, "config": unknown}]}, X_Request_ID="r"))
    assert {answer.status_code for answer in answers} in ({201}, {400})
