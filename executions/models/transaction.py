"""PostgreSQL's transaction ids as a column: the order of what many transactions write at once."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func


class TransactionIdField(models.Field):  # type: ignore[type-arg] # no subscript at run time
    """An xid8, which never wraps around."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:  # noqa: ARG002 - as Django calls it
        return "xid8"

    def from_db_value(self, value: Any, *_: Any) -> int:
        return int(value)

    def get_prep_value(self, value: Any) -> Any:
        return str(value) if isinstance(value, int) else super().get_prep_value(value)


class CurrentTransactionId(Func):
    """The id of the transaction that asks."""

    function = "pg_current_xact_id"
    output_field = TransactionIdField()
