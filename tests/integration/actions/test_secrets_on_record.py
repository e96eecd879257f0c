"""Steps that name secrets, on the real database: whose value is sent, when it is read, and that no row holds it."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from django.test import override_settings

from executions.models import Attempt, Execution
from tenants import registry, secrets
from tenants.models import Secret, Tenant
from tests.integration.engine.world import World, published, submitted
from tests.integration.http.arranging import rows_of_every_table
from tests.unit.orchestrator.raw_server import Seen, Server, reply, serving

VALUE = "canary-7f3a-value"
AT_ONCE = {"max_attempts": 2, "initial_seconds": 0.001, "jitter": False}


def call(server: Server, **members: Any) -> dict[str, Any]:
    headers = {"X-Token": "${{ secrets.TOKEN }}"}
    return {
        "name": "call",
        "type": "http",
        "config": {"method": "GET", "url": server.address, "headers": headers},
        **members,
    }


def echo(seen: Seen, out: BinaryIO) -> bool:
    out.write(reply(json.dumps(seen.headers["x-token"]).encode(), 200, "Content-Type: application/json"))
    return True


def run(world: World, tenant: Tenant, step: dict[str, Any]) -> Execution:
    execution = submitted(tenant, published(tenant, [step]))
    world.drain()
    execution.refresh_from_db()
    return execution


def error() -> Any:
    return json.loads(Attempt.objects.latest("number").error or "null")


def test_each_tenant_s_step_sends_its_own_and_no_row_has_either(alice: Tenant, world: World) -> None:
    bob = registry.create_tenant("bob", "Bob")
    secrets.put(alice, "TOKEN", VALUE)
    secrets.put(bob, "TOKEN", f"other-{VALUE}")
    with serving(echo) as server:
        for tenant in (alice, bob):
            assert run(world, tenant, call(server)).status == "workflow_succeeded"
    assert [seen.headers["x-token"] for seen in server.seen] == [VALUE, f"other-{VALUE}"]
    assert VALUE not in str(rows_of_every_table())
    attempt = Attempt.objects.first()
    assert attempt is not None
    assert json.loads(attempt.input or "")["headers"] == {"X-Token": "***"}
    assert json.loads(attempt.output or "")["body"] == "***"
    assert all(Secret.objects.values_list("last_used_at", flat=True))


def test_the_secret_of_another_tenant_is_none_of_this_one(alice: Tenant, world: World) -> None:
    secrets.put(registry.create_tenant("bob", "Bob"), "TOKEN", VALUE)
    with serving(echo) as server:
        assert run(world, alice, call(server, retry=AT_ONCE)).status == "workflow_failed"
    assert (server.seen, Attempt.objects.count()) == ([], 1)
    assert error() == {"kind": "secret_missing", "message": "there is no secret `TOKEN`", "details": None}


def test_each_attempt_reads_the_value_anew(alice: Tenant, world: World) -> None:
    secrets.put(alice, "TOKEN", "before-" + VALUE)

    def rotates(seen: Seen, out: BinaryIO) -> bool:
        if "before" not in seen.headers["x-token"]:
            return echo(seen, out)
        out.write(reply(b"expired", 503))
        return True

    with serving(rotates) as server:
        execution = submitted(alice, published(alice, [call(server, retry={**AT_ONCE, "initial_seconds": 60})]))
        world.drain(0.5)
        secrets.put(alice, "TOKEN", "after-" + VALUE)
        world.drain_after(120)
    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"
    assert [seen.headers["x-token"].partition("-")[0] for seen in server.seen] == ["before", "after"]


def test_a_secret_that_no_key_opens_fails_the_step_and_says_so(alice: Tenant, world: World) -> None:
    with override_settings(SECRET_KEY="a lost one"):
        secrets.put(alice, "TOKEN", VALUE)
    with serving(echo) as server:
        run(world, alice, call(server))
    assert (server.seen, error()["kind"]) == ([], "secret_unreadable")
