"""`traceway verify`, `receipt`, `bundle` and `provenance`: what they print and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.client.answers import ID, wrapped
from tests.unit.client.test_command_line import traceway
from tests.unit.client.wire import Asked, Say, wired
from tests.unit.records.shelf import plain
from tests.unit.records.writing import SIGNER, Signer, indexed, jwks, text_of, zipped

INTACT = """\
✓ intact  01a20372-3745-7658-b339-5d7139acb6ec
  checked: 8 events, 2 steps, 2 attempts, 10 payloads, 1 receipt, 6 values followed to their sources
  signed by first"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle that is intact, one whose record was changed, and keys."""
    files = plain().files()
    record = json.loads(files["record.json"])
    record["attempts"][1]["status"] = "failed"
    record["execution"]["status"] = "\x1b[31mworkflow_failed"
    (tmp_path / "intact.zip").write_bytes(zipped(files))
    (tmp_path / "changed.zip").write_bytes(zipped(indexed({**files, "record.json": text_of(record)})))
    (tmp_path / "jwks.json").write_bytes(text_of(jwks(SIGNER, Signer("next"))))
    (tmp_path / "other.json").write_bytes(text_of(jwks(Signer("other"))))
    (tmp_path / "receipt.jws").write_text(plain().receipts[0]["jws"])
    (tmp_path / "nothing.txt").write_text("nothing of the kind")
    return tmp_path


def test_what_is_intact_is_told_with_what_was_looked_at(folder: Path) -> None:
    said = traceway("verify", str(folder / "intact.zip"), "--keys", str(folder / "jwks.json"))
    assert (said.returncode, said.stdout, said.stderr) == (0, INTACT + "\n", "")
    untrusted = traceway("verify", str(folder / "intact.zip"))
    assert "the key came with the file" in untrusted.stdout


def test_the_first_thing_that_does_not_match_stands_first_and_steers_no_terminal(folder: Path) -> None:
    said = traceway("verify", str(folder / "changed.zip"))
    assert said.returncode == 1
    assert said.stdout.splitlines()[:6] == [
        "✗ execution status: is not what the events say",
        "    expected  workflow_succeeded",
        "    found     \\u001b[31mworkflow_failed",
        "  and 1 more, in the order of the checks:",
        "  - steps/count attempt 1 status: is not what the events say",
        "      expected  succeeded",
    ]


def test_a_verdict_as_json_holds_every_finding(folder: Path) -> None:
    said = traceway("verify", str(folder / "changed.zip"), "--json")
    told = json.loads(said.stdout)
    assert (said.returncode, told["intact"], told["trusted"], told["signedBy"]) == (1, False, False, ["first"])
    assert [finding["where"] for finding in told["findings"]] == ["execution status", "steps/count attempt 1 status"]
    assert told["checked"]["events"] == 8


def test_keys_that_did_not_sign_are_a_finding(folder: Path) -> None:
    said = traceway("verify", str(folder / "intact.zip"), "--keys", str(folder / "other.json"))
    assert said.returncode == 1
    assert said.stdout.startswith(
        "✗ receipt 1 key: is not one of the trusted ones\n    expected  other\n    found     first"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nothing.txt",), "neither a bundle nor a receipt"),
        (("absent.zip",), "does not exist"),
        (("receipt.jws",), "no key is at hand"),
        (("intact.zip", "--keys", "nothing.txt"), "the keys are no JSON"),
        (("intact.zip", "--keys", "absent.json"), "No such file"),
    ],
)
def test_what_cannot_be_read_ends_with_status_2(folder: Path, arguments: tuple[str, ...], told: str) -> None:
    given = [one if one.startswith("-") else str(folder / one) for one in arguments]
    said = traceway("verify", *given)
    assert (said.returncode, said.stdout) == (2, "")
    assert told in said.stderr


def test_keys_are_fetched_from_an_address(folder: Path) -> None:
    with wired(lambda *_: Say(200, jwks(SIGNER))) as wire:
        said = traceway("verify", str(folder / "receipt.jws"), "--keys", f"{wire.url}/.well-known/jwks.json")
    assert (said.returncode, wire.paths()) == (0, ["GET /.well-known/jwks.json"])
    with wired(lambda *_: Say(404, {})) as wire:
        said = traceway("verify", str(folder / "receipt.jws"), "--keys", f"{wire.url}/.well-known/jwks.json")
    assert said.returncode == 6


def test_a_receipt_that_was_fetched_verifies(tmp_path: Path) -> None:
    receipt = {"id": "receipt-1", "jws": plain().receipts[0]["jws"], "keys": jwks(SIGNER)["keys"]}
    with wired(lambda *_: Say(200, wrapped(receipt))) as wire:
        printed = traceway("receipt", ID, TRACEWAY_URL=wire.url, TRACEWAY_API_KEY="k")
        target = str(tmp_path / "receipt.json")
        written = traceway("receipt", ID, "-o", target, TRACEWAY_URL=wire.url, TRACEWAY_API_KEY="k")
    assert json.loads(printed.stdout) == receipt
    assert (written.returncode, written.stdout, wire.paths()[0]) == (
        0,
        f"{target}\n",
        f"GET /v1/executions/{ID}/receipt",
    )
    assert traceway("verify", target).returncode == 0


def test_a_bundle_arrives_byte_for_byte(tmp_path: Path) -> None:
    container, target = zipped(plain().files()), tmp_path / "there.zip"
    answer = Say(200, headers={"Content-Type": "application/zip"}, chunks=[container])
    with wired(lambda *_: answer) as wire:
        said = traceway("bundle", ID, "-o", str(target), TRACEWAY_URL=wire.url, TRACEWAY_API_KEY="k")
    assert (said.returncode, wire.paths()) == (0, [f"GET /v1/executions/{ID}/bundle"])
    assert target.read_bytes() == container


def test_provenance_is_asked_for_by_pointer() -> None:
    def answer(asked: Asked, _: int) -> Say:
        return Say(200, wrapped({"asked": asked.path}))

    with wired(answer) as wire:
        said = traceway("provenance", ID, "/steps/a/input/b", TRACEWAY_URL=wire.url, TRACEWAY_API_KEY="k")
    assert json.loads(said.stdout) == {"asked": f"/v1/executions/{ID}/provenance?path=%2Fsteps%2Fa%2Finput%2Fb"}
