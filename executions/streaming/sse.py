"""Server-Sent Events as bytes. Pure."""

from __future__ import annotations

OPENING = b": open\n\n"
"""Sent at once, so that a client, and every proxy in between, has the headers before the first event."""
HEARTBEAT = b": heartbeat\n\n"


def frame(cursor: str, event: str, data: str) -> bytes:
    """One event. All three are of one line."""
    return f"id: {cursor}\nevent: {event}\ndata: {data}\n\n".encode()
