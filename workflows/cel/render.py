"""From tree to the text that the Rust library compiles: arithmetic as calls of ours, comprehensions with bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

from workflows.cel.arithmetic import NAMES
from workflows.cel.functions import RENAMED
from workflows.cel.names import Names, function_name
from workflows.cel.tree import (
    Call,
    Chain,
    Comprehension,
    Conditional,
    Entries,
    Has,
    Index,
    Items,
    Literal,
    Name,
    Node,
    Select,
    Unary,
)

KEEP = "__keep"
TOO_LONG = "__too_long"
CHUNKS = "__chunks"
JOINED = "__joined"
CHARACTERS = "__characters"
CHUNK = 100
MAX_ITEMS = 10_000
MAX_NESTED_ITEMS = 1_000


class Rendering:
    """The text of a tree, and the names of our functions that it calls."""

    def __init__(self, tree: Node, names: Names) -> None:
        self.functions: set[str] = set()
        self._names = names
        self.text = self._render(tree)

    def _render(self, node: Node) -> str:
        variable = self._names.at.get(id(node))
        return self._RENDERERS[type(node)](self, node) if variable is None else variable.name

    def _literal(self, node: Literal) -> str:
        return node.text

    def _name(self, node: Name) -> str:
        return node.name

    def _select(self, node: Select) -> str:
        return f"{self._render(node.operand)}.{node.member}"

    def _has(self, node: Has) -> str:
        return f"has({self._render(node.operand)}.{node.member})"

    def _index(self, node: Index) -> str:
        return f"{self._render(node.operand)}[{self._render(node.index)}]"

    def _call(self, node: Call) -> str:
        arguments = ", ".join(self._render(argument) for argument in node.arguments)
        name = function_name(node)
        if name == "size":
            return self._size(node.arguments[0] if node.target is None else node.target)
        if name in RENAMED:
            self.functions.add(RENAMED[name])
        rendered = RENAMED.get(name, name)
        if node.target is None or name != node.name:
            return f"{rendered}({arguments})"
        return f"{self._render(node.target)}.{rendered}({arguments})"

    def _size(self, node: Node) -> str:
        """The library counts the bytes of a text, CEL its characters. What is only read is not copied for that."""
        value = self._render(node)
        name = value if self._is_read(node) else "__sized"
        counted = f"(type({name}) == string ? {self._ours(CHARACTERS, name)} : size({name}))"
        return counted if name == value else f"[{value}].map({name}, {counted})[0]"

    def _is_read(self, node: Node) -> bool:
        """Whether the node is a value that is there already, however often it is named."""
        if id(node) in self._names.at or isinstance(node, Name | Literal):
            return True
        if isinstance(node, Index):
            return self._is_read(node.operand) and self._is_read(node.index)
        return isinstance(node, Select) and self._is_read(node.operand)

    def _items(self, node: Items) -> str:
        return "[" + ", ".join(self._render(item) for item in node.items) + "]"

    def _entries(self, node: Entries) -> str:
        pairs = (f"{self._render(key)}: {self._render(value)}" for key, value in node.entries)
        return "{" + ", ".join(pairs) + "}"

    def _unary(self, node: Unary) -> str:
        operand = self._render(node.operand)
        if node.operator == "!":
            return f"(!{operand})"
        if isinstance(node.operand, Literal):
            return f"(-{operand})"
        return self._ours("__negate", operand)

    def _chain(self, node: Chain) -> str:
        operands = [self._render(operand) for operand in node.operands]
        if node.level != "arithmetic":
            words = [operands[0]]
            for operator, operand in zip(node.operators, operands[1:], strict=True):
                words += [operator, operand]
            return f"({' '.join(words)})"
        if len(operands) == 2:
            return self._ours(NAMES[node.operators[0]], *operands)
        return self._ours("__chain", json.dumps("".join(node.operators)), *operands)

    def _conditional(self, node: Conditional) -> str:
        return f"({self._render(node.condition)} ? {self._render(node.then)} : {self._render(node.otherwise)})"

    def _comprehension(self, node: Comprehension) -> str:
        body = [self._render(part) for part in node.body]
        if node.macro == "map" and not _is_small(node.body[-1]):
            body[-1] = self._ours(KEEP, body[-1])
        loop = f"{node.macro}({', '.join([node.variable, *body])})"
        items = self._render(node.range)
        most = MAX_NESTED_ITEMS if id(node) in self._names.nested else MAX_ITEMS
        if isinstance(node.range, Items):
            return f"{items}.{loop}"
        if node.macro in ("map", "filter"):
            # The library copies the result for every item; in chunks that stays short.
            return self._ours(JOINED, f"{self._ours(CHUNKS, items, str(most))}.map(__chunk, __chunk.{loop})")
        refusal = self._ours(TOO_LONG, "size(__range)", str(most))
        # Binds the range once, so that it is neither computed twice nor carried through Python.
        return f"[{items}].map(__range, size(__range) <= {most} ? __range.{loop} : {refusal})[0]"

    def _ours(self, name: str, *arguments: str) -> str:
        self.functions.add(name)
        return f"{name}({', '.join(arguments)})"

    _RENDERERS: ClassVar[dict[type[Node], Callable[[Any, Any], str]]] = {
        Literal: _literal,
        Name: _name,
        Select: _select,
        Has: _has,
        Index: _index,
        Call: _call,
        Comprehension: _comprehension,
        Items: _items,
        Entries: _entries,
        Unary: _unary,
        Chain: _chain,
        Conditional: _conditional,
    }


def _is_small(node: Node) -> bool:
    """Whether the value is a boolean or a literal, whatever is bound."""
    if isinstance(node, Chain):
        return node.level != "arithmetic"
    if isinstance(node, Unary):
        return node.operator == "!"
    return isinstance(node, Literal | Has)
