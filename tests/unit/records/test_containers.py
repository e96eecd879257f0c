"""The container: what it is made of, that it follows from its contents, and that no file can do harm."""

from __future__ import annotations

import io
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.records.shelf import SHELF, plain
from tests.unit.records.writing import zipped
from traceway.records import Damaged, Unreadable, open_bundle, pack, unpack, verify_bytes

NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}(/[a-z0-9][a-z0-9._-]{0,20})?", fullmatch=True)


@given(st.dictionaries(NAMES, st.binary(max_size=100), min_size=1, max_size=8))
def test_what_is_packed_is_unpacked_and_packs_the_same_in_any_order(files: dict[str, bytes]) -> None:
    container = pack(files)
    assert container == pack(dict(reversed(files.items())))
    assert (unpack(container).files, unpack(container).finding) == (files, None)
    with zipfile.ZipFile(io.BytesIO(container)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(files)


@pytest.mark.parametrize("name", SHELF)
def test_a_bundle_written_by_hand_is_packed_alike(name: str) -> None:
    files = SHELF[name]().files()
    assert pack(files) == zipped(files)


def test_more_files_than_a_plain_zip_counts_are_packed_and_opened() -> None:
    files = {f"payloads/{number:064x}": b"" for number in range(65_600)}
    assert unpack(pack(files)).files == files


def test_every_entry_is_stored_plainly() -> None:
    with zipfile.ZipFile(io.BytesIO(pack({"b": b"2", "a": b"1"}))) as archive:
        facts = {
            (one.compress_type, one.date_time, one.create_system, one.external_attr >> 16, one.extra, one.flag_bits)
            for one in archive.infolist()
        }
    assert facts == {(0, (1980, 1, 1, 0, 0, 0), 3, 0o100644, b"", 0)}


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "a//b", "", "A", "a\\b", "a/b/c", "ü", "a\n", "x" * 101])
def test_a_name_that_leads_elsewhere_is_refused_both_ways(name: str) -> None:
    with pytest.raises(ValueError, match="no name of an entry"):
        pack({name: b""})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), b"")
    unpacked = unpack(buffer.getvalue())
    assert unpacked.finding is not None
    assert "no name" in unpacked.finding.message


def test_what_is_compressed_is_not_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50_000_000))
    verdict = verify_bytes(buffer.getvalue())
    assert [finding.where for finding in verdict.findings] == ["container"]
    assert len(zlib.compress(bytes(50_000_000))) < 100_000


def test_a_byte_that_was_changed_is_told_with_its_place() -> None:
    container = zipped(plain().files())
    place = container.index(b"events.jsonl{") - 20
    changed = container[:place] + b"\xff" + container[place + 1 :]
    finding = verify_bytes(changed).findings[0]
    assert finding.where == "container"
    assert f"at byte {place}, at the entry events.jsonl" in finding.message
    assert finding.found == "byte ff"


def test_a_changed_payload_is_told_by_its_name_before_its_container() -> None:
    container = zipped(plain().files())
    changed = container.replace(b'{"count":233}', b'{"count":234}')
    wheres = [finding.where for finding in verify_bytes(changed).findings]
    assert wheres[0].startswith("payloads/")
    assert wheres[-1] == "container"


def test_something_behind_the_end_is_told() -> None:
    container = zipped(plain().files())
    assert verify_bytes(container + b"\0").findings[-1].expected == "the end"


def test_opening_gives_files_or_says_why_not(tmp_path: Path) -> None:
    files, path = plain().files(), tmp_path / "bundle.zip"
    path.write_bytes(zipped(files))
    assert open_bundle(path) == files
    path.write_bytes(zipped(files)[:-1])
    with pytest.raises(Damaged, match="container: it differs from what its contents make"):
        open_bundle(path)
    path.write_bytes(b"no zip")
    with pytest.raises(Unreadable, match="not a zip"):
        open_bundle(path)
    with pytest.raises(Unreadable, match="cannot be read"):
        open_bundle(tmp_path / "absent.zip")


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_be_refused_or_named(data: bytes) -> None:
    assert not verify_bytes(b"PK\x03\x04" + data).intact
    with suppress(Unreadable):
        assert not verify_bytes(data).intact
