"""Ways to tamper with a bundle, as Hypothesis strategies: of use for bundles written by hand and for exported ones.

`flipped` touches one bit of the container; `edited` changes one value of one file and then hides it as well as somebody
can who holds no key: bundle.json is made anew, and with `rechained` every hash of the chain as well.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Files = dict[str, bytes]
Path = tuple[str | int, ...]
TEXTS = ("", "x", "0" * 64, "workflow_failed", "2026-01-01T00:00:00.000000Z")


@dataclass(frozen=True)
class Edit:
    """One value of one file that was changed: `path` leads to it, `told` is what the change was."""

    file: str
    path: Path
    told: str
    files: Files

    def __repr__(self) -> str:
        return f"{self.file} {'/'.join(map(str, self.path))}: {self.told}"


def text_of(value: Any) -> bytes:
    """Canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@st.composite
def flipped(draw: st.DrawFn, data: bytes) -> tuple[int, bytes]:
    """One bit of one byte, any of them: its place, and the bytes that come of it."""
    at, bit = draw(st.integers(0, len(data) - 1)), draw(st.integers(0, 7))
    return at, data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def indexed(files: Mapping[str, bytes]) -> Files:
    """The files with the digests and sizes in bundle.json made anew."""
    index = json.loads(files["bundle.json"])
    rest = {name: content for name, content in files.items() if name != "bundle.json"}
    index["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in rest.items()
    }
    return {**rest, "bundle.json": text_of(index)}


def rechained(files: Mapping[str, bytes]) -> Files:
    """The chain made anew over the bodies as they are: hashes, rows, the head in record.json, bundle.json."""
    previous, rows = "0" * 64, []
    for number, row in enumerate(rows_of(files), start=1):
        body = json.loads(row["body"]) | {"previous": previous, "sequence": number}
        text = text_of(body)
        previous = hashlib.sha256(text).hexdigest()
        named = {name: body[name] for name in ("sequence", "type", "step")}
        rows.append({**named, "created_at": body["at"], "body": text.decode(), "hash": previous})
    record = json.loads(files["record.json"])
    record["execution"] |= {"chain_head": previous, "event_sequence": len(rows)}
    return indexed(with_rows(files, rows) | {"record.json": text_of(record)})


def rows_of(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The rows of events.jsonl."""
    return [json.loads(line) for line in files["events.jsonl"].splitlines()]


def with_rows(files: Mapping[str, bytes], rows: list[dict[str, Any]]) -> Files:
    """The files with these rows as events.jsonl."""
    return {**files, "events.jsonl": b"".join(text_of(row) + b"\n" for row in rows)}


def places(files: Mapping[str, bytes]) -> list[tuple[str, Path]]:
    """Every scalar of every JSON file but bundle.json: of events.jsonl those of the rows, of the bodies, and of JWSs
    nothing inside."""
    names = ("record.json", "receipts.json", "keys.json", "lineage.json")
    found = [(name, path) for name in names for path in _paths(json.loads(files[name]))]
    for number, row in enumerate(rows_of(files)):
        found += [("events.jsonl", (number, *path)) for path in _paths(row)]
        found += [("events.jsonl", (number, "body", *path)) for path in _paths(json.loads(row["body"]))]
    return found


def edited(
    files: Mapping[str, bytes], covered: Callable[[str, Path], bool] = lambda *_: True
) -> st.SearchStrategy[Edit]:
    """One covered value replaced by another one of any kind, bundle.json made anew."""
    here = [place for place in places(files) if covered(*place)]
    values = st.one_of(
        st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(TEXTS), st.just([]), st.integers(-9, 10**12)
    )
    drawn = st.tuples(st.sampled_from(here), values).map(lambda drawn: replaced(files, *drawn[0], drawn[1]))
    return drawn.filter(lambda edit: edit.files != dict(files))


def replaced(files: Mapping[str, bytes], name: str, path: Path, value: Any) -> Edit:
    """The edit that puts `value` there."""
    if name == "events.jsonl":
        rows: Any = rows_of(files)
        if path[1] == "body" and len(path) > 2:
            body = json.loads(rows[path[0]]["body"])
            told = _put(body, path[2:], value)
            rows[path[0]]["body"] = text_of(body).decode()
        else:
            told = _put(rows, path, value)
        return Edit(name, path, told, indexed(with_rows(files, rows)))
    content = json.loads(files[name])
    told = _put(content, path, value)
    return Edit(name, path, told, indexed({**files, name: text_of(content)}))


def _put(within: Any, path: Path, value: Any) -> str:
    for token in path[:-1]:
        within = within[token]
    before, within[path[-1]] = copy.copy(within[path[-1]]), value
    return f"{before!r} became {value!r}"


def _paths(value: Any, at: Path = ()) -> Iterator[Path]:
    inner: list[tuple[str | int, Any]]
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    if not isinstance(value, dict | list):
        yield at
    for name, one in inner:
        yield from _paths(one, (*at, name))
