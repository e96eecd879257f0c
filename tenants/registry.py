"""Tenants, keys and agents: the only place that writes them, and where others look them up. Everything is by tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Now

from contract.identifiers import AGENT, parse_id
from contract.problems import Conflict, FieldProblem, InvalidInput, NotFound
from tenants import scopes as scope_words
from tenants.authentication import SHOWN_CHARACTERS, Credential, hash_of, new_key
from tenants.models import Agent, ApiKey, Tenant


def create_tenant(slug: str, name: str) -> Tenant:
    """A new tenant with its default agent. Raises Conflict if the slug is taken."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                tenant = Tenant.objects.create(slug=slug, name=name)
        except IntegrityError as error:
            raise _broken(error, {"slug": f"there is a tenant {slug!r} already"}) from error
        Agent.objects.create(tenant=tenant, name=Agent.DEFAULT_NAME, actions=["*"])
    return tenant


def tenant_named(slug: str) -> Tenant:
    """The tenant with this slug. Raises NotFound."""
    tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise NotFound(f"there is no tenant {slug!r}")
    return tenant


def create_key(
    tenant: Tenant, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new key and its text, which nobody can ever see again. Raises InvalidInput for an unknown scope."""
    unknown = scope_words.unknown(scopes)
    if unknown or not scopes:
        _refuse_scopes(scopes, unknown, "unknown_scope", "there is no scope {scope!r}")
    text = new_key()
    key = ApiKey.objects.create(
        tenant=tenant,
        name=name,
        hash=hash_of(text),
        prefix=text[:SHOWN_CHARACTERS],
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    return key, text


def grant_key(
    credential: Credential, name: str, scopes: Sequence[str] | None, expires_at: datetime | None
) -> tuple[ApiKey, str]:
    """A new key that grants at most what `credential` has (left out: all of it), for no longer than it lasts."""
    wanted = sorted(credential.scopes) if scopes is None else list(scopes)
    beyond = [s for s in wanted if s in scope_words.GRANTABLE and not scope_words.allows(credential.scopes, s)]
    if beyond:
        _refuse_scopes(wanted, beyond, "scope_not_held", "the scope {scope} is more than this credential has")
    ends = [moment for moment in (expires_at, credential.expires_at) if moment is not None]
    return create_key(credential.tenant, name, wanted, min(ends, default=None))


def keys_of(tenant: Tenant) -> QuerySet[ApiKey]:
    """Every key of the tenant, the revoked ones too."""
    return ApiKey.objects.filter(tenant=tenant)


def revoke_key(tenant: Tenant, key_id: str) -> ApiKey:
    """The key, revoked from now on; revoking it again changes nothing. Raises NotFound."""
    identifier = parse_id(key_id)
    if identifier is None or not keys_of(tenant).filter(id=identifier).update(revoked_at=Coalesce("revoked_at", Now())):
        raise NotFound("there is no such API key")
    return keys_of(tenant).get(id=identifier)


def create_agent(tenant: Tenant, name: str, description: str = "", actions: Sequence[str] = ("*",)) -> Agent:
    """A new active agent. Raises Conflict if the name is taken."""
    try:
        with transaction.atomic():
            return Agent.objects.create(tenant=tenant, name=name, description=description, actions=list(actions))
    except IntegrityError as error:
        raise _broken(error, {"agent_name_is_unique": f"there is an agent {name!r} already"}) from error


def agents_of(tenant: Tenant) -> QuerySet[Agent]:
    """Every agent of the tenant."""
    return Agent.objects.filter(tenant=tenant)


def agent_of(tenant: Tenant, agent_id: str | UUID) -> Agent:
    """The agent that either spelling of its id names. Raises NotFound."""
    identifier = parse_id(agent_id, AGENT)
    agent = agents_of(tenant).filter(id=identifier).first() if identifier else None
    if agent is None:
        raise NotFound("there is no such agent")
    return agent


def default_agent_of(tenant: Tenant) -> Agent:
    """The agent that every tenant is created with."""
    return agents_of(tenant).get(name=Agent.DEFAULT_NAME)


def set_agent_status(tenant: Tenant, agent_id: str | UUID, status: Agent.Status) -> Agent:
    """The agent in its new status. Raises NotFound; Conflict where it is revoked, which is for ever."""
    agent = agent_of(tenant, agent_id)
    still = agents_of(tenant).filter(id=agent.id)
    if status != Agent.Status.REVOKED:
        still = still.exclude(status=Agent.Status.REVOKED)
    if not still.update(status=status):
        raise Conflict("a revoked agent stays revoked", reason="agent_revoked")
    return agent_of(tenant, agent.id)


def _refuse_scopes(scopes: Sequence[str], wrong: Sequence[str], code: str, message: str) -> None:
    fields = [
        FieldProblem(f"/scopes/{index}", code, message.format(scope=scope))
        for index, scope in enumerate(scopes)
        if scope in wrong
    ] or [FieldProblem("/scopes", "blank", "at least one scope is wanted")]
    raise InvalidInput(fields[0].message, reason=code, fields=fields)


def _broken(error: IntegrityError, messages: dict[str, str]) -> Exception:
    """The conflict that a broken constraint means, or the error itself."""
    cause: Any = error.__cause__
    constraint = str(getattr(getattr(cause, "diag", None), "constraint_name", ""))
    for part, message in messages.items():
        if part in constraint:
            return Conflict(message, reason="name_taken")
    return error
