"""Every documented route of the resolver, with what its action declares. The admin and pages for people are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.functional import cached_property

from contract.dialects import Dialect
from tenants.door import Rules

_CONVERTER = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
_VERSION = re.compile(r"v\d+|api")
_NAMES = {"index": "list", "show": "get", "replace": "put", "remove": "delete", "destroy": "delete"}
_SAFE = frozenset({"get", "head"})


@dataclass(frozen=True)
class Route:
    """One method of one path, templated as in OpenAPI. `about` says what the door is for; `is_plain`: it has none."""

    path: str
    method: str
    action: str
    rules: Rules
    summary: str
    about: str
    is_public: bool
    is_plain: bool

    @property
    def dialect(self) -> Dialect:
        return Dialect.of(self.path)

    @property
    def is_mutation(self) -> bool:
        return self.method not in _SAFE

    @property
    def takes_key(self) -> bool:
        """Whether it takes an idempotency key."""
        return self.is_mutation and not self.rules.keyless

    @property
    def path_names(self) -> list[str]:
        """The names of what stands in the path, in their order."""
        return re.findall(r"\{([a-z_]+)\}", self.path)

    @cached_property
    def words(self) -> list[str]:
        """The fixed segments of the path, without the version."""
        segments = [segment for segment in self.path.split("/") if segment and not segment.startswith("{")]
        return [segment for segment in segments if not _VERSION.fullmatch(segment)]

    @property
    def tag(self) -> str:
        return "service" if self.is_plain else self.words[0]

    @property
    def operation_id(self) -> str:
        """Such as executions.steps.approve."""
        name = _NAMES.get(self.action, self.action)
        words = [word.replace("-", "_").partition(".")[0] for word in self.words]
        return ".".join(words if words[-1] == name and self.action not in _NAMES else [*words, name])


def routes() -> Iterator[Route]:
    """All of them, in the resolver's order."""
    for path, callback in _callbacks(get_resolver().url_patterns, "/"):
        declared = getattr(callback, "actions", None) or {}
        for method, action in declared.items():
            if method != "head":
                yield _route(path, method, action, callback)


def templated(path: str) -> str:
    """A path of Django's as OpenAPI writes it."""
    return _CONVERTER.sub(r"{\1}", path)


def _callbacks(patterns: Iterable[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _callbacks(pattern.url_patterns, path)
        else:
            yield templated(path), pattern.callback


def _route(path: str, method: str, action: str, callback: Any) -> Route:
    door = getattr(callback, "cls", None)
    function = callback if door is None else getattr(door, action)
    return Route(
        path,
        method,
        action,
        function.rules,
        _first_line(function.__doc__).removesuffix("."),
        "" if door is None else _first_line(door.__doc__),
        is_public=door is None or not door.authentication_classes,
        is_plain=door is None,
    )


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
