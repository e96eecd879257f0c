"""Objects that are missing or altered, and a store that does not answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contract.away import Unreachable
from executions import transitions
from executions.commands import resume
from executions.models import Execution
from executions.payloads import retention
from executions.payloads.contents import Unavailable
from executions.payloads.objects import StoredObjects
from executions.payloads.reading import contents, text_of, value_of
from executions.payloads.references import parse
from executions.payloads.retention import remove_orphans
from tenants.models import Tenant
from tests.integration.engine.world import World, attempts, noop, published, submitted, transform
from tests.integration.payloads.stored import folder, large, objects, refers

SIZE = transform("size", "${{ size(input.text) }}")


def stored(alice: Tenant) -> Execution:
    execution = submitted(alice, published(alice, [SIZE]), {"text": large()})
    contents()._kept.clear()
    return execution


def the_object(execution: Execution):  # type: ignore[no-untyped-def]
    [name] = objects(execution)
    return folder(execution) / name


@pytest.mark.parametrize("how", ["missing", "altered"])
def test_an_object_that_is_not_what_it_was_is_never_taken_for_it(alice: Tenant, how: str) -> None:
    execution = stored(alice)
    path = the_object(execution)
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"x", b"y", 1))

    with pytest.raises(Unavailable, match=how):
        text_of(execution.submission.input, execution.id)
    reference = parse(execution.submission.input)
    assert reference is not None
    assert value_of(execution.submission.input, execution.id) == {
        "unavailable": {"digest": reference.digest, "bytes": reference.bytes}
    }


def test_a_step_whose_input_is_missing_is_quarantined_and_goes_on_once_it_is_back(alice: Tenant, world: World) -> None:
    execution = stored(alice)
    path = the_object(execution)
    content = path.read_bytes()
    path.unlink()

    for _ in range(8):
        world.drain_after(100)
    execution.refresh_from_db()
    assert execution.quarantined_at is not None

    path.write_bytes(content)
    resume(execution.id, "operator:o")
    world.drain()
    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"


def test_while_the_store_does_not_answer_nothing_is_created(alice: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = published(alice, [SIZE])
    monkeypatch.setattr(StoredObjects, "put", _refuse)
    with pytest.raises(Unreachable):
        submitted(alice, workflow, {"text": large()})
    assert not Execution.objects.exists()


def test_an_outcome_waits_for_the_store_and_is_not_lost(
    alice: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [noop("first"), transform("longer", "${{ input.text + 'y' }}", "first")]
    execution = submitted(alice, published(alice, steps), {"text": large()})
    put, refused = StoredObjects.put, []

    def put_later(self, *given):  # type: ignore[no-untyped-def]
        refused.append(1)
        if len(refused) <= 2:
            raise Unreachable("not now")
        put(self, *given)

    monkeypatch.setattr(StoredObjects, "put", put_later)
    world.drain()

    execution.refresh_from_db()
    assert execution.status == "workflow_succeeded"
    assert len(refused) > 2
    assert attempts(execution, "first") == ["succeeded"]


def test_a_crash_between_store_and_commit_leaves_an_object_and_nothing_that_names_it(
    alice: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = published(alice, [SIZE])

    def crash_once_stored(_cursor, created, *_):  # type: ignore[no-untyped-def]
        assert refers(created["input"])
        raise RuntimeError("the process is gone")

    monkeypatch.setattr(transitions, "insert", crash_once_stored)
    with pytest.raises(RuntimeError):
        submitted(alice, workflow, {"text": large()})

    assert not Execution.objects.exists()
    [orphan] = [place for place in StoredObjects().places() if place.tenant == alice.id]
    assert remove_orphans() == 0
    monkeypatch.setattr(retention, "ORPHANED_FOR", timedelta(0))
    assert remove_orphans() == 1
    assert orphan not in list(StoredObjects().places())


def _refuse(*_: object) -> None:
    raise Unreachable("not now")
