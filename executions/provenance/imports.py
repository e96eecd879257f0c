"""Bundles from elsewhere: verified, kept as they came, and read again to be shown. No execution is ever made of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import IntegrityError, transaction

from contract import json_values
from contract.away import Unreachable
from contract.json_values import JSON
from executions.models import ImportedBundle, SigningKey
from tenants.models import Tenant
from traceway.records import Unreadable, Verdict, as_members, unpack, verify_bytes

MOST_BYTES = 256 * 1024 * 1024
"""The largest bundle that is taken in: all of it is in memory while it is verified, and while it is looked at."""


class Altered(Exception):
    """The bundle is not as it was exported, and was not taken in."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"{len(verdict.findings)} things do not match: {verdict.findings[0]}")
        self.verdict = verdict


def import_bundle(
    tenant: Tenant, data: bytes, actor: str, *, even_if_altered: bool = False
) -> tuple[ImportedBundle, bool]:
    """The bundle, kept for this tenant, and whether it was not before: the same bytes are kept once.

    Raises Unreadable for what is no bundle; Altered, unless that is wanted all the same; Unreachable. No transaction
    may be open.
    """
    if len(data) > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES} bytes")
    files = unpack(data).files
    verdict = verify_bytes(data)
    if not verdict.intact and not even_if_altered:
        raise Altered(verdict)
    row = _row(tenant, data, files, verdict, actor)
    known = ImportedBundle.objects.filter(tenant=tenant, digest=row.digest).first()
    if known is not None:
        return known, False
    _keep(row, data)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return ImportedBundle.objects.get(tenant=tenant, digest=row.digest), False
    row.refresh_from_db()
    return row, True


def files_of_import(row: ImportedBundle) -> Mapping[str, bytes]:
    """The files as they were taken in; nothing where the container is broken. Raises Unreachable."""
    try:
        with _storage().open(_name(row)) as file:
            data: bytes = file.read()
    except Exception as error:
        raise Unreachable("an imported bundle could not be fetched") from error
    if hashlib.sha256(data).hexdigest() != row.digest:
        raise Unreachable("an imported bundle was altered where it is kept")
    return unpack(data).files


def known_keys(verdict: Verdict, files: Mapping[str, bytes]) -> list[str]:
    """Which of the keys that signed it are this installation's own."""
    public = {key.get("kid"): key.get("x") for key in _listed(files)}
    own = SigningKey.objects.filter(kid__in=verdict.signed_by).values_list("kid", "public_key")
    return sorted(kid for kid, public_key in own if public.get(kid) == public_key)


def read_part(files: Mapping[str, bytes], name: str) -> Any:
    """The JSON of one of the files; None where it is missing or no JSON: of an altered bundle what can be is shown."""
    try:
        return json_values.load(files[name])
    except (KeyError, ValueError):
        return None


def _row(tenant: Tenant, data: bytes, files: Mapping[str, bytes], verdict: Verdict, actor: str) -> ImportedBundle:
    record = read_part(files, "record.json")
    told: JSON = {**as_members(verdict), "known_keys": known_keys(verdict, files)}
    return ImportedBundle(
        tenant=tenant,
        digest=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        execution_id=_text(record, "execution", "id"),
        workflow=_text(record, "definition", "workflow"),
        status=_text(record, "execution", "status"),
        intact=verdict.intact,
        verdict=json_values.dump(told),
        imported_by=actor,
    )


def _text(value: Any, *path: str) -> str:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str):
        return ""
    # What no database and no page takes: a hostile bundle may hold it and verify all the same.
    return value[:255].encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def _listed(files: Mapping[str, bytes]) -> Iterable[dict[str, Any]]:
    keys = read_part(files, "keys.json")
    listed = keys.get("keys") if isinstance(keys, dict) else None
    return [key for key in listed if isinstance(key, dict)] if isinstance(listed, list) else []


def _keep(row: ImportedBundle, data: bytes) -> None:
    try:
        _storage().save(_name(row), ContentFile(data))
    except Exception as error:
        raise Unreachable("an imported bundle could not be kept") from error


def _name(row: ImportedBundle) -> str:
    return f"imported/{row.tenant_id}/{row.digest}"


def _storage() -> Storage:
    return storages["payloads"]
