"""The container of a bundle: a zip that follows from its contents alone, so that every byte of it can be checked.

Entries are sorted by name and stored as they are, every date is 1980-01-01, nothing else stands in any header.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from traceway.records.findings import Finding, Unreadable
from traceway.records.texts import first_difference

MAX_BYTES = 1 << 30
MAX_FILES = 200_000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)?", re.ASCII)
_MAX_NAME = 100
_LOCAL = struct.Struct("<4s5H3L2H")
_ENTRY = b"PK\x03\x04"
_DIRECTORY = b"PK\x01\x02"
_END = b"PK\x05\x06"
_END_SIZE = 22
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16
_UNIX = 3


class Damaged(Unreadable):
    """The container is not what its contents make; `finding` says where."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


@dataclass(slots=True)
class Unpacked:
    """The files of a container, and what is wrong with the container itself; broken ones have no files."""

    files: dict[str, bytes] = field(default_factory=dict)
    finding: Finding | None = None


def pack(files: Mapping[str, bytes]) -> bytes:
    """The one container of these files. Raises ValueError for a name that no entry may have, or too much of all."""
    buffer = io.BytesIO()
    pack_into(buffer, files)
    return buffer.getvalue()


def pack_into(stream: IO[bytes], files: Mapping[str, bytes]) -> None:
    """As pack, into a file that is empty and can be sought in: one content at a time is asked for and in memory."""
    if len(files) > MAX_FILES:
        raise ValueError(f"a bundle holds at most {MAX_FILES} files")
    size = 0
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            if not _is_name(name):
                raise ValueError(f"{name!r} is no name of an entry")
            content = files[name]
            size += len(content)
            if size > MAX_BYTES:
                raise ValueError(f"a bundle holds at most {MAX_BYTES} bytes")
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = _UNIX, _REGULAR_FILE
            archive.writestr(info, content)


def open_bundle(path: Path | str) -> dict[str, bytes]:
    """The files of a bundle. Raises Unreadable, and Damaged where the container is not what its contents make."""
    unpacked = unpack(load(path))
    if unpacked.finding is not None:
        raise Damaged(unpacked.finding)
    return unpacked.files


def load(path: Path | str) -> bytes:
    """The bytes of a file. Raises Unreadable where it cannot be read or is larger than any bundle."""
    try:
        if Path(path).stat().st_size > 2 * MAX_BYTES:
            raise Unreadable(f"the file is larger than {2 * MAX_BYTES} bytes")
        return Path(path).read_bytes()
    except OSError as error:
        raise Unreadable(f"the file cannot be read: {error.strerror or error}") from error


def is_container(data: bytes) -> bool:
    """Whether this is a zip, or was one before somebody touched a byte of it."""
    return data.startswith(_ENTRY) or data[-_END_SIZE:].startswith(_END)


def unpack(data: bytes) -> Unpacked:
    """The files of a container, and the first byte of it that is not as it must be. Raises Unreadable for no zip."""
    if not is_container(data):
        raise Unreadable("this is no bundle: it is not a zip")
    places: list[tuple[int, str]] = []
    try:
        files = _entries(data, places)
        made = pack(files)
    except (_Broken, ValueError) as broken:
        return Unpacked(finding=Finding("container", str(broken)))
    if made == data:
        return Unpacked(files)
    at = first_difference(made, data)
    message = f"it differs from what its contents make, at byte {at}, {_place(places, at)}"
    return Unpacked(files, Finding("container", message, _byte(made, at), _byte(data, at)))


class _Broken(Exception):
    """The container ends to make sense."""


def _entries(data: bytes, places: list[tuple[int, str]]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    at = 0
    while data[at : at + 4] != _DIRECTORY:
        if len(data) < at + _LOCAL.size or data[at : at + 4] != _ENTRY or len(files) >= MAX_FILES:
            after = f", behind {places[-1][1]}" if places else ""
            raise _Broken(f"it is broken at byte {at}{after}: the head of an entry is expected there")
        name, content, end = _entry(data, at)
        if name in files:
            raise _Broken(f"{name} is there twice, again at byte {at}")
        files[name] = content
        places.append((at, name))
        at = end
    places.append((at, ""))
    return files


def _entry(data: bytes, at: int) -> tuple[str, bytes, int]:
    *_, packed, size, name_size, extra = _LOCAL.unpack_from(data, at)
    begin = at + _LOCAL.size + name_size
    written = data[at + _LOCAL.size : begin]
    name = written.decode("latin-1")
    if name_size > _MAX_NAME or not _is_name(name):
        raise _Broken(f"the entry at byte {at} has no name that an entry may have: {written[:_MAX_NAME]!r}")
    if packed != size or extra or begin + size > len(data):
        raise _Broken(f"the head of {name}, at byte {at}, is broken: its sizes cannot be")
    return name, data[begin : begin + size], begin + size


def _is_name(name: str) -> bool:
    return len(name) <= _MAX_NAME and _NAME.fullmatch(name) is not None


def _place(places: list[tuple[int, str]], at: int) -> str:
    name = next((name for start, name in reversed(places) if start <= at), "")
    return f"at the entry {name}" if name else "in the directory at its end"


def _byte(data: bytes, at: int) -> str:
    return f"byte {data[at]:02x}" if at < len(data) else "the end"
