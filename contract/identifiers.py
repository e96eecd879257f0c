"""Identifiers: UUIDv7, and the names of runs and agents that spell the same 128 bits as a ULID."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import uuid_utils.compat
from ulid import ULID

RUN: Final = "maip-orch"
AGENT: Final = "maip-agent"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CHANCE_BITS = 62
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def new_id() -> UUID:
    """A UUIDv7: ids made later sort later, to the millisecond between machines and exactly within one process."""
    return uuid_utils.compat.uuid7()


def id_at(moment: datetime) -> UUID:
    """A UUIDv7 of this moment: ids of later moments sort later, to the microsecond, whoever makes them."""
    return UUID(int=first_id_at(moment).int | secrets.randbits(_CHANCE_BITS))


def first_id_at(moment: datetime) -> UUID:
    """The smallest id of this moment."""
    milliseconds, microseconds = divmod(max((moment - _EPOCH) // _MICROSECOND, 0), 1000)
    # The fraction of the millisecond stands in the twelve bits after the version, as RFC 9562 allows.
    fraction = microseconds * 4096 // 1000
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << _CHANCE_BITS)


def last_id_at(moment: datetime) -> UUID:
    """The largest id of this moment."""
    return UUID(int=first_id_at(moment).int | (1 << _CHANCE_BITS) - 1)


def run_name(run: UUID) -> str:
    """`maip-orch:<ULID>`, the spelling of a run's id on the wire."""
    return f"{RUN}:{ULID.from_uuid(run)}"


def agent_name(agent: UUID) -> str:
    """`maip-agent:<ULID>`, the spelling of a top-level agent id on the wire."""
    return f"{AGENT}:{ULID.from_uuid(agent)}"


def parse_id(text: str | UUID, kind: str | None = None) -> UUID | None:
    """The id that `text` spells as a UUID or, where `kind` is RUN or AGENT, as `<kind>:<ULID>`; None if it is no id."""
    if isinstance(text, UUID):
        return text
    if _UUID.fullmatch(text):
        return UUID(text)
    prefix, colon, ulid = text.partition(":")
    if not (kind and colon and prefix == kind):
        return None
    try:
        return UUID(bytes=ULID.from_str(ulid.upper()).bytes)
    except ValueError:
        return None
