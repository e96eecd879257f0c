"""How the words of a status stand in a table: as choices, and as a check that the table keeps.

PostgreSQL parses the text of a table's checks anew with every statement that writes it. For the tables that every
step writes they are `among`, one constant, and say each word once: half the time that IN and its list of casts take.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Least
from django.db.models.lookups import GreaterThanOrEqual


class Among(Func):
    """Whether a text is one of the words of an array."""

    template = "%(expressions)s::text[])"
    arg_joiner = " = ANY ("
    arity = 2
    output_field = models.BooleanField()


def among(field: str, words: Iterable[StrEnum]) -> Q:
    return Q(Among(F(field), Value(f"{{{','.join(sorted(word.value for word in words))}}}")))


def not_negative(*fields: str) -> Q:
    return Q(GreaterThanOrEqual(Least(*fields), Value(0)))


def one_of(field: str, words: Iterable[StrEnum], name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{f"{field}__in": sorted(w.value for w in words)}), name=name)


def choices(words: Iterable[StrEnum]) -> list[tuple[str, str]]:
    return [(word.value, word.value.replace("_", " ")) for word in words]
