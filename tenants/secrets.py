"""The secrets of tenants: the only place that writes and opens them. Who may put a value in what is each caller's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from contract.problems import FieldProblem, InvalidInput, NotFound
from tenants.models import Secret, Tenant
from tenants.sealing import InvalidToken, Purpose, seal, unseal

__all__ = ["MAX_VALUE_BYTES", "InvalidToken", "checked_value", "delete", "opened", "put", "secrets_of"]

MAX_VALUE_BYTES: Final = 65_536
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_VALUE = "value"
_USE_IS_RECORDED_EVERY = timedelta(minutes=1)


def secrets_of(tenant: Tenant) -> QuerySet[Secret]:
    """Every secret of the tenant."""
    return Secret.objects.filter(tenant=tenant).defer("sealed")


def put(tenant: Tenant, name: str, value: str) -> Secret:
    """The secret with this value from now on. Every call raises the version.

    The same value too: a version that stood still would tell who may only write what the value is not.
    Raises NotFound for what can be no name, InvalidInput for what is no value.
    """
    if not _NAME.match(name):
        raise NotFound("a secret's name is 1 to 100 letters, digits and underscores, and begins with no digit")
    sealed = seal({_VALUE: checked_value(value)}, Purpose.TENANT)
    with transaction.atomic():
        Secret.objects.update_or_create(
            tenant=tenant,
            name=name,
            defaults={"sealed": sealed, "version": F("version") + 1, "updated_at": Now()},
            create_defaults={"sealed": sealed},
        )
        return secrets_of(tenant).get(name=name)


def delete(tenant: Tenant, name: str) -> None:
    """From now on no step can use it. Raises NotFound."""
    deleted = Secret.objects.filter(tenant=tenant, name=name).delete()[0] if _NAME.match(name) else 0
    if not deleted:
        raise NotFound("there is no such secret")


def opened(tenant: UUID | QuerySet[Any], names: Collection[str]) -> dict[str, str]:
    """The values of those of a tenant's secrets that there are, by name; their use is put down.

    `tenant` is its id, or a query of it. Raises InvalidToken where SECRET_KEY is not the one that sealed them.
    """
    rows: Any = Secret.objects.filter(tenant__in=[tenant] if isinstance(tenant, UUID) else tenant, name__in=names)
    found = list(rows.annotate(now=Now()))
    _record_use(found)
    return {row.name: unseal(row.sealed, Purpose.TENANT)[_VALUE] for row in found}


def _record_use(rows: Iterable[Any]) -> None:
    """Write the last use down, but not for every step: the row of a busy secret would be all that is ever written."""
    unrecorded = [
        row.id for row in rows if row.last_used_at is None or row.now - row.last_used_at > _USE_IS_RECORDED_EVERY
    ]
    if unrecorded:
        Secret.objects.filter(id__in=unrecorded).update(last_used_at=Now())


def checked_value(value: str) -> str:
    """The value, if it may be one. Raises InvalidInput."""
    # Not strict: what is no text is refused like what is too long.
    content = value.encode("utf-8", "replace")
    if 0 < len(content) <= MAX_VALUE_BYTES and content.decode() == value and "\0" not in value:
        return value
    message = f"a secret's value is text of 1 to {MAX_VALUE_BYTES:,} bytes"
    raise InvalidInput(message, fields=[FieldProblem("/value", "invalid_value", message)])
