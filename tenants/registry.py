"""Tenants, keys and agents: the only place that writes them, and where others look them up. Everything is by tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from contract.identifiers import AGENT, parse_id
from contract.problems import Conflict, FieldProblem, Forbidden, InvalidInput, NotFound
from tenants import scopes as scope_words
from tenants.authentication import API_KEY, SHOWN_CHARACTERS, Credential, hash_of, new_key
from tenants.models import Agent, ApiKey, Tenant


def create_tenant(slug: str, name: str, rate_limit: int | None = None) -> Tenant:
    """A new tenant with its default agent. Raises Conflict if the slug is taken."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                tenant = Tenant.objects.create(slug=slug, name=name, rate_limit_per_minute=rate_limit)
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
    tenant: Tenant,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
    *,
    rate_limit: int | None = None,
    created_by: str = "",
    rotated_from: ApiKey | None = None,
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
        rate_limit_per_minute=rate_limit,
        created_by=created_by,
        rotated_from=rotated_from,
    )
    return key, text


def grant_key(
    credential: Credential,
    name: str,
    scopes: Sequence[str] | None,
    expires_at: datetime | None = None,
    rate_limit: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key that grants at most what `credential` has (left out: all of it), for no longer than a key lasts.

    Raises InvalidInput for scopes or a rate limit beyond the maker's own, and for an end that is past.
    """
    wanted = sorted(credential.scopes) if scopes is None else list(scopes)
    beyond = [s for s in wanted if s in scope_words.GRANTABLE and not scope_words.allows(credential.scopes, s)]
    if beyond:
        _refuse_scopes(wanted, beyond, "scope_not_held", "the scope {scope} is more than this credential has")
    return create_key(
        credential.tenant,
        name,
        wanted,
        _sooner(_yet_to_come(expires_at), _end_of(credential)),
        rate_limit=_checked_rate_limit(rate_limit, credential.rate_limit),
        created_by=credential.actor,
    )


def rotate_key(
    credential: Credential, key_id: str, overlap: timedelta, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new key in place of this one, which is good for `overlap` yet; all but `expires_at` stays as it was.

    Raises NotFound; InvalidInput for an end that is past; Forbidden if the key has scopes that `credential` lacks;
    Conflict if it is good no more, or was rotated before.
    """
    with transaction.atomic():
        old = _locked_key(credential.tenant, key_id)
        if missing := [scope for scope in old.scopes if not scope_words.allows(credential.scopes, scope)]:
            raise Forbidden(f"the key has the scope {missing[0]}, which is missing here", reason="scope_not_held")
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= old.now):
            raise Conflict("a key that is revoked or expired cannot be rotated", reason="key_not_active")
        if ApiKey.objects.filter(rotated_from=old).exists():
            raise Conflict("the key was rotated before; rotate the one that came of it", reason="already_rotated")
        ApiKey.objects.filter(id=old.id).update(expires_at=_sooner(old.now + overlap, old.expires_at))
        return create_key(
            credential.tenant,
            old.name,
            old.scopes,
            _sooner(_yet_to_come(expires_at) or old.expires_at, _end_of(credential)),
            rate_limit=old.rate_limit_per_minute,
            created_by=credential.actor,
            rotated_from=old,
        )


def keys_of(tenant: Tenant) -> QuerySet[ApiKey]:
    """Every key of the tenant, the revoked ones too."""
    return ApiKey.objects.filter(tenant=tenant)


def key_of(tenant: Tenant, key_id: str | UUID) -> ApiKey:
    """The key of this id. Raises NotFound."""
    return _one_key(keys_of(tenant), key_id)


def revoke_key(tenant: Tenant, key_id: str | UUID) -> ApiKey:
    """The key, revoked from now on; revoking it again changes nothing. Raises NotFound."""
    key = key_of(tenant, key_id)
    keys_of(tenant).filter(id=key.id).update(revoked_at=Coalesce("revoked_at", Now()))
    return key_of(tenant, key.id)


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


def _locked_key(tenant: Tenant, key_id: str) -> Any:
    """The key, locked, with the database's clock in `now`, which is read after the lock was waited for."""
    key: Any = _one_key(keys_of(tenant).select_for_update(), key_id)
    key.now = keys_of(tenant).filter(id=key.id).values_list(Now(), flat=True).get()
    return key


def _one_key(keys: QuerySet[ApiKey], key_id: str | UUID) -> ApiKey:
    identifier = parse_id(key_id)
    key = keys.filter(id=identifier).first() if identifier else None
    if key is None:
        raise NotFound("there is no such API key")
    return key


def _end_of(credential: Credential) -> datetime | None:
    """When a key that it makes ends at the latest: a key's own end. A user's token is short as it is fetched anew."""
    return credential.expires_at if credential.kind == API_KEY else None


def _sooner(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _yet_to_come(end: datetime | None) -> datetime | None:
    """`end`, unless it is past: a key that never opens anything is a mistake."""
    if end is not None and end <= timezone.now():
        message = f"the key would have ended before it was made: {end.isoformat()} is past"
        raise InvalidInput(message, fields=[FieldProblem("/expiresAt", "out_of_range", message)])
    return end


def _checked_rate_limit(wanted: int | None, own: int | None) -> int | None:
    """`wanted`, or else the maker's own, which it may not go beyond."""
    if wanted is not None and own is not None and wanted > own:
        message = f"at most {own} a minute, the limit of this credential, can be given"
        raise InvalidInput(message, fields=[FieldProblem("/rateLimitPerMinute", "rate_limit_not_held", message)])
    return own if wanted is None else wanted


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
