"""An answer's body: read within its bounds, then understood. What its status means is http.py's to judge."""

from __future__ import annotations

import codecs
import time
import zlib

import httpx

from contract import json_values
from contract.json_values import JSON, InvalidJson
from orchestrator.actions.action import ActionFailed, Attempted

_GZIP_OR_ZLIB = 47
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


def read(response: httpx.Response, attempted: Attempted, until: float) -> bytes:
    """The body, unpacked. Never more than the bound is held, however much the bytes on the wire would unpack to.

    Raises ActionFailed: output_too_large, invalid_output (packed in a way that cannot be read), timeout when it is
    not complete at `until` (monotonic seconds), and httpx's errors.
    """
    packed = _packing(response, attempted)
    body = bytearray()
    for part in response.iter_raw():
        body += part if packed is None else _unpacked(packed, part, attempted, len(body))
        if len(body) > attempted.output_bytes:
            raise ActionFailed(
                "output_too_large", f"the answer has more than {attempted.output_bytes:,} bytes", retryable=False
            )
        if time.monotonic() > until:
            message = "the answer was not complete in time"
            raise ActionFailed("timeout", message, retryable=attempted.repeatable, ambiguous=True)
    if packed is not None and response.num_bytes_downloaded and not packed.eof:
        raise _unreadable("is cut off", attempted)
    return bytes(body)


def value(response: httpx.Response, body: bytes, attempted: Attempted) -> JSON:
    """JSON where the answer says that it is, else text; None for an empty body. Raises ActionFailed(invalid_output)."""
    if not body:
        return None
    kind = response.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return text(body, response.charset_encoding)
    try:
        return json_values.parse(body.removeprefix(codecs.BOM_UTF8))
    except InvalidJson as error:
        raise _unreadable(f"calls itself JSON but is not: {error}", attempted) from error


def text(body: bytes, charset: str | None = None) -> str:
    """`body` as text that can be stored; what is none becomes U+FFFD, NUL too."""
    try:
        decoded = body.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        decoded = body.decode("utf-8", "replace")
    return decoded.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def _packing(response: httpx.Response, attempted: Attempted) -> zlib._Decompress | None:
    name = response.headers.get("Content-Encoding", "").strip().lower()
    if name in {"", "identity"}:
        return None
    if name not in _PACKED:
        raise _unreadable(f"is packed as {name[:100]}, which was not asked for", attempted)
    return zlib.decompressobj(_GZIP_OR_ZLIB)


def _unpacked(packed: zlib._Decompress, part: bytes, attempted: Attempted, held: int) -> bytes:
    try:
        return packed.decompress(part, attempted.output_bytes + 1 - held)
    except zlib.error as error:
        raise _unreadable("is not packed as it says", attempted) from error


def _unreadable(how: str, attempted: Attempted) -> ActionFailed:
    return ActionFailed("invalid_output", f"the answer {how}", retryable=attempted.repeatable)
