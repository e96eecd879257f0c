"""Why this value: the chain of what it was made from, back to the inputs, across executions. Reads; decides nothing."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from uuid import UUID

from executions.provenance.chains_origins import origins
from executions.provenance.chains_places import Place
from executions.provenance.lineage_opened import Found, Opened
from executions.provenance.record import records_of
from executions.provenance.sources_payloads import ABSENT

MOST_NODES: Final = 500
MOST_EXECUTIONS: Final = 20


@dataclass(frozen=True, slots=True)
class Node:
    """A value and what it was made from: `sources` are places, in the order of their fields."""

    place: Place
    found: Found | None
    expression: str | None
    sources: tuple[Place, ...]


@dataclass(slots=True)
class Opening:
    """The executions that a question has come to, at most MOST_EXECUTIONS, all of one tenant."""

    tenant_id: UUID
    opened: dict[UUID, Opened] = field(default_factory=dict)
    complete: bool = True

    def open(self, execution: UUID) -> Opened | None:
        """The execution; None where it is another tenant's, unknown, or one too many."""
        if execution not in self.opened:
            if len(self.opened) >= MOST_EXECUTIONS:
                self.complete = False
                return None
            records = [one for one in records_of([execution]) if one.execution.tenant_id == self.tenant_id]
            if not records:
                return None
            self.opened[execution] = Opened(records[0])
        return self.opened[execution]


@dataclass(frozen=True, slots=True)
class Chain:
    """`nodes` breadth first, each once; `complete` is False where there is more than is told."""

    nodes: list[Node]
    complete: bool


def chain_of(opening: Opening, place: Place) -> Chain:
    """From the value there back to what nothing on record was made into."""
    known: dict[Place, str | None] = {place: None}
    pending, nodes, complete = deque([place]), list[Node](), True
    while pending:
        here = pending.popleft()
        opened = opening.open(here.execution)
        if opened is None:
            nodes.append(Node(here, Found(ABSENT, known[here], None), None, ()))
            continue
        made = origins(opening, opened, here)
        nodes.append(Node(here, opened.found(here, known[here]), made.expression, tuple(dict(made.sources))))
        new = {source: digest for source, digest in made.sources if source not in known}
        if len(known) + len(new) > MOST_NODES:
            complete, new = False, dict(islice(new.items(), MOST_NODES - len(known)))
        known |= new
        pending.extend(new)
    return Chain(nodes, complete and opening.complete)
