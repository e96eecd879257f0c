"""From text to tree: the grammar of the CEL language definition, without message literals."""

from __future__ import annotations

from typing import Any, TypeVar

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

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
    SyntaxProblem,
    Unary,
)

T = TypeVar("T")

MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
KEYWORDS = frozenset({"false", "in", "null", "true"})
RESERVED = KEYWORDS | {
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
    "namespace", "return", "var", "void", "while",
}  # fmt: skip

GRAMMAR = r"""
?expr: disjunction
     | disjunction "?" disjunction ":" expr   -> conditional
?disjunction: conjunction (OR conjunction)*
?conjunction: relation (AND relation)*
?relation: addition (_relop addition)*
?addition: multiplication (_addop multiplication)*
?multiplication: unary (_mulop unary)*
_relop: LE | LT | GE | GT | EQ | NE | IN
_addop: PLUS | MINUS
_mulop: STAR | SLASH | PERCENT
?unary: member
      | NOT negatable   -> unary
      | MINUS negated   -> unary
?negatable: member | NOT negatable -> unary
?negated: member | MINUS negated -> unary
?member: primary
       | member "." IDENT                       -> select
       | member "." IDENT "(" [arguments] ")"   -> method
       | member "[" expr "]"                    -> index
?primary: IDENT                        -> name
        | IDENT "(" [arguments] ")"    -> call
        | "(" expr ")"
        | "[" "]"                      -> items
        | "[" arguments [","] "]"      -> items
        | "{" "}"                      -> mapping
        | "{" entries [","] "}"        -> mapping
        | literal
arguments: expr | arguments "," expr
entries: entry | entries "," entry
entry: expr ":" expr
literal: INT | UINT | DOUBLE | STRING | BYTES | TRUE | FALSE | NULL

OR: "||"
AND: "&&"
LE: "<="
LT: "<"
GE: ">="
GT: ">"
EQ: "=="
NE: "!="
IN: "in"
PLUS: "+"
MINUS: "-"
STAR: "*"
SLASH: "/"
PERCENT: "%"
NOT: "!"
TRUE: "true"
FALSE: "false"
NULL: "null"
IDENT: /[_a-zA-Z][_a-zA-Z0-9]*/
DOUBLE.3: /[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+/
UINT.2: /(0[xX][0-9a-fA-F]+|[0-9]+)[uU]/
INT.1: /0[xX][0-9a-fA-F]+|[0-9]+/
STRING.2: /[rR]"{3}(?s:.*?)"{3}/ | /[rR]'{3}(?s:.*?)'{3}/
        | /"{3}(?s:\\.|[^\\])*?"{3}/ | /'{3}(?s:\\.|[^\\])*?'{3}/
        | /"(\\.|[^"\\\r\n])*"/ | /'(\\.|[^'\\\r\n])*'/
        | /[rR]"[^"\r\n]*"/ | /[rR]'[^'\r\n]*'/
BYTES.3: /[bB]"(\\.|[^"\\\r\n])*"/ | /[bB]'(\\.|[^'\\\r\n])*'/
WHITESPACE: /[ \t\r\n\f]+/
COMMENT: /\/\/[^\n]*/
%ignore WHITESPACE
%ignore COMMENT
"""


def parse(text: str) -> Node:
    """The tree of an expression. Raises SyntaxProblem."""
    try:
        tree = _PARSER.parse(text)
    except UnexpectedToken as error:
        if error.token.type == "$END":
            raise SyntaxProblem("the expression ends too early") from error
        raise SyntaxProblem(_unexpected(str(error.token), error)) from error
    except UnexpectedCharacters as error:
        raise SyntaxProblem(_unexpected(error.char, error)) from error
    assert isinstance(tree, Node)
    return tree


def _unexpected(what: str, error: UnexpectedToken | UnexpectedCharacters) -> str:
    return f"unexpected {what[:40]!r} at character {_after(error.pos_in_stream)}"


def _after(offset: int | None) -> int:
    return 1 if offset is None else offset + 1


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Builds nodes bottom-up while the parser runs; nothing here recurses."""

    def literal(self, token: Token) -> Node:
        kind = token.type.lower() if token.type in {"INT", "UINT", "DOUBLE", "STRING", "BYTES"} else "word"
        return Literal(_at(token), kind, str(token))

    def name(self, token: Token) -> Node:
        return Name(_at(token), _unreserved(token))

    def select(self, operand: Node, member: Token) -> Node:
        return Select(operand.position, operand, _member(member))

    def index(self, operand: Node, index: Node) -> Node:
        return Index(operand.position, operand, index)

    def call(self, token: Token, arguments: list[Node] | None = None) -> Node:
        name = _unreserved(token)
        if name != "has":
            return Call(_at(token), name, None, arguments or [])
        if arguments is None or len(arguments) != 1 or not isinstance(arguments[0], Select):
            raise SyntaxProblem(f"has() at character {_at(token)} takes one member, as in has(input.amount)")
        return Has(_at(token), arguments[0].operand, arguments[0].member)

    def method(self, target: Node, token: Token, arguments: list[Node] | None = None) -> Node:
        name = _member(token)
        if name not in MACROS:
            return Call(target.position, name, target, arguments or [])
        return _comprehension(target, token, arguments or [])

    def items(self, items: list[Node] | None = None) -> Node:
        return Items(items[0].position if items else 1, items or [])

    def mapping(self, entries: list[tuple[Node, Node]] | None = None) -> Node:
        return Entries(entries[0][0].position if entries else 1, entries or [])

    def entry(self, key: Node, value: Node) -> tuple[Node, Node]:
        return key, value

    def arguments(self, *parts: Node | list[Node]) -> list[Node]:
        return _appended(parts)

    def entries(self, *parts: tuple[Node, Node] | list[tuple[Node, Node]]) -> list[tuple[Node, Node]]:
        return _appended(parts)

    def unary(self, operator: Token, operand: Node) -> Node:
        return Unary(_at(operator), str(operator), operand)

    def conditional(self, condition: Node, then: Node, otherwise: Node) -> Node:
        return Conditional(condition.position, condition, then, otherwise)

    def disjunction(self, *parts: Node | Token) -> Node:
        return _chain("logic", parts)

    def conjunction(self, *parts: Node | Token) -> Node:
        return _chain("logic", parts)

    def relation(self, *parts: Node | Token) -> Node:
        return _chain("relation", parts)

    def addition(self, *parts: Node | Token) -> Node:
        return _chain("arithmetic", parts)

    def multiplication(self, *parts: Node | Token) -> Node:
        return _chain("arithmetic", parts)


def _appended(parts: tuple[T | list[T], ...]) -> list[T]:
    first, *rest = parts
    items = first if isinstance(first, list) else [first]
    items.extend(part for part in rest if not isinstance(part, list))
    return items


def _chain(level: str, parts: tuple[Node | Token, ...]) -> Node:
    operands = [part for part in parts if isinstance(part, Node)]
    operators = [str(part) for part in parts if isinstance(part, Token)]
    return Chain(operands[0].position, level, operators, operands)


def _comprehension(target: Node, macro: Token, arguments: list[Node]) -> Node:
    most = 3 if macro == "map" else 2
    if not 2 <= len(arguments) <= most or not isinstance(arguments[0], Name):
        raise SyntaxProblem(
            f"{macro}() at character {_at(macro)} takes a variable and an expression, as in {macro}(x, x)"
        )
    return Comprehension(target.position, str(macro), target, arguments[0].name, arguments[1:])


def _unreserved(token: Token) -> str:
    if token in RESERVED:
        raise SyntaxProblem(f"`{token}` at character {_at(token)} is a reserved word")
    return str(token)


def _member(token: Token) -> str:
    if token in KEYWORDS:
        raise SyntaxProblem(f'`{token}` at character {_at(token)} is a keyword; write ["{token}"]')
    return str(token)


def _at(token: Token) -> int:
    return _after(token.start_pos)


_PARSER = Lark(
    GRAMMAR, parser="lalr", lexer="contextual", start="expr", transformer=_Builder(), maybe_placeholders=False
)
