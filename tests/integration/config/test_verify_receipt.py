"""`manage.py verify_receipt`, in a process of its own that reaches no database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.stack.data_dir import CHECKOUT
from tests.unit.records.shelf import plain
from tests.unit.records.writing import SIGNER, Signer, jwks, text_of, zipped

NOWHERE = {"DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/nothing", "REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    container, jws = zipped(plain().files()), plain().receipts[0]["jws"]
    (tmp_path / "bundle.zip").write_bytes(container)
    (tmp_path / "changed.zip").write_bytes(container.replace(b"api_key:laptop", b"api_key:laptap"))
    (tmp_path / "receipt.json").write_text(json.dumps({"data": {"jws": jws, "keys": jwks(SIGNER)}}))
    (tmp_path / "receipt.jws").write_text(jws)
    (tmp_path / "jwks.json").write_bytes(text_of(jwks(SIGNER)))
    (tmp_path / "other.json").write_bytes(text_of(jwks(Signer("other"))))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "keys", "status", "first"),
    [
        ("bundle.zip", None, 0, "✓ intact  "),
        ("bundle.zip", "jwks.json", 0, "✓ intact  "),
        ("bundle.zip", "other.json", 1, "✗ receipt 1 key: "),
        ("changed.zip", None, 1, "✗ event 1 hash: is not the hash of its body"),
        ("receipt.json", None, 0, "✓ intact  "),
        ("receipt.jws", "jwks.json", 0, "✓ intact  "),
        ("receipt.jws", None, 2, ""),
        ("jwks.json", None, 2, ""),
        ("absent.zip", None, 2, ""),
    ],
)
def test_a_file_is_verified_offline(folder: Path, file: str, keys: str | None, status: int, first: str) -> None:
    arguments = ["verify_receipt", str(folder / file), *(["--keys", str(folder / keys)] if keys else [])]
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **NOWHERE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.startswith(first)) == (status, True), done.stderr
    assert bool(done.stderr) == (status == 2)
    assert "Traceback" not in done.stderr


def test_the_verdict_is_told_as_json(folder: Path) -> None:
    arguments = ["verify_receipt", str(folder / "changed.zip"), "--json"]
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, json.loads(done.stdout)["findings"][0]["where"]) == (1, "event 1 hash")
