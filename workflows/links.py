"""How the steps of a definition hang together: who depends on whom, who handles whose failure, who may read whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.problems import FieldProblem
from workflows import dag
from workflows.expressions import Reference
from workflows.spec import OnFailure
from workflows.written import WrittenStep

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Failure:
    """What a step's failure does; `handler` is the index of the step that handles it."""

    on_failure: OnFailure = OnFailure.FAIL
    handler: int | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """By index of the step. `before` is parents and handled steps together."""

    by_name: dict[str, int]
    parents: list[tuple[int, ...]]
    failures: list[Failure]
    handles: list[tuple[int, ...]]
    ancestors: list[int] | None

    @property
    def before(self) -> list[tuple[int, ...]]:
        return [parents + handled for parents, handled in zip(self.parents, self.handles, strict=True)]


def link(steps: Sequence[WrittenStep], problems: list[FieldProblem]) -> Links:
    """The graph of the steps; `ancestors` is None where a cycle leaves no order."""
    by_name = _by_name(steps)
    failures = [_failure(step, by_name) for step in steps]
    handles: list[list[int]] = [[] for _ in steps]
    for index, failure in enumerate(failures):
        if failure.handler is not None:
            handles[failure.handler].append(index)
    parents = [_parents(step, by_name, is_handler=bool(handles[step.index])) for step in steps]
    before = [first + tuple(second) for first, second in zip(parents, handles, strict=True)]
    cycles = dag.cycles(before)
    problems.extend(_cycle_problem(cycle, steps) for cycle in cycles)
    ancestors = None if cycles else dag.ancestors(before)
    return Links(by_name, parents, failures, [tuple(handled) for handled in handles], ancestors)


def check_references(step: WrittenStep, fields: Mapping[str, tuple[Reference, ...]], links: Links) -> tuple[int, ...]:
    """The steps that the expressions of a step read; those that do not exist or are not upstream are noted."""
    read: dict[int, None] = {}
    for pointer, references in fields.items():
        for name in dict.fromkeys(str(found.path[0]) for found in references if found.root == "steps"):
            problem = _reference_problem(step, name, links)
            if problem is None:
                read[links.by_name[name]] = None
            else:
                step.members.notes.problems.append(FieldProblem(pointer, *problem))
    return tuple(read)


def _reference_problem(step: WrittenStep, name: str, links: Links) -> tuple[str, str] | None:
    other = links.by_name.get(name)
    if other is None:
        return "unknown_step", f"there is no step `{name[:100]}`"
    if links.ancestors is not None and not links.ancestors[step.index] >> other & 1:
        return "not_upstream", f"`{name}` is not upstream of `{step.name}`, so its output is not there when this runs"
    return None


def _by_name(steps: Sequence[WrittenStep]) -> dict[str, int]:
    by_name: dict[str, int] = {}
    for step in steps:
        first = by_name.setdefault(step.name, step.index)
        if step.name and first != step.index:
            step.members.report("name", "duplicate_name", f"`{step.name}` is the name of step {first} already")
    return by_name


def _failure(step: WrittenStep, by_name: dict[str, int]) -> Failure:
    written = step.members.text("on_failure") or OnFailure.FAIL
    if written in (OnFailure.FAIL, OnFailure.CONTINUE):
        return Failure(OnFailure(written))
    handler = by_name.get(written)
    if handler is None:
        known = f"`on_failure` is fail, continue or the name of a step; there is no step `{written}`"
        step.members.report("on_failure", "unknown_step", known)
    elif handler == step.index:
        step.members.report("on_failure", "invalid", "a step cannot handle its own failure")
    else:
        return Failure(OnFailure.HANDLE, handler)
    return Failure()


def _parents(step: WrittenStep, by_name: dict[str, int], *, is_handler: bool) -> tuple[int, ...]:
    if is_handler:
        if step.depends_on:
            reason = "a step that handles a failure starts when that step fails, and depends on nothing else"
            step.members.report("depends_on", "invalid", reason)
        return ()
    if step.depends_on is None:
        return (step.index - 1,) if step.by_action and step.index else ()
    for position, name in enumerate(step.depends_on):
        if name not in by_name:
            problem = FieldProblem(f"/{position}", "unknown_step", f"there is no step `{name[:100]}`")
            step.members.report_below("depends_on", problem)
    return tuple(sorted(by_name[name] for name in step.depends_on if name in by_name))


def _cycle_problem(cycle: list[int], steps: Sequence[WrittenStep]) -> FieldProblem:
    names = [steps[index].name for index in [*cycle, cycle[0]]]
    if len(names) > _SHOWN:
        names = [*names[: _SHOWN // 2], "...", *names[-_SHOWN // 2 :]]
    return FieldProblem(f"/steps/{cycle[0]}", "cycle", f"the steps wait for each other: {' -> '.join(names)}")
