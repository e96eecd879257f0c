"""What an expression names: the members it reads by a fixed path, and whether everything else in it is known."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import cel

from contract.json_values import escape
from workflows.cel.functions import ARITIES, NAMESPACES, TYPES
from workflows.cel.tree import Call, Comprehension, Has, Index, Literal, Name, Node, Select

_IDENTIFIER = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*\Z")


@dataclass(frozen=True)
class Reference:
    """A member that an expression reads: the root's name and the fixed part of the path below it."""

    root: str
    path: tuple[str | int, ...]

    @cached_property
    def text(self) -> str:
        """As an expression spells it: steps["noop-2"].output.items[0]."""
        return self.root + "".join(
            f".{part}" if isinstance(part, str) and _IDENTIFIER.match(part) else f"[{json.dumps(part)}]"
            for part in self.path
        )

    @property
    def pointer(self) -> str:
        """The path below the root as a JSON Pointer."""
        return "".join(f"/{escape(str(part))}" for part in self.path)


@dataclass(frozen=True, slots=True)
class Variable:
    """What a fixed path is rendered as: bound to the member, or for has() to whether it is there."""

    name: str
    reference: Reference
    tests: bool


@dataclass(slots=True)
class Names:
    """`variables` by (reference, is it in has()); `at` by the id of the node that is rendered as one.

    `occurrences`: how often a path or a variable of a comprehension is named; `nested`: the ids of comprehensions in
    or around another.
    """

    variables: dict[tuple[Reference, bool], Variable] = field(default_factory=dict)
    at: dict[int, Variable] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    occurrences: int = 0
    nested: set[int] = field(default_factory=set)


def collect(tree: Node, roots: frozenset[str], refused: Mapping[str, str]) -> Names:
    """The names in a tree whose free names are all in `roots`; whatever is wrong with them is in `problems`.

    `refused`: by name, what to say of a root that is known but not to be had.
    """
    collector = _Collector(roots, refused)
    collector.visit(tree, frozenset(), ())
    return collector.names


class _Collector:
    def __init__(self, roots: frozenset[str], refused: Mapping[str, str]) -> None:
        self.roots = roots
        self.refused = refused
        self.names = Names()

    def visit(self, node: Node, variables: frozenset[str], around: tuple[Comprehension, ...]) -> None:
        reference = _reference(node, variables)
        if reference is not None:
            self._refer(reference, node)
            return
        if isinstance(node, Comprehension):
            self._comprehension(node, variables, around)
            return
        if isinstance(node, Name):
            self.names.occurrences += 1
        if isinstance(node, Call):
            self._call(node)
        for child in node.children():
            if not (isinstance(node, Call) and child is node.target and function_name(node) != node.name):
                self.visit(child, variables, around)

    def _refer(self, reference: Reference, node: Node) -> None:
        if reference.root in TYPES and not reference.path:
            return
        self.names.occurrences += 1
        if reference.root not in self.roots:
            self._problem(self.refused.get(reference.root) or self._unknown(reference.root, node.position))
            return
        key = reference, isinstance(node, Has)
        variable = Variable(f"__v{len(self.names.variables)}", *key)
        self.names.at[id(node)] = self.names.variables.setdefault(key, variable)

    def _unknown(self, name: str, position: int) -> str:
        known = ", ".join(f"`{root}`" for root in sorted(self.roots))
        return f"unknown name `{name}` at character {position}; known here: {known}"

    def _call(self, node: Call) -> None:
        name = function_name(node)
        given = len(node.arguments) + (node.target is not None and name == node.name)
        if name not in ARITIES:
            self._problem(f"unknown function `{name}` at character {node.position}")
        elif not ARITIES[name][0] <= given <= ARITIES[name][1]:
            self._problem(f"wrong number of values for `{name}` at character {node.position}")
        self.names.functions.add(name)

    def _comprehension(self, node: Comprehension, variables: frozenset[str], around: tuple[Comprehension, ...]) -> None:
        if node.variable in self.roots | TYPES or node.variable.startswith("__"):
            self._problem(f"`{node.variable}` at character {node.position} cannot be the variable of {node.macro}()")
        if len(around) > 1:
            self._problem(f"{node.macro}() at character {node.position} is more than one level inside another")
        if around:
            self.names.nested |= {id(node), *(id(outer) for outer in around)}
        self.visit(node.range, variables, around)
        for part in node.body:
            self.visit(part, variables | {node.variable}, (*around, node))

    def _problem(self, message: str) -> None:
        self.names.problems.append(message)


def function_name(call: Call) -> str:
    """`math.abs` for a call in a namespace, else the name after the dot."""
    if isinstance(call.target, Name) and call.target.name in NAMESPACES:
        return f"{call.target.name}.{call.name}"
    return call.name


def _reference(node: Node, variables: frozenset[str]) -> Reference | None:
    """The reference that `node` is; None if it does not begin at a root, or its path is not fixed."""
    path: list[str | int] = []
    while isinstance(node, Select | Has | Index):
        part = node.member if isinstance(node, Select | Has) else _fixed(node.index)
        if part is None:
            return None
        path.append(part)
        node = node.operand
    if isinstance(node, Name) and node.name not in variables:
        return Reference(node.name, tuple(reversed(path)))
    return None


def _fixed(index: Node) -> str | int | None:
    if isinstance(index, Literal) and index.kind == "string":
        try:
            return str(cel.evaluate(index.text))
        except ValueError:
            return None
    if isinstance(index, Literal) and index.kind == "int":
        return int(index.text, 0) if index.text[:2].lower() == "0x" else int(index.text)
    return None
