"""How steps hang together: who depends on whom, who handles whose failure, who may read whom.

Steps are linked within their list: those of the definition with each other, those of a loop's body with each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from contract.problems import FieldProblem
from workflows import dag
from workflows.expressions import Reference
from workflows.spec import OnFailure
from workflows.written import WrittenStep

EVERYTHING = -1
"""The set, as the bits of a number, of all steps there are."""

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Failure:
    """What a step's failure does; `handler` is the index of the step that handles it."""

    on_failure: OnFailure = OnFailure.FAIL
    handler: int | None = None


class NotReadable(Exception):
    """A step that may not be read here; `code` and `message` are those of the problem."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Readable:
    """Which steps an expression may read: of `by_name` those in `upstream` (bits), of other names what is `beyond`.

    `first` is the index of the first step of the list that the names are from.
    """

    reader: str
    by_name: Mapping[str, int]
    upstream: int
    first: int = 0
    beyond: Readable | None = None

    def find(self, name: str) -> int:
        """The index of the step. Raises NotReadable."""
        place = self.by_name.get(name)
        if place is None:
            if self.beyond is not None:
                return self.beyond.find(name)
            raise NotReadable("unknown_step", f"there is no step `{name[:100]}`")
        if not self.upstream >> place & 1:
            message = f"`{name}` is not upstream of `{self.reader}`, so its output is not there when this runs"
            raise NotReadable("not_upstream", message)
        return self.first + place

    def and_itself(self, place: int) -> Readable:
        """What may be read once the step at this place has run, too."""
        return replace(self, upstream=self.upstream | 1 << place)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands, by the indexes of the spec. One that is alone has neither parents nor children."""

    index: int
    readable: Readable
    owner: int | None = None
    agent_id: str | None = None
    depends_on: tuple[str, ...] = ()
    parents: tuple[int, ...] = ()
    children: tuple[int, ...] = ()
    handles: tuple[int, ...] = ()
    failure: Failure = field(default=Failure())


@dataclass(frozen=True, slots=True)
class Links:
    """By place in the list. `before` is parents and handled steps together, `ancestors` all before these, as bits."""

    names: list[str]
    by_name: dict[str, int]
    parents: list[tuple[int, ...]]
    failures: list[Failure]
    handles: list[tuple[int, ...]]
    ancestors: list[int]

    @property
    def before(self) -> list[tuple[int, ...]]:
        return [parents + handled for parents, handled in zip(self.parents, self.handles, strict=True)]

    def places(
        self,
        first: int = 0,
        beyond: Readable | None = None,
        owner: int | None = None,
        agent_id: str | None = None,
    ) -> list[Place]:
        """Where each step stands, where the first of them has the index `first`."""
        children = dag.successors(self.parents)
        return [
            Place(
                index=first + i,
                readable=self.readable(i, first, beyond),
                owner=owner,
                agent_id=agent_id,
                depends_on=tuple(self.names[parent] for parent in self.parents[i]),
                parents=_shifted(self.parents[i], first),
                children=_shifted(children[i], first),
                handles=_shifted(self.handles[i], first),
                failure=_shifted_failure(self.failures[i], first),
            )
            for i in range(len(self.names))
        ]

    def readable(self, place: int, first: int = 0, beyond: Readable | None = None) -> Readable:
        return Readable(self.names[place], self.by_name, self.ancestors[place], first, beyond)


def link(steps: Sequence[WrittenStep], problems: list[FieldProblem], within: str = "") -> Links:
    """The graph of the steps of a list; `within` says, for messages, which list it is."""
    by_name = _by_name(steps)
    failures = [_failure(step, by_name, within) for step in steps]
    handles: list[list[int]] = [[] for _ in steps]
    for index, failure in enumerate(failures):
        if failure.handler is not None:
            handles[failure.handler].append(index)
    parents = [_parents(step, by_name, within, is_handler=bool(handles[step.index])) for step in steps]
    before = [first + tuple(second) for first, second in zip(parents, handles, strict=True)]
    problems.extend(_cycle_problem(cycle, steps) for cycle in dag.cycles(before))
    names = [step.name for step in steps]
    return Links(names, by_name, parents, failures, [tuple(handled) for handled in handles], dag.ancestors(before))


def check_references(
    step: WrittenStep, fields: Mapping[str, tuple[Reference, ...]], readable: Readable
) -> dict[str, int]:
    """The steps, by name, that expressions of a step read; those that may not be read here are noted."""
    read: dict[str, int] = {}
    for pointer, references in fields.items():
        for name in dict.fromkeys(str(found.path[0]) for found in references if found.root == "steps"):
            try:
                read[name] = readable.find(name)
            except NotReadable as problem:
                step.members.notes.problems.append(FieldProblem(pointer, problem.code, problem.message))
    return read


def _shifted(places: Sequence[int], first: int) -> tuple[int, ...]:
    return tuple(first + place for place in places)


def _shifted_failure(failure: Failure, first: int) -> Failure:
    return failure if failure.handler is None else replace(failure, handler=first + failure.handler)


def _by_name(steps: Sequence[WrittenStep]) -> dict[str, int]:
    by_name: dict[str, int] = {}
    for step in steps:
        first = by_name.setdefault(step.name, step.index)
        if step.name and first != step.index:
            step.members.report("name", "duplicate_name", f"`{step.name}` is the name of step {first} already")
    return by_name


def _failure(step: WrittenStep, by_name: dict[str, int], within: str) -> Failure:
    written = step.members.text("on_failure") or OnFailure.FAIL
    if written in (OnFailure.FAIL, OnFailure.CONTINUE):
        return Failure(OnFailure(written))
    handler = by_name.get(written)
    if handler is None:
        known = f"`on_failure` is fail, continue or the name of a step; there is no step `{written}`{within}"
        step.members.report("on_failure", "unknown_step", known)
    elif handler == step.index:
        step.members.report("on_failure", "invalid", "a step cannot handle its own failure")
    else:
        return Failure(OnFailure.HANDLE, handler)
    return Failure()


def _parents(step: WrittenStep, by_name: dict[str, int], within: str, *, is_handler: bool) -> tuple[int, ...]:
    if is_handler:
        if step.depends_on:
            reason = "a step that handles a failure starts when that step fails, and depends on nothing else"
            step.members.report("depends_on", "invalid", reason)
        return ()
    if step.depends_on is None:
        return (step.index - 1,) if step.by_action and step.index else ()
    for position, name in enumerate(step.depends_on):
        if name not in by_name:
            problem = FieldProblem(f"/{position}", "unknown_step", f"there is no step `{name[:100]}`{within}")
            step.members.report_below("depends_on", problem)
    return tuple(sorted(by_name[name] for name in step.depends_on if name in by_name))


def _cycle_problem(cycle: list[int], steps: Sequence[WrittenStep]) -> FieldProblem:
    names = [steps[index].name for index in [*cycle, cycle[0]]]
    if len(names) > _SHOWN:
        names = [*names[: _SHOWN // 2], "...", *names[-_SHOWN // 2 :]]
    message = f"the steps wait for each other: {' -> '.join(names)}"
    return FieldProblem(steps[cycle[0]].members.pointer, "cycle", message)
