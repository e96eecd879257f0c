"""`${{ ... }}` in JSON: where the expressions stand, and the value with each replaced by its own.

A string that is exactly one expression takes the expression's value, of whatever type. In any other string the values
are put in as text: strings as they are, everything else, null included, as compact JSON. Member names are never
templates. A `${{` meant literally is written `${{ "${{" }}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contract.json_values import JSON, dump, escape
from contract.problems import FieldProblem
from workflows.expressions import STEP_ROOTS, Expression, ExpressionInvalid, Reference, Scope, compile_expression

OPEN, CLOSE = "${{", "}}"


class TemplateInvalid(Exception):
    """A string is no template; `problems` says all that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True, slots=True)
class Template:
    """JSON with expressions, compiled. `references`: by the JSON Pointer of each string that holds expressions."""

    raw: JSON
    references: Mapping[str, tuple[Reference, ...]]
    _root: _Part

    @property
    def is_literal(self) -> bool:
        """Whether it holds no expression at all, so that `raw` is its value."""
        return isinstance(self._root, _Fixed)

    def resolve(self, scope: Scope) -> JSON:
        """The value with every expression replaced. Raises ExpressionError."""
        return self._root.resolve(scope)

    def all_references(self) -> tuple[Reference, ...]:
        """Every reference once, in the order of the text."""
        return tuple(dict.fromkeys(reference for found in self.references.values() for reference in found))


def compile_template(
    value: JSON, pointer: str, problems: list[FieldProblem], roots: frozenset[str] = STEP_ROOTS
) -> Template:
    """The template of a JSON value that stands at `pointer`; whatever is wrong is added to `problems`."""
    compiler = _Compiler(pointer, problems, roots)
    root = compiler.part(value, "")
    return Template(value, compiler.references, root)


def compile_condition(text: str, roots: frozenset[str] = STEP_ROOTS) -> Expression:
    """The expression of a member that always is one, written with or without `${{ }}`. Raises ExpressionInvalid."""
    stripped = text.strip()
    if not stripped.startswith(OPEN):
        return compile_expression(text, roots)
    try:
        pieces = list(_pieces(stripped))
    except TemplateInvalid as invalid:
        raise ExpressionInvalid(text, invalid.problems) from invalid
    if len(pieces) != 1 or not pieces[0][0]:
        raise ExpressionInvalid(text, ["one expression is expected, not text with expressions in it"])
    return compile_expression(pieces[0][1], roots)


def literally(value: JSON) -> JSON:
    """The value as a template that resolves to it, whatever it holds."""
    if isinstance(value, str):
        return value.replace(OPEN, f'{OPEN} "{OPEN}" {CLOSE}')
    if isinstance(value, list):
        return [literally(item) for item in value]
    if isinstance(value, dict):
        return {name: literally(member) for name, member in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class _Fixed:
    value: JSON

    def resolve(self, scope: Scope) -> JSON:  # noqa: ARG002 - like the other parts
        return self.value


@dataclass(frozen=True, slots=True)
class _Text:
    parts: tuple[str | Expression, ...]

    def resolve(self, scope: Scope) -> JSON:
        return "".join(part if isinstance(part, str) else _shown(part.evaluate(scope)) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Value:
    expression: Expression

    def resolve(self, scope: Scope) -> JSON:
        return self.expression.evaluate(scope)


@dataclass(frozen=True, slots=True)
class _Array:
    items: tuple[_Part, ...]

    def resolve(self, scope: Scope) -> JSON:
        return [item.resolve(scope) for item in self.items]


@dataclass(frozen=True, slots=True)
class _Object:
    members: tuple[tuple[str, _Part], ...]

    def resolve(self, scope: Scope) -> JSON:
        return {name: member.resolve(scope) for name, member in self.members}


_Part = _Fixed | _Text | _Value | _Array | _Object


def _shown(value: JSON) -> str:
    return value if isinstance(value, str) else dump(value)


class _Compiler:
    def __init__(self, pointer: str, problems: list[FieldProblem], roots: frozenset[str]) -> None:
        self.references: dict[str, tuple[Reference, ...]] = {}
        self._pointer = pointer
        self._problems = problems
        self._roots = roots

    def part(self, value: JSON, below: str) -> _Part:
        if isinstance(value, str):
            return self._text(value, below) if OPEN in value else _Fixed(value)
        if isinstance(value, list):
            items = tuple(self.part(item, f"{below}/{i}") for i, item in enumerate(value))
            return _Fixed(value) if all(isinstance(item, _Fixed) for item in items) else _Array(items)
        if isinstance(value, dict):
            members = tuple((name, self.part(member, f"{below}/{escape(name)}")) for name, member in value.items())
            return _Fixed(value) if all(isinstance(part, _Fixed) for _, part in members) else _Object(members)
        return _Fixed(value)

    def _text(self, text: str, below: str) -> _Part:
        parts: list[str | Expression] = []
        try:
            pieces = list(_pieces(text))
        except TemplateInvalid as invalid:
            self._report(below, invalid.problems)
            return _Fixed(text)
        for is_expression, piece in pieces:
            try:
                parts.append(compile_expression(piece, self._roots) if is_expression else piece)
            except ExpressionInvalid as invalid:
                self._report(below, invalid.problems)
        expressions = [part for part in parts if isinstance(part, Expression)]
        self.references[below] = tuple(dict.fromkeys(r for expression in expressions for r in expression.references))
        if len(parts) == 1 and expressions:
            return _Value(expressions[0])
        return _Text(tuple(parts))

    def _report(self, below: str, problems: list[str]) -> None:
        self._problems.extend(FieldProblem(self._pointer + below, "bad_expression", problem) for problem in problems)


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """(is it an expression, its text) from left to right. Raises TemplateInvalid where an expression never ends."""
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        if start > position:
            yield False, text[position:start]
        end = _end(text, start + len(OPEN))
        yield True, text[start + len(OPEN) : end].strip()
        position = end + len(CLOSE)
    if position < len(text):
        yield False, text[position:]


def _end(text: str, position: int) -> int:
    """Where the `}}` of an expression stands, which is none inside a string, a comment or the braces of a map."""
    start, braces = position, 0
    while position < len(text):
        character = text[position]
        if character in "\"'":
            position = _after_string(text, position)
            continue
        if text.startswith("//", position):
            position = _after_comment(text, position)
            continue
        if braces == 0 and text.startswith(CLOSE, position):
            return position
        braces += {"{": 1, "}": -1}.get(character, 0)
        position += 1
    raise TemplateInvalid([f"`{OPEN}` at character {start - len(OPEN) + 1} is never closed by `{CLOSE}`"])


def _after_string(text: str, position: int) -> int:
    quote = text[position] * (3 if text.startswith(text[position] * 3, position) else 1)
    raw = "r" in _prefix(text, position)
    position += len(quote)
    while position < len(text) and not text.startswith(quote, position):
        position += 2 if text[position] == "\\" and not raw else 1
    return position + len(quote)


def _prefix(text: str, position: int) -> str:
    """The letters right before a quote: those of a raw string or of bytes, or the end of a name."""
    start = position
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    prefix = text[start:position].lower()
    return prefix if prefix in ("r", "b", "br", "rb") else ""


def _after_comment(text: str, position: int) -> int:
    ends = [end for end in (text.find("\n", position), text.find(CLOSE, position)) if end >= 0]
    return min(ends, default=len(text))
