"""What the client's programs ask of the world. A program is a generator: it yields effects and is handed what came of
them, so that everything about the API is written once and carried out by a synchronous or an asynchronous driver.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `path` is absolute and escaped; `seconds` is how long the server may be silent."""

    method: str
    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; the names of `headers` are read in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Send:
    """Gives the Reply. Raises httpx.TransportError into the program where there is none."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """Gives the Reply; the body of a 200 stays open for Read, any other is in the reply. Raises as Send."""

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """Gives the next bytes of what was opened, b"" at its end. Raises as Send."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Gives None, after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Emit(Generic[T]):
    """Hands one item to whoever iterates."""

    item: T


Effect: TypeAlias = Send | Open | Read | Sleep
Program: TypeAlias = Generator[Effect, Any, T]
"""Comes to one result."""
Flow: TypeAlias = Generator[Effect | Emit[T], Any, None]
"""Gives items, one after the other."""
