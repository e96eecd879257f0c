"""Payloads as the rest of Django reads and writes them: a column in, its text or value out, wherever it stands."""

from __future__ import annotations

from functools import cache, lru_cache
from uuid import UUID

from django.conf import settings

from contract import json_values
from contract.json_values import JSON
from executions.models import Execution
from executions.payloads.contents import Contents, Place, Unavailable
from executions.payloads.objects import StoredObjects
from executions.payloads.references import is_reference


@cache
def contents() -> Contents:
    """Those of this process."""
    return Contents(StoredObjects(), settings.PAYLOAD_INLINE_BYTES)


@lru_cache(maxsize=4096)
def place_of(execution_id: UUID) -> Place:
    """Where the execution's payloads are kept: asks the database once."""
    return Place(Execution.objects.values_list("tenant_id", flat=True).get(id=execution_id), execution_id)


def text_of(column: str, execution_id: UUID) -> str:
    """The JSON text of a column of this execution. Costs nothing where it stands there.

    Raises Unavailable where it was dropped, or its object is missing or was altered; Unreachable while the store does
    not answer.
    """
    return contents().text(place_of(execution_id), column) if is_reference(column) else column


def value_of(column: str | None, execution_id: UUID) -> JSON:
    """The value of a column as it is shown: of a text that is not to be had, what is known of it.

    That is `{"dropped": {"digest", "bytes"}}` or, where the object is missing or was altered, the same under
    `unavailable`. Raises Unreachable.
    """
    if column is None:
        return None
    try:
        return json_values.load(text_of(column, execution_id))
    except Unavailable as unavailable:
        return {"dropped" if unavailable.how == "dropped" else "unavailable": unavailable.wanted.shown()}
