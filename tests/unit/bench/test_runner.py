"""How contestants take turns."""

from __future__ import annotations

from tests.unit.bench.runs import carried_out, run_of, workload


def test_contestants_take_turns_round_after_round() -> None:
    order: list[str] = []
    values = {name: [1.0] * 4 for name in ("ours", "floor", "other")}

    carried_out(workload(values, order), 3)

    assert order == ["ours", "floor", "other"] * 4


def test_a_warm_up_round_is_carried_out_and_not_counted() -> None:
    values = {"ours": [99.0, 1, 2, 3], "floor": [99.0, 1, 1, 1], "other": [99.0, 7, 7, 7]}

    outcome = carried_out(workload(values, []), 3)

    assert {one.contestant: one.samples for one in outcome.measured} == {
        "Traceway": [1, 2, 3],
        "the floor": [1, 1, 1],
        "other": [7, 7, 7],
    }
    assert (outcome.rounds, outcome.warm_ups) == (3, 1)


def test_a_contestant_that_fails_is_left_out_from_then_on_and_a_note_says_why() -> None:
    order: list[str] = []
    values = {"ours": [1.0] * 4, "floor": [1.0, 1.0], "other": [7.0] * 4}

    outcome = carried_out(workload(values, order), 3)

    assert order.count("floor") == 3
    assert order.count("ours") == order.count("other") == 4
    assert outcome.notes == ["the floor failed: floor is out of values"]
    assert not run_of(outcome).passed


def test_a_run_in_which_this_product_failed_has_not_passed_though_no_goal_was_missed() -> None:
    outcome = carried_out(workload({"ours": [], "floor": [1.0] * 4, "other": [7.0] * 4}, []), 3)

    assert outcome.failed
    assert [verdict.met for verdict in outcome.verdicts] == [None]
    assert not run_of(outcome).passed


def test_after_each_turn_of_this_product_and_before_the_next_one_its_work_is_waited_for() -> None:
    order: list[str] = []

    carried_out(workload({name: [1.0] * 2 for name in ("ours", "floor", "other")}, order), 1, lambda: order.append("-"))

    assert order == ["-", *["ours", "-", "floor", "other", "-"] * 2]


def test_a_goal_is_judged_by_medians() -> None:
    values = {"ours": [1.0, 10, 10, 90], "floor": [1.0] * 4, "other": [1.0, 20, 25, 1]}

    [verdict] = carried_out(workload(values, []), 3).verdicts

    assert (verdict.value, verdict.met) == (2, True)
