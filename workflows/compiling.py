"""From written steps and their places to the StepSpecs that the engine uses, with the steps that stand inside them."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from contract.problems import FieldProblem
from workflows import bodies, policies
from workflows.effects import Effect
from workflows.expressions import SECRET_ROOTS, Reference
from workflows.links import EVERYTHING, Place, Readable, check_references, link
from workflows.programs import Program
from workflows.reading import Members, Notes
from workflows.spec import COMPENSATIONS, PARTS, RetryPolicy, StepSpec
from workflows.steps import CALLING, CALLING_OUT, REPEATING, STEP_TYPES
from workflows.steps.wait import Wait
from workflows.tools import ToolRegistry
from workflows.written import Names, WrittenStep

_Fields = dict[str, tuple[Reference, ...]]
"""What the expressions of each field read, by JSON Pointer into the definition."""

_COMPENSATED = CALLING | REPEATING | {"agent", "workflow"}


class Compiler:
    """Compiles the steps of one definition. `names` are those of its steps, and get those of the bodies."""

    def __init__(self, tools: ToolRegistry, names: Names) -> None:
        self._tools = tools
        self._names = names

    def steps(self, written: Sequence[WrittenStep], places: Sequence[Place]) -> tuple[StepSpec, ...]:
        """The specs; what is wrong with a step is noted, and it may be left out."""
        specs = [self._step(step, place) for step, place in zip(written, places, strict=True)]
        return tuple(spec for spec in specs if spec is not None)

    def _step(self, step: WrittenStep, place: Place) -> StepSpec | None:
        members = step.members
        when = members.condition("when")
        program, fields = self._program(step)
        if when is not None:
            fields = {members.at("when"): when.references, **fields}
        retry = policies.read_retry(members)
        timeout_seconds = policies.read_timeout(members, step.type)
        join = policies.read_join(members, max(len(place.parents), len(step.depends_on or ())))
        agent_id = members.text("agent_id") or place.agent_id
        reads = check_references(step, _without_until(step, fields), place.readable)
        body, within = self._body(step, place, agent_id)
        if within is not None:
            reads |= check_references(step, _only_until(step, fields), within)
        compensation = self._compensation(step, place, agent_id)
        members.refuse_others()
        if program is None:
            return None
        return StepSpec(
            index=place.index,
            name=step.name,
            type=step.type,
            action=step.action,
            agent_id=agent_id,
            depends_on=place.depends_on,
            parents=place.parents,
            children=place.children,
            handles=place.handles,
            on_failure=place.failure.on_failure,
            handler=place.failure.handler,
            effect=program.effect,
            # A pure step computes the same again, whatever its policy says.
            retry=RetryPolicy() if program.effect is Effect.PURE else retry,
            timeout_seconds=timeout_seconds,
            when=when,
            program=_within(program, members, timeout_seconds),
            references_by_field=MappingProxyType(_below(members, fields)),
            reads=MappingProxyType(reads),
            join=join.enough,
            cancels_rest=join.cancels_rest,
            body=body,
            compensation=compensation,
            owner=place.owner,
        )

    def _program(self, step: WrittenStep) -> tuple[Program | None, _Fields]:
        """The program, None after a problem, and in any case what the config's expressions read."""
        compile_config = STEP_TYPES.get(step.type)
        if compile_config is None:
            return None, {}
        notes = Notes(roots=step.members.notes.roots | (SECRET_ROOTS if step.type in CALLING_OUT else frozenset()))
        program = compile_config(Members(step.config, "", notes), self._tools)
        found = (FieldProblem(step.locate(problem.field), problem.code, problem.message) for problem in notes.problems)
        step.members.notes.problems.extend(found)
        return program, {step.locate(field): references for field, references in notes.references.items()}

    def _body(
        self, step: WrittenStep, place: Place, agent_id: str | None
    ) -> tuple[tuple[StepSpec, ...], Readable | None]:
        """The steps that this one repeats and, of a loop, what its `until` may read."""
        if step.type == "map":
            item = bodies.item_step(step)
            alone = Place(PARTS + place.index * PARTS, place.readable, place.index, agent_id)
            return ((), None) if item is None else (self.steps([item], [alone]), None)
        return self._loop_body(step, place, agent_id) if step.type == "loop" else ((), None)

    def _loop_body(
        self, step: WrittenStep, place: Place, agent_id: str | None
    ) -> tuple[tuple[StepSpec, ...], Readable | None]:
        written = bodies.body_steps(step, self._names)
        if written is None:
            return (), None
        links = link(written, step.members.notes.problems, " in this body")
        first = PARTS + place.index * PARTS
        body = self.steps(written, links.places(first, place.readable, place.index, agent_id))
        return body, Readable(step.name, links.by_name, EVERYTHING, first, place.readable)

    def _compensation(self, step: WrittenStep, place: Place, agent_id: str | None) -> StepSpec | None:
        if not step.members.has("compensate"):
            return None
        if place.handles or (step.type in STEP_TYPES and step.type not in _COMPENSATED):
            message = "only a step that acts and handles no failure is compensated: there is nothing else to undo"
            step.members.report("compensate", "invalid", message)
        written = bodies.compensation(step)
        if written is None:
            return None
        readable = place.readable.and_itself(place.index)
        alone = Place(COMPENSATIONS + place.index, readable, place.index, agent_id)
        return next(iter(self.steps([written], [alone])), None)


def _within(program: Program, members: Members, timeout_seconds: float) -> Program:
    """The program, a wait's with the time-out that its step has beside the config's."""
    timed = isinstance(program, Wait) and members.has("timeout_seconds")
    return program.within(timeout_seconds) if isinstance(program, Wait) and timed else program


def _below(members: Members, fields: _Fields) -> _Fields:
    return {field.removeprefix(members.pointer): references for field, references in fields.items()}


def _without_until(step: WrittenStep, fields: _Fields) -> _Fields:
    until = _only_until(step, fields)
    return {field: references for field, references in fields.items() if field not in until}


def _only_until(step: WrittenStep, fields: _Fields) -> _Fields:
    """The one field of a loop that is evaluated after a round, and so may read the body."""
    until = step.locate("/until") if step.type == "loop" else None
    return {field: references for field, references in fields.items() if field == until}
