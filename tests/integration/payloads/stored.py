"""What the tests of payloads look at: the files of an execution, and the columns that refer to them."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from executions.models import Execution
from executions.payloads.references import is_reference

LARGE = 300 * 1024


def large(letter: str = "x") -> str:
    """A text that is larger than what stands in a column."""
    return letter * LARGE


def folder(execution: Execution) -> Path:
    return Path(settings.PAYLOAD_STORE) / str(execution.tenant_id) / str(execution.id)


def objects(execution: Execution) -> list[str]:
    return sorted(path.name for path in folder(execution).glob("*"))


def refers(column: str | None) -> bool:
    return column is not None and is_reference(column) and len(column) < 100
