"""What a redrive begins anew and what it keeps: laws over small graphs, then each rule by example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import pytest

from executions.change import StepRow
from executions.plan import Began, Counters, Ended, Fact, Situation, StepEnding, StepState, after, initial, plan, roots
from executions.redrive import Recorded, Redrive, redrive
from executions.states import STEP_MOVES, STEP_TERMINAL, AttemptStatus, Intent, Status, StepStatus, step_target
from executions.survey import survey
from workflows.definition import parse_definition
from workflows.spec import COMPENSATIONS, PARTS, Spec
from workflows.tools import ToolContext, ToolRegistry

SUCCEEDED, FAILED, SKIPPED = StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED
PENDING, CANCELLED, UNKNOWN = StepStatus.PENDING, StepStatus.CANCELLED, StepStatus.OUTCOME_UNKNOWN
NEWEST = {
    SUCCEEDED: AttemptStatus.SUCCEEDED,
    FAILED: AttemptStatus.FAILED,
    StepStatus.WAITING: AttemptStatus.WAITING,
    StepStatus.RETRYING: AttemptStatus.FAILED,
    CANCELLED: AttemptStatus.CANCELLED,
    UNKNOWN: AttemptStatus.OUTCOME_UNKNOWN,
}


tools = ToolRegistry()


@tools.tool("noop")
def _noop(arguments: dict[str, Any], _context: ToolContext) -> Any:
    return arguments


def noop(name: str, *depends_on: str, **members: Any) -> dict[str, Any]:
    config = {"tool": "noop", "arguments": {}}
    return {"name": name, "type": "tool_call", "config": config, "depends_on": list(depends_on), **members}


def spec_of(*steps: dict[str, Any]) -> Spec:
    return parse_definition({"name": "w", "steps": list(steps)}, tools)


def recorded(spec: Spec, statuses: Mapping[int, StepStatus], **rows: Recorded) -> dict[int, Recorded]:
    """Each step as an engine would have left it, with one attempt where it began; `rows` by name instead."""
    states = survey(spec, statuses).steps
    found = {
        index: Recorded(StepRow(states[index], attempts=int(status in NEWEST)), NEWEST.get(status))
        for index, status in statuses.items()
    }
    return found | {spec.by_name[name]: row for name, row in rows.items()}


def by_name(spec: Spec, *statuses: StepStatus) -> dict[int, StepStatus]:
    return {step.index: status for step, status in zip(spec.steps, statuses, strict=True)}


def names(spec: Spec, indexes: Sequence[int]) -> list[str]:
    return [spec.step(index).name for index in indexes]


def rows_after(before: Mapping[int, Recorded], planned: Redrive) -> dict[int, StepRow]:
    return {index: found.row for index, found in before.items()} | dict(planned.steps)


def ended(spec: Spec, outcomes: Sequence[StepEnding]) -> Situation:
    """An execution carried out in the definition's order, each step as `outcomes` says, until it ends."""
    situation, ready = initial(spec), list(roots(spec))
    while True:
        index = ready.pop(0)
        facts: list[Fact] = [] if outcomes[index] == "skip" else [Began(index)]
        planned = plan(spec, situation, [*facts, Ended(index, outcomes[index])])
        situation = after(situation, planned)
        ready += planned.ready
        if planned.ending is not None:
            return situation


def small_graphs() -> Iterator[Spec]:
    """Every graph of three steps, each failing for good or not, the last one joining all that it comes after or any."""
    edges = list(combinations(range(3), 2))
    for chosen in (set(found) for size in range(4) for found in combinations(edges, size)):
        for policies in product(("fail", "continue"), repeat=3):
            for join in ("all", "any")[: 1 + any(b == 2 for _, b in chosen)]:
                steps = [
                    noop(f"s{i}", *(f"s{a}" for a, b in chosen if b == i), on_failure=policies[i]) for i in range(3)
                ]
                yield spec_of(*steps[:2], {**steps[2], "join": join})


@pytest.mark.parametrize("spec", list(small_graphs()))
def test_whatever_happened_a_redrive_goes_on_to_success_with_the_counters_that_a_recount_gives(spec: Spec) -> None:
    ways: tuple[StepEnding, ...] = ("succeed", "fail", "skip")
    for outcomes in product(ways, repeat=3):
        situation = ended(spec, outcomes)
        statuses = {index: state.status for index, state in situation.steps.items()}
        for start in (None, 0, 1, 2):
            before = recorded(spec, statuses)
            planned = redrive(spec, before, start)
            rows = rows_after(before, planned)
            check_kept(spec, before, planned, start)
            assert planned.counters == survey(spec, {i: row.state.status for i, row in rows.items()}).counters
            assert carried_on(spec, rows, planned) == "succeed"


def check_kept(spec: Spec, before: Mapping[int, Recorded], planned: Redrive, start: int | None) -> None:
    """What is kept stands as it stood, what is reset is pending, and each move is in the table."""
    assert sorted({*planned.keeps, *planned.resets}) == [step.index for step in spec.steps]
    rows = rows_after(before, planned)
    for index in planned.keeps:
        assert rows[index].state.status is before[index].status
        assert before[index].status in STEP_TERMINAL
    assert all(rows[index].state.status is PENDING for index in planned.resets)
    if start is not None and start not in planned.resets:
        parents = spec.steps[start].parents
        assert parents
        assert all(rows[parent].state.status is SKIPPED for parent in parents)
    status = {index: found.status for index, found in before.items()}
    for index, move in planned.moves:
        status[index] = step_target(move, status[index])
    assert status == {index: row.state.status for index, row in rows.items()}


def carried_on(spec: Spec, rows: Mapping[int, StepRow], planned: Redrive) -> str | None:
    """How it ends if every step that begins succeeds; None where nothing may begin although steps are left."""
    steps = {index: row.state for index, row in rows.items()}
    situation, ready = Situation(Status.QUEUED, Intent.RUN, planned.counters, steps), list(planned.due)
    ending = plan(spec, situation, []).ending
    while ready and ending is None:
        index = ready.pop(0)
        done = plan(spec, situation, [Began(index), Ended(index, "succeed")])
        situation, ending = after(situation, done), done.ending
        ready += done.ready
    return ending


def test_from_what_failed_on_and_what_succeeded_keeps_its_row() -> None:
    spec = spec_of(noop("a"), noop("b", "a"), noop("c", "b"))
    before = recorded(spec, by_name(spec, SUCCEEDED, FAILED, SKIPPED))
    planned = redrive(spec, before)
    assert (names(spec, planned.keeps), names(spec, planned.resets)) == (["a"], ["b", "c"])
    assert names(spec, planned.due) == ["b"]
    assert planned.counters == Counters(left=2, ready=1)
    assert set(planned.steps) == {1, 2}
    assert planned.moves == ((1, "reset"), (2, "reset"))


def test_from_a_named_step_on_everything_after_it_begins_anew_whatever_it_came_to() -> None:
    spec = spec_of(noop("a"), noop("b", "a"), noop("c", "b"), noop("beside"))
    before = recorded(spec, by_name(spec, SUCCEEDED, SUCCEEDED, FAILED, SUCCEEDED))
    assert names(spec, redrive(spec, before, 0).resets) == ["a", "b", "c"]
    assert names(spec, redrive(spec, before, 3).resets) == ["c", "beside"]


def test_a_failure_that_was_tolerated_or_handled_stays() -> None:
    spec = spec_of(
        noop("tolerated", on_failure="continue"), noop("handled", on_failure="handler"), noop("handler"), noop("fails")
    )
    before = recorded(spec, by_name(spec, FAILED, FAILED, SUCCEEDED, FAILED))
    assert names(spec, redrive(spec, before).resets) == ["fails"]


def test_a_step_that_was_skipped_because_of_what_begins_anew_begins_anew_too() -> None:
    spec = spec_of(noop("fails"), noop("after", "fails"), noop("last", "after"), noop("not_wanted"))
    before = recorded(spec, by_name(spec, FAILED, SKIPPED, SKIPPED, SKIPPED))
    assert names(spec, redrive(spec, before).resets) == ["fails", "after", "last"]


def test_a_step_that_nothing_before_it_lets_run_is_not_run_for_being_named() -> None:
    spec = spec_of(noop("not_wanted"), noop("after", "not_wanted"), noop("fails"))
    planned = redrive(spec, recorded(spec, by_name(spec, SKIPPED, SKIPPED, FAILED)), 1)
    assert names(spec, planned.resets) == ["fails"]


def test_a_join_is_not_run_for_being_named_if_too_few_before_it_let_it() -> None:
    spec = spec_of(noop("a"), noop("not_wanted"), noop("both", "a", "not_wanted", join=2))
    statuses = by_name(spec, SUCCEEDED, SKIPPED, SKIPPED)
    assert redrive(spec, recorded(spec, statuses), 2).resets == ()
    assert names(spec, redrive(spec, recorded(spec, statuses), 1).resets) == ["not_wanted", "both"]


def test_a_handler_may_be_named_if_what_it_handles_failed() -> None:
    spec = spec_of(noop("handled", on_failure="handler"), noop("handler"))
    assert names(spec, redrive(spec, recorded(spec, by_name(spec, FAILED, FAILED))).resets) == ["handler"]
    assert redrive(spec, recorded(spec, by_name(spec, SUCCEEDED, SKIPPED)), 1).resets == ()
    both = redrive(spec, recorded(spec, by_name(spec, SUCCEEDED, SKIPPED)), 0)
    assert names(spec, both.resets) == ["handled", "handler"]


@pytest.mark.parametrize("status", [StepStatus.WAITING, StepStatus.RETRYING, CANCELLED, UNKNOWN])
def test_what_had_not_come_to_its_end_begins_anew(status: StepStatus) -> None:
    spec = spec_of(noop("a"))
    planned = redrive(spec, recorded(spec, by_name(spec, status)))
    assert planned.moves == ((0, "reset"),)
    assert planned.open_attempts == (((0, 1),) if status is StepStatus.WAITING else ())


def test_a_step_that_a_join_went_on_without_stays_cancelled_unless_the_join_begins_anew() -> None:
    join = {"join": {"n": 1, "rest": "cancel"}}
    spec = spec_of(noop("fast"), noop("slow"), noop("first", "fast", "slow", **join), noop("fails", "first"))
    before = recorded(spec, by_name(spec, SUCCEEDED, CANCELLED, SUCCEEDED, FAILED))
    assert names(spec, redrive(spec, before).resets) == ["fails"]
    assert names(spec, redrive(spec, before, 2).resets) == ["slow", "first", "fails"]
    failed_itself = recorded(spec, by_name(spec, SUCCEEDED, CANCELLED, FAILED, PENDING))
    assert names(spec, redrive(spec, failed_itself).resets) == ["slow", "first", "fails"]


def test_a_step_begins_anew_with_its_attempts_counted_on() -> None:
    spec = spec_of(noop("a"))
    row = StepRow(StepState(FAILED, 0), attempts=4, failures=3, losses=1, generation=2)
    planned = redrive(spec, {0: Recorded(row, AttemptStatus.FAILED, "http_status")})
    assert planned.steps == {0: StepRow(StepState(PENDING, 0), attempts=4, generation=3)}


@pytest.mark.parametrize(
    ("last", "error", "same_key"),
    [
        (AttemptStatus.SUCCEEDED, None, False),
        (AttemptStatus.FAILED, "http_status", False),
        (AttemptStatus.FAILED, "timeout", True),
        (AttemptStatus.FAILED, "connection_failed", True),
        (AttemptStatus.FAILED, "lost", True),
        (AttemptStatus.LOST, "lost", True),
        (AttemptStatus.CANCELLED, "cancelled", True),
        (AttemptStatus.OUTCOME_UNKNOWN, "lost", True),
    ],
)
def test_the_key_of_an_effect_is_kept_where_nobody_knows_whether_it_came_about(
    last: AttemptStatus, error: str | None, same_key: bool
) -> None:
    spec = spec_of(noop("a"))
    planned = redrive(spec, {0: Recorded(StepRow(StepState(FAILED, 0), attempts=1), last, error)}, 0)
    assert (planned.steps[0].generation == 1) is same_key
    definite = last is AttemptStatus.FAILED and not same_key
    assert [repeat.same_key for repeat in planned.repeats] == ([] if definite else [same_key])


def test_an_effect_that_came_about_is_told_as_one_that_is_repeated_and_a_computation_is_not() -> None:
    computed = {"name": "computed", "type": "transform", "config": {"output": 1}, "depends_on": []}
    spec = spec_of(computed, noop("sent", "computed"), noop("never", "sent"))
    planned = redrive(spec, recorded(spec, by_name(spec, SUCCEEDED, SUCCEEDED, PENDING)), 0)
    assert [(r.index, r.attempts, r.last, r.same_key) for r in planned.repeats] == [
        (1, 1, AttemptStatus.SUCCEEDED, False)
    ]


def mapped(*after_it: dict[str, Any], before: Sequence[dict[str, Any]] = ()) -> Spec:
    config = {"over": [1, 2, 3, 4], "step": {"type": "tool_call", "config": {"tool": "noop", "arguments": {}}}}
    each = {"name": "each", "type": "map", "config": config, "depends_on": [step["name"] for step in before]}
    return spec_of(*before, each, *after_it)


def with_parts(
    spec: Spec, owner: int, found: dict[int, Recorded], *parts: StepStatus, made: int = 4
) -> dict[int, Recorded]:
    """The steps, with a row of the owner that has made parts, and these rows of parts."""
    row = found[owner].row._replace(parts_made=made, parts_opened=made, failures=1)
    statuses = {spec.part(owner, number): status for number, status in enumerate(parts)}
    return (
        found
        | {owner: replace(found[owner], row=row)}
        | {
            index: Recorded(StepRow(StepState(status, 0, 1), attempts=1), NEWEST.get(status))
            for index, status in statuses.items()
        }
    )


def test_a_map_that_failed_keeps_the_items_that_succeeded_or_were_skipped_and_begins_the_others_anew() -> None:
    spec = mapped()
    before = with_parts(spec, 0, recorded(spec, by_name(spec, FAILED)), SUCCEEDED, FAILED, SKIPPED, CANCELLED)
    planned = redrive(spec, before)
    assert names(spec, planned.resets) == ["each", "each[1]", "each[3]"]
    assert planned.steps[0] == StepRow(StepState(PENDING, 0), attempts=1, generation=2, parts_made=4)
    assert planned.steps[PARTS + 1].state == StepState(PENDING, 1)
    assert set(planned.steps) == {0, PARTS + 1, PARTS + 3}
    assert planned.counters == Counters(left=1, ready=1)
    assert planned.due == (0,)


@pytest.mark.parametrize("why", ["named", "after what is reset"])
def test_a_map_whose_items_may_change_makes_them_anew(why: str) -> None:
    spec = mapped(before=[noop("first")])
    statuses = by_name(spec, SUCCEEDED, FAILED)
    before = with_parts(spec, 1, recorded(spec, statuses), SUCCEEDED, StepStatus.RETRYING, FAILED, UNKNOWN)
    planned = redrive(spec, before, 1 if why == "named" else 0)
    assert (planned.steps[1].parts_made, planned.steps[1].parts_opened) == (0, 0)
    first = spec.part(1, 0)
    left = {index: row.state.status for index, row in planned.steps.items() if index >= first}
    assert left == {first + 1: CANCELLED, first + 3: CANCELLED}
    assert [move for move in planned.moves if move[0] >= first] == [
        (first + 1, "cancel"),
        (first + 3, "reset"),
        (first + 3, "cancel"),
    ]
    repeated = [repeat.index for repeat in planned.repeats if repeat.index >= first]
    assert repeated == [first, first + 3]
    assert not any(repeat.same_key for repeat in planned.repeats)


def test_a_loop_that_failed_keeps_its_earlier_rounds_and_begins_its_last_one_anew() -> None:
    config = {"body": [noop("one"), noop("two", "one")], "until": "false", "max_iterations": 5}
    spec = spec_of({"name": "again", "type": "loop", "config": config, "depends_on": []})
    found = recorded(spec, by_name(spec, FAILED))
    before = with_parts(spec, 0, found, SUCCEEDED, SUCCEEDED, SUCCEEDED, FAILED)
    planned = redrive(spec, before)
    assert names(spec, planned.resets) == ["again", "again[1].one", "again[1].two"]
    assert planned.steps[0].parts_made == 4
    assert planned.steps[PARTS + 2].state == StepState(PENDING, 1)
    assert planned.steps[PARTS + 3].state == StepState(PENDING, 1)
    assert planned.due == (0,)


def test_parts_of_a_map_that_is_kept_are_left_alone() -> None:
    spec = mapped(noop("fails", "each"))
    before = with_parts(spec, 0, recorded(spec, by_name(spec, SUCCEEDED, FAILED)), SUCCEEDED, SUCCEEDED, SUCCEEDED)
    assert set(redrive(spec, before).steps) == {1}


def compensated() -> Spec:
    undo = {"compensate": {"type": "tool_call", "config": {"tool": "noop", "arguments": {}}}}
    return spec_of(noop("paid", **undo), noop("noted", "paid"), noop("kept"), noop("fails", "noted"))


@pytest.mark.parametrize(
    ("status", "attempts", "begun"),
    [
        (SUCCEEDED, 1, True),
        (FAILED, 1, True),
        (UNKNOWN, 1, True),
        (CANCELLED, 1, True),
        (CANCELLED, 0, False),
        (PENDING, 0, False),
    ],
)
def test_what_was_undone_is_done_again_and_with_it_all_that_came_after(
    status: StepStatus, attempts: int, begun: bool
) -> None:
    spec = compensated()
    undone = COMPENSATIONS + spec.by_name["paid"]
    before = recorded(spec, by_name(spec, SUCCEEDED, SUCCEEDED, SUCCEEDED, FAILED))
    before[undone] = Recorded(StepRow(StepState(status, 0, 1), attempts=attempts), NEWEST[status] if attempts else None)
    planned = redrive(spec, before)
    assert names(spec, planned.resets) == (["paid", "noted", "fails"] if begun else ["fails"])
    assert planned.steps[undone].state == StepState(PENDING, 1)
    assert planned.steps[undone].attempts == attempts
    assert planned.counters.ready == 1
    assert planned.due == ((0,) if begun else (3,))


def test_every_status_but_pending_and_running_can_be_reset() -> None:
    assert STEP_MOVES["reset"].sources == frozenset(StepStatus) - {PENDING, StepStatus.RUNNING}
