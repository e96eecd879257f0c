"""Canonical JSON and digests: members sorted, no spaces, UTF-8. One value has one text, and one text one digest."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NoReturn

DIGEST = re.compile(r"[0-9a-f]{64}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
"""A time on record: UTC with microseconds."""


class NotCanonical(ValueError):
    """The bytes are no canonical JSON; str() goes on where "it ..." begins."""


def digest(data: bytes | str) -> str:
    """The SHA-256 in lower-case hex."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def canonical(value: Any) -> bytes:
    """The one text of a value. Raises ValueError for what is no JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def read(data: bytes | str) -> Any:
    """The value of a canonical text. Raises NotCanonical for everything else."""
    try:
        given = data.encode() if isinstance(data, str) else data
        value = json.loads(given.decode(), parse_constant=_constant)
        made = canonical(value)
    except RecursionError as error:
        raise NotCanonical("is nested too deeply") from error
    except ValueError as error:
        raise NotCanonical(f"is not JSON: {error}") from error
    if made != given:
        raise NotCanonical(f"is not canonical JSON, at byte {first_difference(made, given)}")
    return value


def first_difference(one: bytes, other: bytes) -> int:
    """The offset of the first byte that differs, or the length of the shorter one."""
    shorter, step = min(len(one), len(other)), 1 << 16
    for start in range(0, shorter, step):
        if one[start : start + step] != other[start : start + step]:
            pairs = zip(one[start : start + step], other[start : start + step], strict=False)
            return start + next((i for i, (a, b) in enumerate(pairs) if a != b), shorter - start)
    return shorter


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
