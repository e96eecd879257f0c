"""An execution recomputed: where its events lead by the tables of moves, what its counters and due steps then are.

What follows from the events alone is traceway.records' to compare; here stands what only the tables of moves, the
definition and the engine's own rows can say. docs/provenance.md lists the columns that nothing is held against.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from contract import json_values
from executions.models import DueStep
from executions.provenance.record import Record
from executions.provenance.recounting import Recount
from executions.provenance.replay import replay
from executions.provenance.standing import Standing, version_differences
from tenants.sealing import InvalidToken
from traceway.records import Finding
from workflows import catalog
from workflows.definition import DefinitionInvalid, parse_definition
from workflows.models import WorkflowVersion
from workflows.spec import Spec


class NotRecounted(Exception):
    """The definition is what it was, for all that is known, but nothing here can carry it out: a tool may be gone."""


def differences(record: Record, due: Sequence[DueStep]) -> Iterator[Finding]:
    """Whatever a rebuild gives otherwise than it stands. `due` are the execution's due steps. Raises NotRecounted."""
    of, replayed = record.execution, replay(record.events)
    yield from replayed.findings
    version = of.version
    try:
        if json_values.dump(json_values.load(version.definition)) != version.definition:
            yield Finding("workflow_version definition", "is not as definitions are stored")
        spec = _spec(version.id, version.definition, version.sealed)
    except InvalidToken:
        yield Finding("workflow_version sealed", "cannot be opened, so nothing was recounted")
        return
    except ValueError as error:
        yield Finding("workflow_version definition", f"is not JSON: {error}"[:500])
        return
    except DefinitionInvalid as error:
        raise NotRecounted(f"cannot be compiled here, so nothing was recounted: {error}"[:500]) from error
    steps = {row.index: row for row in record.steps}
    yield from version_differences(version, of, spec)
    ready: set[int] = set()
    yield from Recount(spec, of, steps, replayed).differences(ready)
    yield from Standing(spec, of, steps, record.attempts, due, frozenset(ready), replayed).differences()


@lru_cache(maxsize=64)
def _spec(version_id: object, definition: str, sealed: str) -> Spec:  # noqa: ARG001 - one version of a definition each
    version = WorkflowVersion(definition=definition, sealed=sealed)
    return parse_definition(catalog.whole_definition(version))
