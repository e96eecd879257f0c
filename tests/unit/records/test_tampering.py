"""Whatever is changed in a bundle, verification names it: bits anywhere, values hidden well, chains made anew."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import flips
from tests.unit.records.shelf import SHELF, paid, plain, retried
from tests.unit.records.writing import SIGNER, Files, Json, Signer, indexed, jwks, sha, text_of, zipped
from traceway.records import Verdict, verify, verify_bytes

TRUSTED = jwks(SIGNER)
names = pytest.mark.parametrize("name", SHELF)


@cache
def files_of(name: str) -> Files:
    return SHELF[name]().files()


@cache
def container_of(name: str) -> bytes:
    return zipped(files_of(name))


def wheres(verdict: Verdict) -> list[str]:
    return [finding.where for finding in verdict.findings]


def edited_record(files: Files, change: Callable[[Json], Any]) -> Files:
    record = json.loads(files["record.json"])
    change(record)
    return indexed({**files, "record.json": text_of(record)})


@names
@given(st.data())
@settings(max_examples=60)
def test_a_bit_flipped_anywhere_is_named(name: str, data: st.DataObject) -> None:
    at, changed = data.draw(flips.flipped(container_of(name)))
    verdict = verify_bytes(changed)
    assert not verdict.intact, f"byte {at}"
    assert all(finding.where and finding.message for finding in verdict.findings)


def test_every_bit_of_one_bundle_flipped_is_named() -> None:
    container = container_of("running")
    unnamed = [
        at
        for at in range(0, len(container), 3)
        if verify_bytes(container[:at] + bytes([container[at] ^ (1 << at % 8)]) + container[at + 1 :]).intact
    ]
    assert unnamed == []


@names
@given(st.data())
@settings(max_examples=30)
def test_a_bundle_cut_off_anywhere_is_named(name: str, data: st.DataObject) -> None:
    container = container_of(name)
    rest = container[: data.draw(st.integers(4, len(container) - 1))]
    assert not verify_bytes(rest).intact
    assert not verify_bytes(container + rest).intact


def covered(name: str) -> Callable[[str, flips.Path], bool]:
    signed = bool(json.loads(files_of(name)["receipts.json"]))

    def check(file: str, path: flips.Path) -> bool:
        if file == "keys.json":
            return path[-1] in {"kid", "x", "crv", "kty"}
        if file == "lineage.json":
            return signed or path[-1] in {"step", "number", "field", "value", "digest", "kind"}
        if file == "record.json" and (path == ("payment", "created_at") or (path[-1] == "bytes" and name == "dropped")):
            return False
        if file == "record.json" and not signed:
            return path[1:] != ("status_reason",)
        return True

    return check


@names
@given(st.data())
@settings(max_examples=150)
def test_a_value_changed_with_its_digests_made_anew_is_named(name: str, data: st.DataObject) -> None:
    edit = data.draw(flips.edited(files_of(name), covered(name)))
    assert not verify(edit.files).intact


SIGNED = pytest.mark.parametrize("name", [name for name in SHELF if name not in {"running", "dropped", "paid"}])


@SIGNED
@given(st.data())
@settings(max_examples=60)
def test_an_event_changed_with_the_whole_chain_made_anew_is_named_by_the_receipt(
    name: str, data: st.DataObject
) -> None:
    bodies = st.sampled_from([place for place in flips.places(files_of(name)) if place[1][1:2] == ("body",)])
    file, path = data.draw(
        bodies.filter(lambda place: len(place[1]) > 2 and place[1][2] not in {"previous", "sequence"})
    )
    edit = flips.replaced(files_of(name), file, path, data.draw(st.sampled_from(flips.TEXTS)))
    changed = flips.rechained(edit.files)
    if changed != files_of(name):
        assert any(where.startswith(("receipt", "event ")) for where in wheres(verify(changed, TRUSTED)))


def test_a_rewritten_history_that_agrees_with_itself_is_named_by_the_receipt_alone() -> None:
    files = retried().files()
    record, rows = json.loads(files["record.json"]), flips.rows_of(files)
    record["execution"]["created_at"] = "2026-11-22T14:00:00.000000Z"
    record["execution"]["queued_at"] = "2026-11-22T14:00:00.000000Z"
    for row in rows[:2]:
        row["body"] = text_of(json.loads(row["body"]) | {"at": "2026-11-22T14:00:00.000000Z"}).decode()
    forged = flips.rechained({**flips.with_rows(files, rows), "record.json": text_of(record)})
    assert wheres(verify(forged)) == ["receipt 1 events", "receipt 1 created_at"]


def test_without_its_receipts_a_forged_history_passes_only_where_nobody_asks_for_a_signature() -> None:
    files = retried().files()
    bare = indexed({**files, "receipts.json": b"[]", "keys.json": text_of(jwks())})
    alone = verify(bare)
    assert alone.intact
    assert [note.where for note in alone.notes] == ["receipt of run maip-orch:01M8G3EDT5ES5B6ESXE4WTSDQC"]
    assert wheres(verify(bare, TRUSTED)) == ["receipt of run maip-orch:01M8G3EDT5ES5B6ESXE4WTSDQC"]


@pytest.mark.parametrize("kid", ["second", "first"])
def test_what_is_signed_with_another_key_is_named_by_the_trusted_ones(kid: str) -> None:
    book = plain()
    forger = Signer(kid)
    payload = json.loads(base64.urlsafe_b64decode(book.receipts[0]["jws"].split(".")[1] + "=="))
    if kid == "first":
        object.__setattr__(forger, "kid", "other")
        jws, key = forger.sign(payload), forger.jwk | {"kid": "first"}
        header = base64.urlsafe_b64encode(text_of({"alg": "EdDSA", "kid": "first", "typ": "traceway-receipt+jwt"}))
        signed = f"{header.rstrip(b'=').decode()}.{jws.split('.')[1]}"
        mark = base64.urlsafe_b64encode(forger.private.sign(signed.encode())).rstrip(b"=").decode()
        jws = f"{signed}.{mark}"
    else:
        jws, key = forger.sign(payload), forger.jwk
    book.receipts[0]["jws"] = jws
    files = indexed({**book.files(), "keys.json": text_of({"keys": [key]})})
    alone, held = verify(files), verify(files, TRUSTED)
    assert alone.intact
    assert not alone.trusted
    assert alone.signed_by == (kid,)
    assert not held.intact
    assert held.signed_by == ()
    where = {"second": ["receipt 1 key"], "first": ["keys.json", "receipt 1 signature"]}
    assert wheres(held) == where[kid]


@pytest.mark.parametrize("name", [name for name in SHELF if name != "dropped"])
def test_events_cut_off_at_the_end_are_named_though_the_head_fits(name: str) -> None:
    files = files_of(name)
    for left in range(1, len(flips.rows_of(files))):
        cut = flips.rechained(flips.with_rows(files, flips.rows_of(files)[:left]))
        assert not verify(cut).intact, left


@names
def test_two_events_in_another_order_are_named(name: str) -> None:
    rows = flips.rows_of(files_of(name))
    for at in range(len(rows) - 1):
        turned = [*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]]
        first = verify(indexed(flips.with_rows(files_of(name), turned))).findings[0]
        assert (first.where, first.expected, first.found) == (f"event {at + 1} sequence", str(at + 1), str(at + 2))


@names
def test_an_event_taken_out_is_named_where_it_stood(name: str) -> None:
    rows = flips.rows_of(files_of(name))
    for at in range(len(rows) - 1):
        first = verify(indexed(flips.with_rows(files_of(name), [*rows[:at], *rows[at + 1 :]]))).findings[0]
        assert first.where == f"event {at + 1} sequence"


@names
def test_a_step_or_an_attempt_taken_out_is_named(name: str) -> None:
    record = json.loads(files_of(name)["record.json"])
    for kind in ("steps", "attempts"):
        for at in range(len(record[kind])):
            rest = {**record, kind: record[kind][:at] + record[kind][at + 1 :]}
            taken = indexed({**files_of(name), "record.json": text_of(rest)})
            row = record[kind][at]
            if kind == "attempts":
                assert f"steps/{row['step']} attempt {row['number']}" in wheres(verify(taken))
            elif row["item"] is None or row["attempts"]:
                assert f"steps/{row['name']}" in wheres(verify(taken))
            else:
                assert not verify(taken).intact


def test_an_attempt_or_a_step_that_never_was_is_named() -> None:
    more = dict(json.loads(files_of("plain")["record.json"])["attempts"][0], number=2)
    assert wheres(verify(edited_record(files_of("plain"), lambda record: record["attempts"].append(more)))) == [
        "steps/greet attempt 2"
    ]
    step = {"attempts": 0, "index": 2, "item": None, "name": "more", "status": "pending"}
    assert "steps/more index" in wheres(
        verify(edited_record(files_of("plain"), lambda record: record["steps"].append(step)))
    )


@names
def test_payloads_that_change_places_are_named(name: str) -> None:
    files = files_of(name)
    payloads = sorted(path for path in files if path.startswith("payloads/"))
    one, other = payloads[0], payloads[-1]
    swapped = indexed({**files, one: files[other], other: files[one]})
    assert {one, other} <= set(wheres(verify(swapped)))


@names
def test_a_payload_that_is_taken_out_is_named_where_it_is_used(name: str) -> None:
    for path in (path for path in files_of(name) if path.startswith("payloads/")):
        rest = indexed({other: content for other, content in files_of(name).items() if other != path})
        found = verify(rest).findings
        assert {finding.expected for finding in found} == {path.removeprefix("payloads/")}
        assert all(finding.message == "its payload is missing" for finding in found)


def test_a_payload_that_was_changed_in_all_places_but_the_chain_is_named() -> None:
    files = plain().files()
    old = sha(files["payloads/" + json.loads(files["record.json"])["attempts"][1]["output"]["sha256"]])
    new = b'{"count":234}'
    rest = {name: content.replace(old.encode(), sha(new).encode()) for name, content in files.items()}
    del rest[f"payloads/{old}"]
    del rest["events.jsonl"]
    forged = indexed({**rest, f"payloads/{sha(new)}": new, "events.jsonl": files["events.jsonl"]})
    first = verify(forged).findings[0]
    assert (first.where, first.expected, first.found) == ("steps/count attempt 1 output", old, sha(new))


def test_what_is_said_to_be_dropped_without_an_event_is_named() -> None:
    files = plain().files()

    def drop(record: Json) -> None:
        record["attempts"][0]["output"]["dropped"] = True

    assert "steps/greet attempt 1 output" in wheres(verify(edited_record(files, drop)))


def test_a_file_that_no_bundle_holds_is_named() -> None:
    files = indexed({**plain().files(), "more.json": b"{}", f"payloads/{sha(b'1')}": b"1"})
    assert wheres(verify(files)) == ["more.json", f"payloads/{sha(b'1')}"]
    missing = {name: content for name, content in plain().files().items() if name != "lineage.json"}
    assert wheres(verify(missing)) == ["lineage.json", "lineage.json"]


@names
@pytest.mark.parametrize("file", ["bundle.json", "record.json", "events.jsonl", "receipts.json", "lineage.json"])
@given(
    content=st.binary(max_size=40) | st.sampled_from([b"null", b"[]", b"{}", b"[" * 100_000, b"9" * 5000, b'"\\ud800"'])
)
@settings(max_examples=10)
def test_anything_in_place_of_a_file_is_named_and_raises_nothing(name: str, file: str, content: bytes) -> None:
    if content != files_of(name)[file]:
        assert not verify({**files_of(name), file: content}).intact


def test_money_that_was_changed_is_named() -> None:
    files = paid().files()

    def change(record: Json) -> None:
        record["payment"] |= {"amount": 1, "status": "refunded"}

    assert wheres(verify(edited_record(files, change))) == ["payment amount", "payment status"]


@pytest.mark.parametrize("member", ["value", "digest"])
def test_a_value_that_came_from_elsewhere_than_its_lineage_says_is_named(member: str) -> None:
    lineage = json.loads(files_of("running")["lineage.json"])
    lineage[0][member] = sha(b"1")
    found = wheres(verify(indexed({**files_of("running"), "lineage.json": text_of(lineage)})))
    assert found == [f"lineage of steps/count attempt 1 /of {member}"]
