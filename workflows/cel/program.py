"""A checked expression, compiled once, and its evaluation by the Rust library."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import cel

from workflows.cel import arithmetic, functions
from workflows.cel.grammar import parse
from workflows.cel.names import Names, collect
from workflows.cel.render import CHARACTERS, CHUNK, CHUNKS, JOINED, KEEP, TOO_LONG, Rendering
from workflows.cel.tree import SyntaxProblem

MAX_CHARACTERS = 4_096
MAX_KEPT = 8 * 1024 * 1024
"""Weight, in about bytes, of everything that the bodies of map() yield in one evaluation."""


class EvaluationFailed(Exception):
    """The expression has no value for what is bound; str() says why."""


class CompileFailed(Exception):
    """The text is not an expression that may be used here; `problems` says all that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Program:
    """A compiled expression, and the variables that it wants bound. `occurrences` of any bound name."""

    __slots__ = ("_compiled", "_functions", "_keeps", "_texts", "occurrences", "variables")

    def __init__(self, text: str, roots: frozenset[str], refused: Mapping[str, str]) -> None:
        tree, names = _read(text, roots, refused)
        rendering = Rendering(tree, names)
        try:
            self._compiled = cel.compile(rendering.text)
        except ValueError as error:
            raise CompileFailed([_compile_message(str(error))]) from error
        self.variables = tuple(names.variables.values())
        self._texts = {variable.name: variable.reference.text for variable in self.variables}
        self.occurrences = names.occurrences
        self._functions = _registered(names.functions | rendering.functions)
        self._keeps = KEEP in rendering.functions

    def evaluate(self, bindings: dict[str, Any]) -> Any:
        """The value, as the Python value of its CEL type. Raises EvaluationFailed.

        `bindings` is by the names of the variables; one that is left out is an error where it is read.
        """
        try:
            return self._compiled.execute(self._context(bindings))
        except Exception as error:
            raise EvaluationFailed(self._message(error)) from error
        except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception
            _refuse_panic(error)

    def _message(self, error: Exception) -> str:
        undefined = _UNDEFINED.match(str(error))
        if undefined and undefined[1] in self._texts:
            return f"there is no member `{self._texts[undefined[1]]}`"
        return _message(error)

    def _context(self, bindings: dict[str, Any]) -> Any:
        if self._keeps:
            return cel.Context(bindings, functions={**self._functions, KEEP: _Keeper().keep})
        return cel.Context(bindings, functions=self._functions) if self._functions else bindings


class _Keeper:
    """Weighs what map() yields, so that one evaluation cannot fill the memory."""

    def __init__(self) -> None:
        self.left = MAX_KEPT

    def keep(self, value: Any) -> Any:
        self.left -= _weight(value)
        if self.left < 0:
            raise OverflowError(f"map() yields more than {MAX_KEPT // 1024 // 1024} MiB")
        return value


def _weight(value: Any) -> int:
    weight = 0
    pending = [value]
    while pending:
        current = pending.pop()
        weight += 16
        if isinstance(current, str | bytes):
            weight += len(current)
        elif isinstance(current, list):
            pending.extend(current)
        elif isinstance(current, dict):
            pending.extend(current)
            pending.extend(current.values())
    return weight


def _read(text: str, roots: frozenset[str], refused: Mapping[str, str]) -> tuple[Any, Names]:
    if len(text) > MAX_CHARACTERS:
        raise CompileFailed([f"longer than {MAX_CHARACTERS} characters"])
    try:
        tree = parse(text)
    except SyntaxProblem as problem:
        raise CompileFailed([str(problem)]) from problem
    names = collect(tree, roots, refused)
    if names.problems:
        raise CompileFailed(names.problems)
    return tree, names


def _registered(names: set[str]) -> dict[str, Callable[..., Any]]:
    return {name: _AVAILABLE[name] for name in names if name in _AVAILABLE}


def _too_long(size: int, most: int) -> NoReturn:
    raise OverflowError(f"a list of {size} items is too long here, where {most} are the most")


def _chunks(items: Any, most: int) -> list[list[Any]]:
    """The items of a list, or the keys of a map, in lists of at most 100."""
    if not isinstance(items, list | dict):
        raise TypeError("only a list or a map has items to go through")
    if len(items) > most:
        _too_long(len(items), most)
    items = list(items)
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]


def _joined(chunks: list[list[Any]]) -> list[Any]:
    return [item for chunk in chunks for item in chunk]


def _refuse_panic(error: BaseException) -> NoReturn:
    if type(error).__name__ != "PanicException":
        raise error
    raise EvaluationFailed("the expression engine gave up") from error


def _compile_message(text: str) -> str:
    """The first complaint of the library, without the source that it repeats."""
    found = re.search(r"ERROR: <input>:\d+:\d+: (.*)", text)
    return found[1][:200] if found else "not an expression"


_CALLBACK = re.compile(
    r"Function '([^']*)' error: (?:Python function call failed: \w+: )?(.*?)(?:\. Check function .*)?$", re.DOTALL
)
_UNDEFINED = re.compile(r"Undefined variable or function: '([^']*)'")


def _message(error: Exception) -> str:
    text = str(error)
    if isinstance(error, KeyError):
        return f'there is no member "{error.args[0]}"'
    if isinstance(error, ZeroDivisionError):
        return "division by zero"
    called = _CALLBACK.match(text)
    if called:
        return called[2] if called[1].startswith("__") else f"{called[1]}(): {called[2]}"
    undefined = _UNDEFINED.match(text)
    if undefined:
        return f"`{undefined[1]}` does not take these values"
    return text.split(". CEL does not", 1)[0][:500]


_AVAILABLE: dict[str, Callable[..., Any]] = (
    functions.FUNCTIONS
    | arithmetic.FUNCTIONS
    | {
        CHARACTERS: len,
        CHUNKS: _chunks,
        JOINED: _joined,
        TOO_LONG: _too_long,
    }
)
