"""retry.on: which errors are tried again, by kind, by HTTP status, by a condition."""

from __future__ import annotations

from typing import Any

import pytest

from contract.json_values import JSON
from tests.unit.workflows.writing import named, parse, problems
from workflows.spec import ErrorFilter


def filtered(on: Any) -> ErrorFilter:
    found = parse(named("a", retry={"on": on})).steps[0].retry.on
    assert found is not None
    return found


def error(kind: str = "http_status", details: JSON = None) -> dict[str, JSON]:
    return {"kind": kind, "message": "m", "details": details}


def status(code: int) -> dict[str, JSON]:
    return error(details={"status": code})


def test_kinds_statuses_and_classes_are_read() -> None:
    assert filtered(["timeout", 429, "5xx"]) == ErrorFilter(("timeout",), ((429, 429), (500, 599)))


@pytest.mark.parametrize(
    ("found", "covered"),
    [
        (error("timeout"), True),
        (error("lost"), False),
        (status(429), True),
        (status(428), False),
        (status(500), True),
        (status(599), True),
        (status(499), False),
        (error(details=None), False),
        (error(details=["x"]), False),
        (error(details={"status": "500"}), False),
    ],
)
def test_an_error_is_meant_by_any_one_of_them(found: Any, covered: bool) -> None:
    assert filtered(["timeout", 429, "5xx"]).covers(found) is covered


@pytest.mark.parametrize(
    "on", ["error.kind == 'x' || error.details.status in [418]", "${{ error.details.status == 418 }}"]
)
def test_a_condition_on_the_error_says_what_is_meant(on: str) -> None:
    assert filtered(on).covers(status(418))
    assert not filtered(on).covers(status(500))


def test_a_condition_that_errors_or_is_no_boolean_means_nothing() -> None:
    assert not filtered("error.details.status == 418").covers(error("timeout"))
    assert not filtered("error.kind").covers(error("timeout"))


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ([], {("", "invalid")}),
        (5, {("", "invalid")}),
        ({}, {("", "invalid")}),
        (["timeout", 99, 600, "6xx", "", None, True, "a b"], {(f"/{i}", "invalid") for i in range(1, 8)}),
        ("input.x == 1", {("", "bad_expression")}),
        ("error.status == 5", {("", "bad_expression")}),
        ("1 +", {("", "bad_expression")}),
    ],
)
def test_a_filter_that_cannot_be_is_told(on: Any, expected: Any) -> None:
    found = problems(named("a", retry={"on": on}))
    assert found == {(f"/steps/0/retry/on{field}", code) for field, code in expected}
