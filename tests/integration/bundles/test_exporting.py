"""Bundles of real executions: the same bytes each time, intact, and not so once any byte or member is another one."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.identifiers import new_id
from executions.models import Execution
from executions.provenance.bundle import bundle_of
from executions.receipts.sealing import seal
from tenants.models import Tenant
from tests.flips import edited
from tests.integration.bundles.gallery import SHAPES, once_tool, plain, redriven
from tests.integration.engine.world import World
from tests.integration.http_client import another_key
from traceway.records import unpack, verify, verify_bytes

SHAPES_FLIPPED = ("plain", "redriven", "refunded", "mapped", "large", "dropped", "completed_by_hand", "continued")
ONE_EXECUTION = settings(suppress_health_check=list(HealthCheck), max_examples=60, deadline=None)


def exported(execution: Execution) -> bytes:
    with bundle_of(execution.id) as file:
        return file.read()


@pytest.mark.parametrize("name", SHAPES)
def test_the_bundle_of_any_execution_verifies_and_has_the_same_bytes_twice(
    alice: Tenant, world: World, name: str
) -> None:
    with once_tool():
        execution = SHAPES[name](alice, world)
        seal([execution.id])
        data = exported(execution)
    verdict = verify_bytes(data)
    assert [str(finding) for finding in verdict.findings] == []
    assert verdict.execution == str(execution.id)
    assert exported(execution) == data
    execution.refresh_from_db()
    assert bool(verdict.signed_by) == (execution.finished_at is not None)


@pytest.mark.parametrize("name", SHAPES_FLIPPED)
def test_any_byte_and_any_member_that_is_another_one_is_named(alice: Tenant, world: World, name: str) -> None:
    execution = SHAPES[name](alice, world)
    seal([execution.id])
    data = exported(execution)
    files = unpack(data).files

    @ONE_EXECUTION
    @given(st.integers(0, len(data) - 1), st.integers(0, 7))
    def flip_a_bit(at: int, bit: int) -> None:
        flipped = data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
        assert not verify_bytes(flipped).intact

    @ONE_EXECUTION
    @given(edited(files))
    def change_a_member(edit: Any) -> None:

        assert not verify(edit.files).intact, edit

    flip_a_bit()
    change_a_member()


def test_the_route_answers_the_bundle_to_its_own_tenant_alone(alice: Tenant, world: World) -> None:
    execution, caller = redriven(alice, world), another_key(alice)
    seal([execution.id])
    answer = caller.get(f"/v1/executions/{execution.id}/bundle")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == f'attachment; filename="traceway-{execution.id}.zip"'
    assert answer.content == exported(execution)


def test_the_command_writes_a_file(alice: Tenant, world: World, tmp_path: Path) -> None:
    execution, out = plain(alice, world), StringIO()
    call_command("export_bundle", str(execution.id), output=tmp_path / "b.zip", stdout=out)
    assert out.getvalue().strip() == str(tmp_path / "b.zip")
    assert verify_bytes((tmp_path / "b.zip").read_bytes()).intact
    for unknown in (str(new_id()), "no-id"):
        with pytest.raises(CommandError):
            call_command("export_bundle", unknown, stdout=out)
