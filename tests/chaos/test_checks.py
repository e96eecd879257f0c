"""The audit finds what it is for: a right history passes every check, and each kind of damage is found by its own."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.stack.data_dir import CHECKOUT
from executions.events import GENESIS, Happening, chain
from executions.states import Status
from tests.chaos.audit import CHECKS, Evidence, Verdict, audit
from tests.chaos.faults import KINDS, Fault
from tests.chaos.ledger import Arrival, Attempt, Event, Record
from tests.chaos.load import Order
from tests.chaos.recovery import Owed, owed_by, quantile, recovery
from tests.chaos.replay import early_starts
from tests.chaos.shapes import AGAIN, ONCE, Shape

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STEPS: list[Any] = [{"name": "before", "depends_on": []}, {"name": "call", "depends_on": ["before"]}]
SHAPE = Shape("at-most-once effect", STEPS, 1, (ONCE, "call"))
RIGHT = (
    "execution.created",
    "execution.queued",
    "execution.started",
    "step.started before",
    "step.succeeded before",
    "step.started call",
    "step.retrying call",
    "step.started call",
    "step.succeeded call",
    "execution.succeeded",
)


def history(*told: str) -> tuple[list[Event], bytes]:
    """Events of these types (and steps), one a second, chained as the product chains them; and the head."""
    events: list[Event] = []
    head = GENESIS
    for second, words in enumerate(told):
        kind, _, step = words.partition(" ")
        at = BEGAN + timedelta(seconds=second)
        (row,), head = chain("e1", second, head, [Happening(kind, {}, step or None)], at)
        events.append(Event(row.sequence, row.type, row.step, row.body, row.hash, at.timestamp()))
    return events, head


def record(*told: str, status: str = "workflow_succeeded") -> Record:
    events, head = history(*(told or RIGHT))
    made = Record("e1", "key-1", "w1", status, len(events), head, events=events)
    made.steps = {"before": "succeeded", "call": "succeeded"}
    made.attempts = [Attempt("before", 1, "succeeded"), Attempt("call", 1, "failed"), Attempt("call", 2, "succeeded")]
    return made


def evidence(*records: Record) -> Evidence:
    order = Order("key-1", None, posted_at=BEGAN.timestamp(), answered_at=BEGAN.timestamp(), execution_id="e1")
    return Evidence(
        shapes={"w1": SHAPE},
        faults=[Fault("flush", BEGAN.timestamp() + 0.5, "")],
        orders=[order],
        records=records or [record()],
        effects={AGAIN: Counter(), ONCE: Counter({"e1:call": 1})},
        overdue=set(),
        most_live=1,
        held_back=0,
        resolved=0,
    )


def found(verdict: Verdict) -> set[str]:
    return {name for name, lines in verdict.wrong.items() if lines}


def test_a_run_in_which_everything_went_right_passes() -> None:
    verdict = audit(evidence())
    assert found(verdict) == set()
    assert verdict.passed()


def changed(**members: object) -> Evidence:
    return evidence(replace(record(), **members))  # type: ignore[arg-type]


def without_an_event() -> Evidence:
    whole = record()
    return evidence(replace(whole, events=whole.events[:3] + whole.events[4:]))


def with_another_body() -> Evidence:
    whole = record()
    other = replace(whole.events[3], body=whole.events[3].body.replace('"data":{}', '"data":{"x":1}'))
    return evidence(replace(whole, events=[*whole.events[:3], other, *whole.events[4:]]))


def with_effects(path: str, **times: int) -> Evidence:
    right = evidence()
    return replace(right, effects={**right.effects, path: Counter({"e1:call": times["times"]})})


def with_order(**members: object) -> Evidence:
    right = evidence()
    return replace(right, orders=[replace(right.orders[0], **members)])  # type: ignore[arg-type]


EARLY = [
    *RIGHT[:3],
    "step.started before",
    "step.started call",
    "step.succeeded before",
    "step.succeeded call",
    RIGHT[-1],
]
TWICE = [Attempt("before", 1, "succeeded"), Attempt("call", 1, "succeeded"), Attempt("call", 2, "succeeded")]

DAMAGES: list[tuple[str, Callable[[], Evidence]]] = [
    ("posts not answered", lambda: with_order(refused="503", execution_id=None)),
    ("accepted executions lost", lambda: with_order(execution_id="e2", key="key-1")),
    ("keys with two executions", lambda: evidence(record(), replace(record(), id="e2"))),
    ("keys with two executions", lambda: with_order(execution_id="e2")),
    ("stuck or overdue", lambda: evidence(record(*RIGHT[:-1], status="workflow_running"))),
    ("stuck or overdue", lambda: replace(evidence(), overdue={"e1"})),
    ("stuck or overdue", lambda: changed(arrivals=[Arrival("cancel", BEGAN.timestamp() - 30, BEGAN.timestamp() + 1)])),
    (
        "ended otherwise than they should",
        lambda: evidence(record(*RIGHT[:3], "execution.failed", status="workflow_failed")),
    ),
    ("ended otherwise than they should", lambda: changed(steps={"before": "succeeded", "call": "pending"})),
    ("records that do not verify", lambda: replace(evidence(), unverified=["e1 execution steps_left: ..."])),
    ("illegal moves", lambda: evidence(record(*RIGHT[:8], "step.skipped call", RIGHT[-1]))),
    ("illegal moves", lambda: evidence(record(*RIGHT[:2], *RIGHT[3:]))),
    ("illegal moves", lambda: evidence(record(*RIGHT, "execution.cancelled", status="workflow_cancelled"))),
    ("illegal moves", lambda: changed(status="workflow_cancelled")),
    ("illegal moves", lambda: changed(steps={"before": "succeeded", "call": "failed"})),
    ("broken histories", without_an_event),
    ("broken histories", with_another_body),
    ("broken histories", lambda: changed(chain_head=GENESIS)),
    ("broken histories", lambda: changed(last_sequence=9)),
    ("steps started before their needs", lambda: evidence(record(*EARLY))),
    ("steps that succeeded twice", lambda: changed(attempts=TWICE)),
    ("steps that succeeded twice", lambda: changed(attempts=TWICE[:1])),
    ("at-most-once effects repeated", lambda: with_effects(ONCE, times=2)),
    (
        "effects that never came about",
        lambda: replace(evidence(), effects={ONCE: Counter(), AGAIN: Counter()}),
    ),
]


@pytest.mark.parametrize(("name", "damaged"), DAMAGES, ids=lambda value: value if isinstance(value, str) else "")
def test_each_damage_is_found_by_its_check(name: str, damaged: Callable[[], Evidence]) -> None:
    verdict = audit(damaged())
    assert name in found(verdict)
    assert not verdict.passed()


def test_every_check_is_tried() -> None:
    assert {name for name, _ in DAMAGES} == set(CHECKS)


def test_idempotent_effects_may_be_repeated_and_are_counted() -> None:
    verdict = audit(with_effects(AGAIN, times=3))
    assert verdict.passed()
    assert verdict.counts["idempotent effects repeated"] == 1


def test_an_unknown_outcome_that_was_resolved_is_no_illegal_move() -> None:
    unknown = ["step.outcome_unknown call", "execution.waiting", "execution.resumed", "step.retrying call"]
    assert found(audit(evidence(record(*RIGHT[:6], *unknown, *RIGHT[7:])))) == set()


def test_a_shape_that_is_to_fail_must_fail() -> None:
    failed = record(*RIGHT[:-1], "execution.failed", status="workflow_failed")
    doomed = {"w1": replace(SHAPE, end=Status.FAILED)}
    assert found(audit(replace(evidence(failed), shapes=doomed))) == set()
    assert found(audit(replace(evidence(), shapes=doomed))) == {"ended otherwise than they should"}


def since_and_until(owed: Sequence[Owed]) -> list[tuple[float, float]]:
    return sorted((one.since - BEGAN.timestamp(), one.until - BEGAN.timestamp()) for one in owed)


def test_owed_is_every_move_from_when_it_was_possible_until_it_was_made() -> None:
    queued, first, second = (1, 2), [(2, 3), (3, 4)], [(4, 5), (5, 6), (6, 7), (7, 8)]
    assert since_and_until(list(owed_by(record(), SHAPE.needs()))) == [queued, *first, *second]


def test_what_waits_for_an_operator_is_owed_nothing_and_what_never_ends_for_ever() -> None:
    unknown = owed_by(record(*RIGHT[:6], "step.outcome_unknown call"), SHAPE.needs())
    assert since_and_until(list(unknown))[-1] == (5, 6)
    running = owed_by(record(*RIGHT[:6]), SHAPE.needs())
    assert since_and_until(list(running))[-1] == (5, math.inf)


def test_what_arrives_is_owed_until_it_is_worked_in_and_not_after_the_end() -> None:
    second = BEGAN.timestamp()
    arrivals = [Arrival("cancel", second + 8.5, None), Arrival("child_ended", second + 9.5, None)]
    assert since_and_until(list(owed_by(replace(record(), arrivals=arrivals), SHAPE.needs())))[-1] == (8.5, 9)


@pytest.mark.parametrize(
    ("owed", "seconds"),
    [
        ([], 0),
        ([(9, 9.9)], 0),
        ([(9, 12), (9.5, 11)], 2),
        ([(10.5, 11)], 0),
        ([(9, 12), (11, 16)], 6),
        ([(9, 11), (13.5, 16)], 1),
        ([(9, math.inf)], math.inf),
    ],
    ids=["nothing", "done before", "the longest", "in time", "late because of it", "after two quiet seconds", "never"],
)
def test_recovery_is_over_when_all_that_was_owed_is_done_and_nothing_late_follows(
    owed: list[tuple[float, float]], seconds: float
) -> None:
    assert recovery(10.0, [Owed(since, until, "a move") for since, until in owed])[0] == seconds


@pytest.mark.parametrize(("join", "enough"), [("all", False), ("any", True), (2, False), ({"n": 1}, True)])
def test_a_join_needs_as_many_of_its_parents_as_it_says(join: object, enough: bool) -> None:
    steps = [
        *STEPS[:1],
        {"name": "other", "depends_on": []},
        {**STEPS[1], "depends_on": ["before", "other"], "join": join},
    ]
    needs = Shape("join", steps, 1).needs()
    assert (list(early_starts(record(), needs)) == []) is enough
    assert ((4, 5) in since_and_until(list(owed_by(record(), needs)))) is enough


@pytest.mark.parametrize(
    ("owed", "seconds"),
    [([(11.5, 16)], 6), ([(12.5, 16)], 0), ([(9, 16)], 6)],
    ids=["late before the next", "not late yet", "owed before the first"],
)
def test_what_was_not_late_yet_when_the_next_fault_came_is_that_fault_s(
    owed: list[tuple[float, float]], seconds: float
) -> None:
    assert recovery(10.0, [Owed(since, until, "a move") for since, until in owed], 13.0)[0] == seconds


def test_a_slow_recovery_is_no_pass() -> None:
    slow = replace(evidence().orders[0], posted_at=BEGAN.timestamp(), answered_at=BEGAN.timestamp() + 10.5)
    verdict = audit(replace(evidence(), orders=[slow]))
    assert found(verdict) == set()
    assert verdict.recovery(0.99) == 10.0
    assert not verdict.passed()


def test_the_99th_percentile_of_few_values_is_their_greatest() -> None:
    assert [quantile([3, 1, 2], share) for share in (0.5, 0.99, 1.0)] == [2, 3, 3]


def test_the_page_tells_of_every_kind_of_fault_and_names_tests_that_exist() -> None:
    page = (CHECKOUT / "docs" / "reliability.md").read_text()
    assert [kind for kind in KINDS if kind not in page] == []
    known = {
        name
        for path in (CHECKOUT / "tests").rglob("test_*.py")
        for name in re.findall(r"\ndef (\w+)", path.read_text())
    }
    assert [name for name in re.findall(r"`(test_\w+)`", page) if name not in known] == []
