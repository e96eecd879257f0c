"""The file of results and the page that is made from it."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from bench import page, results, telling
from tests.unit.bench.runs import run_of, usual

VALID = jsonschema_rs.validator_for(orjson.loads(results.SCHEMA.read_bytes()))


def test_what_is_kept_is_read_again_as_it_was(tmp_path: Path) -> None:
    run = run_of(usual())
    results.save(run, tmp_path / "results.json")
    assert results.load(tmp_path / "results.json") == run


def test_what_is_kept_is_as_the_schema_says(tmp_path: Path) -> None:
    results.save(run_of(usual()), tmp_path / "results.json")
    VALID.validate(orjson.loads((tmp_path / "results.json").read_bytes()))


def test_the_schema_refuses_a_note_that_holds_a_path_of_the_machine(tmp_path: Path) -> None:
    outcome = usual()
    outcome.notes = ["see /home/somebody/log"]
    results.save(run_of(outcome), tmp_path / "results.json")
    assert not VALID.is_valid(orjson.loads((tmp_path / "results.json").read_bytes()))


def test_a_row_says_median_spread_and_how_it_compares() -> None:
    cells = [row.cells() for row in telling.rows(usual())]
    assert cells == [
        ("how long it takes", "Traceway", "10 ms", "10 to 13.5", "2x", ""),
        ("", "the floor", "5 ms", "5 to 5", "", "0.5x as good"),
        ("", "other", "30 ms", "30 to 31", "6x", "3x as good"),
    ]


def test_the_goals_say_what_was_wanted_and_found() -> None:
    [verdict] = usual().verdicts
    assert telling.goal_cells(verdict) == ("twice as fast as the other", "at least 2x", "3x", "met")


def test_the_page_keeps_its_words_and_gets_the_tables_between_its_marks() -> None:
    text = f"# Before\n\n{page.BEGIN}\nold\n{page.END}\n\nafter\n"

    made = page.with_results(text, run_of(usual()))

    assert made.startswith(f"# Before\n\n{page.BEGIN}\n")
    assert made.endswith(f"{page.END}\n\nafter\n")
    assert "old" not in made
    assert "| how long it takes | Traceway | 10 ms | 10 to 13.5 | 2x |  |" in made
    assert "| a \\| b | 1 |" in made
    assert page.with_results(made, run_of(usual())) == made


def test_what_others_used_of_the_machine_before_a_workload_is_told() -> None:
    loud, still = usual(), usual()
    loud.load, still.load = {"others": 0.42}, {"others": 0.02}
    assert run_of(loud, still).noisy == [loud]
    assert "load average 0.1; by others, before A made-up workload (42%)." in page.results(run_of(loud, still))
    assert "by others" not in page.results(run_of(still))


def test_what_is_held_for_minutes_is_drawn() -> None:
    held = usual()
    held.name = "sustain"
    assert f"![{held.title}](images/sustained.svg)" in page.results(run_of(held))
    assert "svg" not in page.results(run_of(usual()))


def test_a_page_without_the_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="marks"):
        page.with_results("# Nothing", run_of(usual()))


def test_the_page_in_the_checkout_is_made_from_the_results_beside_it() -> None:
    run = results.load(results.RESULTS)
    VALID.validate(orjson.loads(results.RESULTS.read_bytes()))
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_results(text, run) == text, "python -m bench --docs-only"
