"""The functions that an expression may call, and the conversions that the Rust library lacks. All are pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cel import stdlib

from workflows.cel import arithmetic

MAX_TEXT = 4 * 1024 * 1024
"""Characters that replace() and join() may make."""

TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"})
NAMESPACES = frozenset({"math"})

_NATIVE: dict[str, tuple[int, int]] = {
    "bytes": (1, 1),
    "contains": (2, 2),
    "double": (1, 1),
    "duration": (1, 1),
    "dyn": (1, 1),
    "endsWith": (2, 2),
    "matches": (2, 2),
    "size": (1, 1),
    "startsWith": (2, 2),
    "string": (1, 1),
    "type": (1, 1),
    "uint": (1, 1),
    "getDate": (1, 1),
    "getDayOfMonth": (1, 1),
    "getDayOfWeek": (1, 1),
    "getDayOfYear": (1, 1),
    "getFullYear": (1, 1),
    "getHours": (1, 1),
    "getMilliseconds": (1, 1),
    "getMinutes": (1, 1),
    "getMonth": (1, 1),
    "getSeconds": (1, 1),
}


def rfc3339(moment: datetime) -> str:
    """In UTC, with as many digits of a second as there are."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def seconds(span: timedelta) -> str:
    """As CEL spells a duration: "3600s", "0.5s"."""
    microseconds = span // timedelta(microseconds=1)
    whole, rest = divmod(abs(microseconds), 1_000_000)
    fraction = f".{rest:06d}".rstrip("0") if rest else ""
    return f"{'-' if microseconds < 0 else ''}{whole}{fraction}s"


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, int | str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, timedelta):
        return seconds(value)
    raise TypeError("string() takes a number, a boolean, text, bytes, a timestamp or a duration")


def _int(value: Any) -> int:
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(seconds=1)
    raise TypeError("int() takes a number, text or a timestamp")


def _timestamp(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if type(value) is not int:
        raise TypeError("timestamp() takes RFC 3339 text or seconds since 1970")
    try:
        return _EPOCH + timedelta(seconds=value)
    except OverflowError as error:
        raise OverflowError("the result is beyond the range of a timestamp") from error


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    count = text.count(old) if limit < 0 else min(limit, text.count(old))
    _require_short(len(text) + count * (len(new) - len(old)))
    return stdlib.replace(text, old, new, limit)


def _join(items: list[str], separator: str = "") -> str:
    _require_short(sum(len(item) for item in items) + len(separator) * len(items))
    return stdlib.join(items, separator)


def _require_short(length: int) -> None:
    if length > MAX_TEXT:
        raise OverflowError(f"the text would be longer than {MAX_TEXT} characters")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_OWN: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "bool": (1, 1, stdlib.bool_),
    "charAt": (2, 2, stdlib.char_at),
    "flatten": (1, 2, stdlib.flatten),
    "indexOf": (2, 3, stdlib.index_of),
    "int": (1, 1, _int),
    "join": (1, 2, _join),
    "lastIndexOf": (2, 3, stdlib.last_index_of),
    "lowerAscii": (1, 1, stdlib.lower_ascii),
    "max": (1, 99, stdlib.max_),
    "min": (1, 99, stdlib.min_),
    "replace": (3, 4, _replace),
    "reverse": (1, 1, stdlib.reverse),
    "slice": (3, 3, stdlib.slice_),
    "sort": (1, 1, stdlib.sort),
    "split": (2, 3, stdlib.split),
    "substring": (2, 3, stdlib.substring),
    "sum": (1, 1, arithmetic.total),
    "timestamp": (1, 1, _timestamp),
    "trim": (1, 1, stdlib.trim),
    "upperAscii": (1, 1, stdlib.upper_ascii),
    "math.abs": (1, 1, stdlib.math_abs),
    "math.ceil": (1, 1, stdlib.math_ceil),
    "math.floor": (1, 1, stdlib.math_floor),
    "math.greatest": (1, 99, stdlib.math_greatest),
    "math.least": (1, 99, stdlib.math_least),
    "math.round": (1, 1, stdlib.math_round),
    "math.sign": (1, 1, stdlib.math_sign),
    "math.sqrt": (1, 1, stdlib.math_sqrt),
    "math.trunc": (1, 1, stdlib.math_trunc),
}

ARITIES: dict[str, tuple[int, int]] = _NATIVE | {name: (least, most) for name, (least, most, _) in _OWN.items()}
"""By function: how few and how many values it takes, the one before the dot included."""

RENAMED = {"string": "__string"}
"""Functions that replace the Rust library's own, by the name they are rendered with."""

FUNCTIONS: dict[str, Callable[..., Any]] = {name: function for name, (_, _, function) in _OWN.items()} | {
    "__string": _string
}
"""What has to be registered with the Rust library; int and timestamp only add what its own do not take."""
