"""The OpenAPI document as tests look at it: operations by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from config.openapi.document import document


def operations() -> Iterator[tuple[str, str, Any]]:
    """(path, method, operation object) of every operation of the document."""
    for path, item in document()["paths"].items():
        yield from ((path, method, operation) for method, operation in item.items())


def operation(name: str) -> Any:
    """The operation with this operationId."""
    return next(found for _, _, found in operations() if found["operationId"] == name)


def place_of(name: str) -> tuple[str, str]:
    """The method and the path of the operation with this operationId."""
    return next((method.upper(), path) for path, method, found in operations() if found["operationId"] == name)
