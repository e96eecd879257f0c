"""+ - * / % as Traceway means them: int with double is done in double; otherwise as in CEL.

Ints stay within 64 bits, `/` and `%` of ints cut towards zero, and dividing by zero is an error for doubles too. A
uint counts as an int.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

INT64 = 2**63

NAMES = {"+": "__add", "-": "__subtract", "*": "__multiply", "/": "__divide", "%": "__remainder"}
"""What the operators are rendered as: names that an expression cannot hold itself."""

_WORDS = {datetime: "timestamp", timedelta: "duration", str: "string", float: "double", dict: "map"}
_NUMBERS = frozenset({int, float})
_JOINABLE = frozenset({str, bytes, list})
_TIMES = {
    "+": frozenset({(datetime, timedelta), (timedelta, datetime), (timedelta, timedelta)}),
    "-": frozenset({(datetime, timedelta), (datetime, datetime), (timedelta, timedelta)}),
}


def apply(operator: str, left: Any, right: Any) -> Any:
    """One operation. Raises ArithmeticError or TypeError with a message for the author of the expression."""
    kinds = type(left), type(right)
    if kinds[0] in _NUMBERS and kinds[1] in _NUMBERS:
        return _numbers(operator, left, right, whole=kinds == (int, int))
    if operator == "+" and kinds[0] is kinds[1] and kinds[0] in _JOINABLE:
        return left + right
    if kinds in _TIMES.get(operator, ()):
        return _times(operator, left, right)
    raise TypeError(f"`{operator}` does not take {_word(kinds[0])} and {_word(kinds[1])}")


def chain(operators: str, *operands: Any) -> Any:
    """a + b - c ... from the left."""
    result = operands[0]
    for operator, operand in zip(operators, operands[1:], strict=True):
        result = apply(operator, result, operand)
    return result


def negate(value: Any) -> Any:
    if type(value) not in _NUMBERS:
        raise TypeError(f"`-` does not take {_word(type(value))}")
    return _within_int64(-value) if type(value) is int else -value


def total(items: Any) -> Any:
    """The sum of a list of numbers, 0 for an empty one."""
    result: Any = 0
    for item in items:
        result = apply("+", result, item)
    return result


def _numbers(operator: str, left: float, right: float, *, whole: bool) -> float:
    if operator in "/%" and right == 0:
        raise ZeroDivisionError("division by zero")
    try:
        return _within_int64(_WHOLE[operator](left, right)) if whole else _DOUBLE[operator](float(left), float(right))
    except ValueError as error:
        raise ArithmeticError(f"`{operator}` has no result for {left} and {right}") from error


def _within_int64(value: float) -> float:
    if not -INT64 <= value < INT64:
        raise OverflowError("the result does not fit into 64 bits")
    return value


def _times(operator: str, left: Any, right: Any) -> Any:
    try:
        return left + right if operator == "+" else left - right
    except OverflowError as error:
        raise OverflowError("the result is beyond the range of a timestamp or a duration") from error


def _quotient(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _word(kind: type) -> str:
    return "null" if kind is type(None) else _WORDS.get(kind, kind.__name__)


_WHOLE: dict[str, Callable[[Any, Any], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _quotient,
    "%": lambda a, b: a - b * _quotient(a, b),
}
_DOUBLE: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": math.fmod,
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: partial(apply, operator) for operator, name in NAMES.items()},
    "__chain": chain,
    "__negate": negate,
}
