"""Server-Sent Events, parsed as the HTML standard says, from bytes as they come. Lines end at CR, LF or CRLF only: an
event's JSON may hold U+2028 and the like, which text decoders take for line ends too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event; `id` is the last one that was told, with this event or before it."""

    event: str
    data: str
    id: str


@dataclass(slots=True)
class Parser:
    """What one stream has told so far. `retry` are seconds, where the server said how long to wait before the next."""

    last_id: str = ""
    retry: float | None = None
    _rest: bytes = b""
    _data: list[str] = field(default_factory=list)
    _event: str = ""
    _id: str = ""

    def __post_init__(self) -> None:
        self._id = self.last_id

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """The events that `chunk` completes."""
        buffer = self._rest + chunk
        # A CR at the very end may be the first half of a CRLF.
        held = b"\r" if buffer.endswith(b"\r") else b""
        *lines, rest = buffer.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = rest + held
        for line in lines:
            yield from self._line(line.decode("utf-8", "replace"))

    def _line(self, line: str) -> Iterator[ServerSentEvent]:
        if not line:
            yield from self._dispatch()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isdecimal():
            self.retry = int(value) / 1000

    def _dispatch(self) -> Iterator[ServerSentEvent]:
        self.last_id = self._id
        if self._data:
            yield ServerSentEvent(self._event or "message", "\n".join(self._data), self._id)
        self._data, self._event = [], ""
