"""Bundles of other installations: verified first, kept once, shown to the last byte that can be shown."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from executions.models import Execution, ImportedBundle, SigningKey
from executions.provenance.imports import Altered, files_of_import, import_bundle
from executions.receipts.sealing import seal
from tenants.models import Tenant
from tests.flips import indexed
from tests.integration.bundles.gallery import redriven
from tests.integration.bundles.test_exporting import exported
from tests.integration.engine.world import World
from traceway.records import Unreadable, pack, unpack

UPLOAD = "admin:executions_importedbundle_take_in"


@pytest.fixture
def operator(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.fixture
def bundle(alice: Tenant, world: World) -> bytes:
    execution = redriven(alice, world)
    seal([execution.id])
    return exported(execution)


def altered(bundle: bytes) -> bytes:
    """One output is another one, and bundle.json says so."""
    files = unpack(bundle).files
    return pack(
        indexed(
            {**files, "record.json": files["record.json"].replace(b'"status":"succeeded"', b'"status":"failed"', 1)}
        )
    )


def page(row: ImportedBundle) -> str:
    return reverse("admin:executions_importedbundle_change", args=[row.pk])


def test_a_bundle_is_kept_once_and_never_mixed_with_executions(alice: Tenant, bundle: bytes) -> None:
    before = Execution.objects.count()
    row, new = import_bundle(alice, bundle, "operator:ada")
    again, newer = import_bundle(alice, bundle, "operator:bob")
    assert (new, newer, again) == (True, False, row)
    assert row.intact
    assert files_of_import(row) == unpack(bundle).files
    assert Execution.objects.count() == before


def test_what_does_not_match_is_refused_unless_it_is_wanted_all_the_same(alice: Tenant, bundle: bytes) -> None:
    with pytest.raises(Altered) as refused:
        import_bundle(alice, altered(bundle), "operator:ada")
    assert any("status" in finding.where for finding in refused.value.verdict.findings)
    assert not ImportedBundle.objects.exists()
    row, _ = import_bundle(alice, altered(bundle), "operator:ada", even_if_altered=True)
    assert not row.intact
    with pytest.raises(Unreadable):
        import_bundle(alice, b"no bundle", "operator:ada", even_if_altered=True)


def test_the_page_shows_what_the_bundle_holds_and_who_signed(alice: Tenant, bundle: bytes, operator: Client) -> None:
    row, _ = import_bundle(alice, bundle, "operator:ada")
    shown = operator.get(page(row)).content.decode()
    for text in ("intact", "this installation&#x27;s", "Earlier runs", "execution.redriven", row.execution_id, "noop"):
        assert text in shown, text

    SigningKey.objects.all().delete()
    row.delete()
    other, _ = import_bundle(alice, bundle, "operator:ada")
    assert "not known here" in operator.get(page(other)).content.decode()


@pytest.mark.parametrize("name", ["record.json", "events.jsonl", "lineage.json", "receipts.json", "keys.json"])
@pytest.mark.parametrize("content", [b"[1]", b"{}", b"\xff", b'{"execution":[],"steps":{},"attempts":"x"}'])
def test_a_page_bears_whatever_an_altered_bundle_says(
    alice: Tenant, bundle: bytes, operator: Client, name: str, content: bytes
) -> None:
    broken = pack({**unpack(bundle).files, name: content})
    row, _ = import_bundle(alice, broken, "operator:ada", even_if_altered=True)
    answer = operator.get(page(row))
    assert answer.status_code == 200
    assert "What does not match" in answer.content.decode()


def test_an_upload_is_verified_before_it_is_kept(alice: Tenant, bundle: bytes, operator: Client) -> None:
    def upload(data: bytes, **others: Any) -> Any:
        file = SimpleUploadedFile("b.zip", data)
        return operator.post(reverse(UPLOAD), {"file": file, "tenant": alice.id, **others})

    refused = upload(altered(bundle))
    assert refused.status_code == 200
    assert "What does not match" in refused.content.decode()
    assert not ImportedBundle.objects.exists()

    taken = upload(bundle)
    row = ImportedBundle.objects.get()
    assert (taken.status_code, taken["Location"]) == (302, page(row))
    assert row.imported_by == "operator:ada"
    assert upload(altered(bundle), even_if_altered="on").status_code == 302
    assert Client().get(reverse(UPLOAD)).status_code == 302


def test_the_command_takes_a_file_in(alice: Tenant, bundle: bytes, tmp_path: Path) -> None:
    path, out = tmp_path / "b.zip", StringIO()
    path.write_bytes(bundle)
    call_command("import_bundle", path, tenant="alice", stdout=out)
    assert out.getvalue().strip() == str(ImportedBundle.objects.get().id)

    path.write_bytes(altered(bundle))
    with pytest.raises(CommandError, match="status"):
        call_command("import_bundle", path, tenant="alice", stdout=out)
    call_command("import_bundle", path, tenant="alice", even_if_altered=True, stdout=out)
    assert ImportedBundle.objects.count() == 2
    with pytest.raises(CommandError):
        call_command("import_bundle", path, tenant="nobody", stdout=out)


def test_the_page_of_an_execution_verifies_its_record(alice: Tenant, world: World, operator: Client) -> None:
    execution = redriven(alice, world)
    address = reverse("admin:executions_execution_verify_this", args=[execution.id])
    assert "intact" in operator.get(address).content.decode()
    Execution.objects.filter(id=execution.id).update(steps_left=5)
    assert "execution steps_left" in operator.get(address).content.decode()
