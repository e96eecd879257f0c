"""GET /v1/executions/{id}/provenance and /v1/provenance/impact: where values came from, and what they went into."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID

from contract.answers import shown
from contract.http import Answer
from contract.pages import open_cursor, seal_cursor
from contract.problems import FieldProblem, NotFound
from contract.queries import Reader, one_of, parameters, text, whole
from contract.schema import SHA256, either
from contract.schema import text as text_schema
from contract.shapes import invalid
from executions.api.provenance_answers import (
    CHAIN,
    IMPACT,
    OPEN_LINEAGE,
    PROV_JSON,
    PROVENANCE,
    enveloped_or,
)
from executions.api.provenance_shown import Agents, shown_chain, shown_consumer, shown_execution, shown_step
from executions.models import Execution
from executions.open_lineage import run_events
from executions.provenance.chains import Opening, chain_of
from executions.provenance.chains_places import FORMS, Asked, At, BadPath, Place, read_path
from executions.provenance.impact import Impact
from executions.provenance.lineage_opened import Opened
from executions.provenance.prov import prov_json
from executions.provenance.sources_payloads import ABSENT
from executions.reading import execution_of
from executions.steps import step_of, steps_from
from tenants.door import Door, takes

LONGEST_PATH: Final = 255
PROV: Final = "prov-json"
OPENLINEAGE: Final = "openlineage"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}\Z")
_NAMED: Final = 20
"""Names that a refusal tells."""


def _path(value: str) -> str:
    if not 0 < len(value) <= LONGEST_PATH or "\x00" in value:
        raise ValueError(f"1 to {LONGEST_PATH:,} characters are wanted")
    return value


def _digest(value: str) -> str:
    if not _SHA256.match(value):
        raise ValueError("a SHA-256 in 64 hexadecimal digits is wanted")
    return value.lower()


_LIMIT = whole(1, 100)
_PATH = Reader(_path, {**text_schema(LONGEST_PATH, 1), "description": f"One of {FORMS}."})
_DIGEST = Reader(_digest, SHA256)


class ProvenanceDoor(Door):
    """What every value of an execution of the caller's tenant was made from, and what was made of it."""

    @takes(
        "executions:read",
        query=parameters(path=_PATH, format=one_of(PROV, OPENLINEAGE), limit=_LIMIT, cursor=text),
        answers=enveloped_or(
            either(PROVENANCE, CHAIN), (PROV_JSON, OPEN_LINEAGE), "The provenance; with `path`, of one value."
        ),
    )
    def of_execution(self, execution_id: str) -> Answer:
        """A page of steps with their sources; with `path` the chain behind one value; or an open format."""
        _refuse_together(self.query)
        path = _read(self.query["path"]) if "path" in self.query else None
        execution = execution_of(self.tenant, execution_id)
        opening = Opening(self.tenant.id)
        opened = opening.open(execution.id)
        if opened is None:
            raise NotFound("there is no such execution")
        if "format" in self.query:
            record = opened.record
            return Answer(
                prov_json(opened) if self.query["format"] == PROV else run_events(record.execution, record.events)
            )
        if path is not None:
            chain = chain_of(opening, place_at(opened, path, self.query["path"]))
            return self.ok(shown_chain(opened, chain, opening.opened))
        return self._page(execution, opened)

    @takes(
        "executions:read",
        query=parameters(digest=_DIGEST, step=text, execution=text, limit=_LIMIT, cursor=text),
        answers=shown(IMPACT, "One page of the consumers.", refuses=(404,)),
    )
    def impact(self) -> Answer:
        """Who consumed a value, by its digest, or the output of a step: at first hand, and through others."""
        asked, impact = self.query, Impact(self.tenant)
        binding = "impact:" + ":".join(str(asked.get(name)) for name in ("digest", "execution", "step"))
        if ("digest" in asked) == ("step" in asked) or ("step" in asked) != ("execution" in asked):
            message = "either a `digest` is wanted, or an `execution` and a `step` of it"
            raise invalid([FieldProblem("query.digest", "conflicting", message)])
        first = self._first(binding)
        if "digest" in asked:
            found = impact.of_digest(asked["digest"])
        else:
            execution = execution_of(self.tenant, asked["execution"])
            found = impact.of_step(execution, step_of(execution, asked["step"]).spec.name)
        limit = asked.get("limit", 20)
        more = seal_cursor(UUID(int=first + limit), self._bound(binding)) if len(found) > first + limit else None
        items = [shown_consumer(consumer) for consumer in found[first : first + limit]]
        return self.ok({"items": items, "nextCursor": more, "complete": impact.complete})

    def _page(self, execution: Execution, opened: Opened) -> Answer:
        binding, limit = f"provenance:{execution.id}", self.query.get("limit", 20)
        steps = steps_from(execution, self._first(binding), limit + 1)
        agents = Agents(opened, steps)
        more = seal_cursor(UUID(int=steps[limit].spec.index), self._bound(binding)) if len(steps) > limit else None
        items = [shown_step(opened, step, agents) for step in steps[:limit]]
        return self.ok({"execution": shown_execution(opened, agents), "items": items, "nextCursor": more})

    def _first(self, binding: str) -> int:
        return open_cursor(self.query["cursor"], self._bound(binding)).int if "cursor" in self.query else 0

    def _bound(self, binding: str) -> str:
        return f"{self.tenant.id}:{binding}"


def _read(path: str) -> Asked:
    """Raises InvalidInput for what is no path."""
    try:
        return read_path(path)
    except BadPath as bad:
        raise invalid([FieldProblem("query.path", "bad_path", str(bad))]) from bad


def place_at(opened: Opened, asked: Asked, path: str) -> Place:
    """The place that `path` asks for. Raises NotFound where nothing stands there."""
    place = Place(opened.id, asked.at, asked.pointer, asked.step, _number(opened, asked), asked.run)
    if asked.run is not None and asked.run >= opened.runs:
        raise _nothing(f"the execution has {opened.runs} runs")
    if asked.at is At.OUTCOME:
        if opened.record.execution.outcome is None or asked.pointer:
            raise _nothing("the execution has no outcome there")
        return place
    if opened.found(place) is None:
        raise _nothing(f"nothing stands at `{path[:200]}`{_instead(opened, place)}")
    return place


def _number(opened: Opened, asked: Asked) -> int | None:
    if asked.step is None:
        return None
    if asked.step not in opened.indexes:
        raise _nothing(f"there is no step `{asked.step[:100]}`; {_told('the steps are', opened.indexes)}")
    newest = opened.newest.get(asked.step, 0)
    number = newest if asked.number is None else asked.number
    if not 1 <= number <= newest:
        raise _nothing(f"the step `{asked.step}` has {newest} attempts, and no attempt {number}")
    return number


def _instead(opened: Opened, place: Place) -> str:
    """The members that stand above, as far up as there is something."""
    pointer = place.pointer
    while pointer:
        pointer = pointer.rpartition("/")[0]
        found = opened.found(Place(place.execution, place.at, pointer, place.step, place.number))
        if found is not None and isinstance(found.value, dict):
            return f"; {_told(f'below `{pointer}` there are', found.value)}"
        if found is not None and isinstance(found.value, list):
            return f"; the list at `{pointer}` has {len(found.value):,} items"
        if found is not None and found.value is not ABSENT:
            return f"; what stands at `{pointer}` has no members"
    return ""


def _told(what: str, names: Any) -> str:
    shown = ", ".join(f"`{name[:100]}`" for name in list(names)[:_NAMED])
    return f"{what} {shown}{', ...' if len(names) > _NAMED else ''}" if names else f"{what} none"


def _nothing(message: str) -> NotFound:
    return NotFound(message, reason="nothing_there", fields=[FieldProblem("query.path", "nothing_there", message)])


def _refuse_together(query: dict[str, Any]) -> None:
    """A chain and a document come whole."""
    whole_answer = [name for name in ("path", "format") if name in query]
    others = [name for name in ("format", "limit", "cursor") if name in query and name not in whole_answer[:1]]
    if whole_answer and others:
        message = f"{others[0]} and {whole_answer[0]} exclude each other"
        raise invalid([FieldProblem(f"query.{others[0]}", "conflicting", message)])
