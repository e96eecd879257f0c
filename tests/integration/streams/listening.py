"""A client of a stream, as plain as can be: what stands in the specification of Server-Sent Events, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Block:
    """What came up to an empty line: an event with its fields, or comments."""

    fields: dict[str, str] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.fields["id"]

    @property
    def data(self) -> Any:
        return json.loads(self.fields["data"])


@dataclass
class Listening:
    """One open connection to a stream."""

    response: httpx.Response

    def blocks(self) -> Iterator[Block]:
        """Everything that comes, until the server ends it."""
        block = Block()
        for line in self.response.iter_lines():
            name, _, value = line.partition(": ")
            if not line:
                yield block
                block = Block()
            elif line.startswith(":"):
                block.comments.append(line.removeprefix(":").strip())
            else:
                block.fields[name] = value

    def events(self) -> Iterator[Block]:
        """The events alone."""
        return (block for block in self.blocks() if block.fields)


@contextmanager
def listening(address: str, path: str, key: str | None, last: str | None = None, **query: Any) -> Iterator[Listening]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    headers |= {"Last-Event-ID": last} if last is not None else {}
    with (
        httpx.Client(base_url=address, timeout=20) as client,
        client.stream("GET", path, headers=headers, params=query) as response,
    ):
        if response.status_code != 200:
            response.read()
        yield Listening(response)


def heard(address: str, path: str, key: str | None, last: str | None = None, **query: Any) -> list[Block]:
    """Every event up to the end of the stream."""
    with listening(address, path, key, last, **query) as stream:
        assert stream.response.status_code == 200, stream.response.text
        return list(stream.events())
