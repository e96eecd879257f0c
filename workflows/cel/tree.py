"""The syntax tree of an expression. A node knows its depth, so that nothing deep is ever walked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_DEPTH = 32


class SyntaxProblem(Exception):
    """The text is no expression that Traceway takes; str() says why and where."""


@dataclass(slots=True)
class Node:
    """`position` is the character, from 1, at which the node begins."""

    position: int
    depth: int = field(init=False, default=1)

    def __post_init__(self) -> None:
        self.depth = 1 + max((child.depth for child in self.children()), default=0)
        if self.depth > MAX_DEPTH:
            raise SyntaxProblem(f"more than {MAX_DEPTH} levels of nesting")

    def children(self) -> Iterator[Node]:
        return iter(())


@dataclass(slots=True)
class Literal(Node):
    """`kind` is int, uint, double, string, bytes or word (true, false, null); `text` as written."""

    kind: str
    text: str


@dataclass(slots=True)
class Name(Node):
    name: str


@dataclass(slots=True)
class Select(Node):
    operand: Node
    member: str

    def children(self) -> Iterator[Node]:
        yield self.operand


@dataclass(slots=True)
class Has(Node):
    """The macro has(operand.member)."""

    operand: Node
    member: str

    def children(self) -> Iterator[Node]:
        yield self.operand


@dataclass(slots=True)
class Index(Node):
    operand: Node
    index: Node

    def children(self) -> Iterator[Node]:
        yield self.operand
        yield self.index


@dataclass(slots=True)
class Call(Node):
    """`name(arguments)`, or with a target `target.name(arguments)`."""

    name: str
    target: Node | None
    arguments: list[Node]

    def children(self) -> Iterator[Node]:
        if self.target is not None:
            yield self.target
        yield from self.arguments


@dataclass(slots=True)
class Comprehension(Node):
    """`range.macro(variable, body...)`: map, filter, exists, exists_one or all."""

    macro: str
    range: Node
    variable: str
    body: list[Node]

    def children(self) -> Iterator[Node]:
        yield self.range
        yield from self.body


@dataclass(slots=True)
class Items(Node):
    """A list literal."""

    items: list[Node]

    def children(self) -> Iterator[Node]:
        return iter(self.items)


@dataclass(slots=True)
class Entries(Node):
    """A map literal."""

    entries: list[tuple[Node, Node]]

    def children(self) -> Iterator[Node]:
        for key, value in self.entries:
            yield key
            yield value


@dataclass(slots=True)
class Unary(Node):
    operator: str
    operand: Node

    def children(self) -> Iterator[Node]:
        yield self.operand


@dataclass(slots=True)
class Chain(Node):
    """operands joined by operators of one level, evaluated from the left: arithmetic, relations, && or ||."""

    level: str
    operators: list[str]
    operands: list[Node]

    def children(self) -> Iterator[Node]:
        return iter(self.operands)


@dataclass(slots=True)
class Conditional(Node):
    condition: Node
    then: Node
    otherwise: Node

    def children(self) -> Iterator[Node]:
        yield self.condition
        yield self.then
        yield self.otherwise
