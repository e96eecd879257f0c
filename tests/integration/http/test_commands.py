"""create_tenant and create_api_key: what is wanted stands alone on stdout."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tenants.models import Agent, ApiKey, Tenant
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_tenant_is_made_with_its_default_agent_and_its_id_printed() -> None:
    printed = run("create_tenant", "acme", "--name", "Acme Ltd")
    tenant = Tenant.objects.get(slug="acme")
    assert printed == f"{tenant.id}\n"
    assert tenant.name == "Acme Ltd"
    assert Agent.objects.get(tenant=tenant).name == "default"


@pytest.mark.parametrize("slug", ["", "Acme", "-acme", "acme-", "a_b", "a" * 64, "acme\n"])
def test_a_slug_that_is_none_is_refused(slug: str) -> None:
    with pytest.raises(CommandError, match="slug"):
        run("create_tenant", slug)
    assert not Tenant.objects.exists()


def test_a_slug_is_taken_once() -> None:
    run("create_tenant", "acme")
    with pytest.raises(CommandError, match="already"):
        run("create_tenant", "acme")
    assert Tenant.objects.count() == 1


def test_a_key_is_printed_and_opens_everything_unless_scopes_are_named() -> None:
    run("create_tenant", "acme")
    key = run("create_api_key", "--tenant", "acme")
    assert key.startswith("tw_live_")
    assert Caller(key=key.strip()).get("/v1/api-keys").status_code == 200
    limited = run("create_api_key", "--tenant", "acme", "--name", "ci", "--scopes", "agents:read, executions:*").strip()
    assert ApiKey.objects.get(name="ci").scopes == ["agents:read", "executions:*"]
    assert Caller(key=limited).get("/v1/api-keys").status_code == 403


def test_an_unknown_tenant_or_scope_is_refused() -> None:
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        run("create_api_key", "--tenant", "nobody")
    run("create_tenant", "acme")
    with pytest.raises(CommandError, match="no scope 'agents:fly'"):
        run("create_api_key", "--tenant", "acme", "--scopes", "agents:fly")
    with pytest.raises(CommandError, match="at least one scope"):
        run("create_api_key", "--tenant", "acme", "--scopes", "")
    assert not ApiKey.objects.exists()
