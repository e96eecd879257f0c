"""Verification of the database: it finds nothing in what happened, and names whatever was changed afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from io import StringIO
from random import Random

import pytest
from django.core.management import CommandError, call_command

from executions.models import Execution, Step
from executions.provenance.uncovered import NOT_ON_RECORD
from executions.provenance.verification import batches, check, on_record
from executions.receipts.sealing import seal
from executions.states import IN_LINE
from tenants.models import Tenant
from tests.integration.bundles.altering import OF_EXECUTION, VERSION, altered, columns, places, unguarded
from tests.integration.bundles.gallery import (
    SHAPES,
    in_line,
    large,
    looping,
    mapping,
    once_tool,
    plain,
    refunded,
    retried,
)
from tests.integration.engine.world import World
from tests.integration.payloads.stored import folder

FLIPS = 20
"""So many values of each execution are changed, one at a time."""


@pytest.fixture(autouse=True)
def _tool() -> Iterator[None]:
    with once_tool():
        yield


def findings(execution: Execution) -> list[str]:
    [checked] = check([execution.id])
    return [str(finding) for finding in checked.verdict.findings]


def sealed(execution: Execution) -> Execution:
    seal([execution.id])
    execution.refresh_from_db()
    return execution


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_is_found_in_what_happened_and_any_value_that_is_changed_is_named(
    alice: Tenant, world: World, name: str
) -> None:
    execution = SHAPES[name](alice, world)
    assert findings(execution) == []
    sealed(execution)
    assert findings(execution) == []

    chance = Random(random.getrandbits(32))
    found = [place for place in places(execution) if str(place) not in NOT_ON_RECORD]
    for place in chance.sample(found, min(FLIPS, len(found))):
        with altered(place, chance) as told:
            assert told is None or findings(execution), told


@pytest.mark.parametrize(
    ("column", "where"),
    [
        ("execution.status_reason", "execution status_reason"),
        ("execution.steps_left", "execution steps_left"),
        ("submission.external_ref", "submission"),
        ("step.parents_live", "parents_live"),
        ("step.generation", "generation"),
        ("attempt.output", "attempt 1 output"),
        ("attempt.worker_name", "attempt 1 worker"),
        ("event.body", "event "),
        ("event.created_at", "event "),
        ("receipt.kid", "receipt 1 kid"),
        ("payment.amount", "payment amount"),
        ("payment.tenant_id", "payment tenant"),
        (f"{VERSION}.definition", "definition"),
        (f"{VERSION}.price_amount", "workflow_version price_amount"),
    ],
)
def test_a_finding_names_the_row_and_the_column(alice: Tenant, world: World, column: str, where: str) -> None:
    execution = sealed(refunded(alice, world))
    place = next(place for place in places(execution) if str(place) == column)
    taken = 0
    for seed in range(20):
        with altered(place, Random(seed)) as told:
            taken += told is not None
            assert told is None or any(where in one.partition(": ")[0] for one in findings(execution)), told
    assert taken, "the table took some of these"


def test_who_waits_for_its_turn_says_so_until_it_is_woken(alice: Tenant, world: World) -> None:
    execution = in_line(alice, world)
    Execution.objects.filter(id=execution.id).update(status_reason=None)
    assert [one.partition(":")[0] for one in findings(execution)] == ["execution status_reason"]

    for reason in (None, IN_LINE):
        Execution.objects.filter(id=execution.id).update(status_reason=reason, due_at=execution.created_at)
        assert findings(execution) == []


def test_no_more_items_of_a_map_have_begun_than_may(alice: Tenant, world: World) -> None:
    execution = mapping(alice, world)
    Step.objects.filter(execution=execution, name="each").update(parts_opened=4)
    assert [one.partition(":")[0] for one in findings(execution)] == ["steps/each parts_opened"]


def test_a_part_that_has_yet_to_begin_has_the_name_that_its_definition_gives_it(alice: Tenant, world: World) -> None:
    execution = looping(alice, world)
    Step.objects.filter(execution=execution, name="again[1].second").update(name="again[1].third")
    assert "steps/again[1].third name" in [one.partition(":")[0] for one in findings(execution)]


def test_what_is_written_down_as_not_verified_are_columns_of_the_record(alice: Tenant) -> None:
    known = {f"{table}.{column}" for table in (*OF_EXECUTION, VERSION) for column, _ in columns(table)}
    assert set(NOT_ON_RECORD) <= known
    assert all(NOT_ON_RECORD.values())


def test_a_payload_that_was_changed_where_it_is_kept_is_named(alice: Tenant, world: World) -> None:
    execution = sealed(large(alice, world))
    path = next(iter(sorted(folder(execution).glob("*"))))
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"y" + content[101:])
    assert any(path.name in finding for finding in findings(execution))

    path.unlink()
    assert any("its payload is missing" in finding for finding in findings(execution))


def test_a_row_that_is_gone_is_named(alice: Tenant, world: World) -> None:
    execution = sealed(retried(alice, world))
    for table, where in (("attempt", "attempt"), ("step", "steps/"), ("event", "event"), ("submission", "submission")):
        with unguarded() as cursor:
            one = f"(SELECT ctid FROM {table} WHERE execution_id = %s LIMIT 1)"
            cursor.execute(f"DELETE FROM {table} WHERE ctid = {one}", [execution.id])
            assert any(where in finding.partition(": ")[0] for finding in findings(execution)), table


def test_an_execution_whose_own_row_is_gone_is_found_all_the_same(alice: Tenant, world: World) -> None:
    execution = plain(alice, world)
    with unguarded() as cursor:
        cursor.execute("DELETE FROM execution WHERE id = %s", [execution.id])
        assert [row[0] for row in on_record()] == [execution.id]
        assert findings(execution)[0].startswith("execution: is missing")


def test_the_command_tells_every_finding_and_ends_with_an_error(alice: Tenant, world: World) -> None:
    good, bad = plain(alice, world), plain(alice, world)
    assert verified("--all") == (2, [])
    Execution.objects.filter(id=bad.id).update(steps_left=1)

    count, lines = verified("--tenant", "alice", failing=True)
    assert count == 2
    assert [line.split()[0] for line in lines] == [str(bad.id)]
    assert "execution steps_left" in lines[0]
    assert verified(str(good.id), f"--since={'2000-01-01T00:00:00Z'}") == (1, [])
    assert verified("--all", "--since", "2999-01-01T00:00:00Z") == (0, [])


@pytest.mark.parametrize("arguments", [(), ("--all", "--tenant", "alice"), ("no-id",), ("--tenant", "nobody")])
def test_the_command_wants_to_know_what_to_verify(alice: Tenant, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("verify_record", *arguments, stdout=StringIO(), stderr=StringIO())


def test_batches_are_as_large_as_memory_bears() -> None:
    sizes = [len(batch) for batch in batches((i, 15_000 if i == 3 else 40) for i in range(250))]  # type: ignore[misc]
    assert sum(sizes) == 250
    assert max(sizes) == 100


def verified(*arguments: str, failing: bool = False) -> tuple[int, list[str]]:
    """How many executions the command looked at, and what it printed."""
    out, err = StringIO(), StringIO()
    if failing:
        with pytest.raises(CommandError):
            call_command("verify_record", *arguments, stdout=out, stderr=err)
    else:
        call_command("verify_record", *arguments, stdout=out, stderr=err)
    return int(err.getvalue().splitlines()[-1].split()[0]), out.getvalue().splitlines()
