"""The lineage of records made by hand: no engine, no database."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from contract import json_values
from executions.provenance.chains_places import Asked, At, BadPath, Place, path_of, read_path
from executions.provenance.sources import lineage_of
from executions.provenance.sources_fields import config_of, config_pointer, leaves, written_at
from executions.provenance.sources_payloads import ABSENT, found_at
from workflows.definition import parse_definition
from workflows.tools import ToolRegistry

EXECUTION = UUID("0197e1a4-0000-7000-8000-000000000001")
STEPS: list[dict[str, Any]] = [
    {"name": "a", "type": "transform", "config": {"output": "${{ input.x }}"}},
    {
        "name": "b",
        "type": "agent",
        "config": {"task": "t", "arguments": {"v": "${{ steps.a.output.y }}"}},
        "depends_on": ["a"],
    },
]


TOOLS = ToolRegistry()
TOOLS.tool("noop")(lambda arguments, _context: arguments)


def sha(value: Any) -> str:
    return hashlib.sha256(json_values.stored(value).encode()).hexdigest()


class Record:
    """A record that is told event by event."""

    def __init__(self, steps: list[dict[str, Any]], given: Any, **submission: Any) -> None:
        text = json_values.stored({"name": "w", "steps": steps})
        asked = {"input": given, "parameters": {}, "application_data": None, "parent_id": None}
        asked |= {"outcome_expression": None, **submission}
        for name in ("input", "parameters"):
            asked[name] = json_values.stored(asked[name])
        self.execution = SimpleNamespace(
            id=EXECUTION,
            submission=SimpleNamespace(**asked),
            version=SimpleNamespace(definition=text),
            output=None,
            outcome=None,
        )
        self.steps = [SimpleNamespace(index=index, name=step["name"]) for index, step in enumerate(steps)]
        self.attempts: list[Any] = []
        self.runs: list[Any] = []
        self.events: list[Any] = []

    def tell(self, type_: str, step: str | None = None, **data: Any) -> Record:
        body = json_values.stored({"data": data})
        self.events.append(SimpleNamespace(sequence=len(self.events) + 1, type=type_, step=step, body=body))
        return self

    def attempt(self, step: str, number: int, given: Any, came_to: Any = ABSENT) -> Record:
        index = next(one.index for one in self.steps if one.name == step)
        texts = [None if value is ABSENT else json_values.stored(value) for value in (given, came_to)]
        self.attempts.append(SimpleNamespace(step_index=index, number=number, input=texts[0], output=texts[1]))
        told = {} if given is ABSENT else {"input": sha(given)}
        self.tell("step.started", step, attempt=number, **told)
        return self if came_to is ABSENT else self.tell("step.succeeded", step, attempt=number)

    def rows(self, upto: int | None = None) -> list[dict[str, Any]]:
        return lineage_of(self, len(self.events) if upto is None else upto, lambda column: column)


def test_a_row_tells_the_field_and_its_source_with_the_digests_of_both() -> None:
    record = Record(STEPS, {"x": {"y": 1}})
    record.attempt("a", 1, {"input.x": {"y": 1}}, {"y": 1})
    record.attempt("b", 1, {"task": "t", "arguments": {"v": 1}})
    assert record.rows() == [
        {
            "step": "a",
            "number": 1,
            "field": "/input.x",
            "value": sha({"y": 1}),
            "kind": "input",
            "name": None,
            "attempt": None,
            "pointer": "/x",
            "expression": "input.x",
            "digest": sha({"y": 1}),
        },
        {
            "step": "b",
            "number": 1,
            "field": "/arguments/v",
            "value": sha(1),
            "kind": "step",
            "name": "a",
            "attempt": 1,
            "pointer": "/y",
            "expression": "steps.a.output.y",
            "digest": sha(1),
        },
    ]


def test_it_is_the_newest_attempt_that_succeeded_before() -> None:
    record = Record(STEPS, {"x": {"y": 1}})
    record.attempt("a", 1, {"input.x": {"y": 1}}).tell("step.failed", "a", attempt=1)
    record.attempt("a", 2, {"input.x": {"y": 1}}, {"y": 2})
    record.attempt("b", 1, {"task": "t", "arguments": {"v": 2}})
    record.attempt("a", 3, {"input.x": {"y": 1}}, {"y": 3})
    (row,) = (row for row in record.rows() if row["step"] == "b")
    assert (row["attempt"], row["digest"]) == (2, sha(2))


def test_of_a_step_that_was_reset_nothing_is_read() -> None:
    record = Record(STEPS, {"x": {"y": 1}})
    record.attempt("a", 1, {"input.x": {"y": 1}}, {"y": 2}).tell("step.reset", "a")
    record.attempt("b", 1, {"task": "t", "arguments": {"v": None}})
    (row,) = (row for row in record.rows() if row["step"] == "b")
    assert (row["attempt"], row["digest"], row["value"]) == (None, None, sha(None))


def test_each_run_has_its_own_parameters() -> None:
    steps = [{"name": "a", "type": "agent", "config": {"task": "t", "arguments": {"v": 1}}}]
    record = Record(steps, {}, parameters={"a": {"arguments": {"v": 3}}})
    record.runs.append(SimpleNamespace(parameters="{}"))
    record.attempt("a", 1, {"task": "t", "arguments": {"v": 1}}).tell("execution.redriven")
    record.attempt("a", 2, {"task": "t", "arguments": {"v": 3}})
    assert [(row["number"], row["pointer"], row["digest"]) for row in record.rows()] == [
        (2, "/a/arguments/v", sha(3)),
    ]


def test_an_attempt_without_a_recorded_input_has_no_fields() -> None:
    record = Record(STEPS, {"x": 1}).attempt("a", 1, ABSENT)
    assert record.rows() == []


def test_an_outcome_that_was_given_was_made_from_nothing() -> None:
    for given in (True, False):
        record = Record(STEPS[:1], {"x": 1}, outcome_expression="output.a")
        record.execution.output = json_values.stored({"a": "pass"})
        record.attempt("a", 1, {"input.x": 1}, "pass")
        if given:
            record.tell("execution.continued", outcome="pass")
        record.tell("execution.succeeded", outcome=sha("pass"))
        assert any(row["field"] == "/outcome" for row in record.rows()) is not given


def test_what_is_told_of_fewer_events_is_the_beginning() -> None:
    record = Record(STEPS, {"x": {"y": 1}}).attempt("a", 1, {"input.x": {"y": 1}}, {"y": 1})
    record.attempt("b", 1, {"task": "t", "arguments": {"v": 1}})
    for upto in range(len(record.events) + 1):
        assert record.rows(upto) == record.rows()[: len(record.rows(upto))]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/input", Asked(At.INPUT)),
        ("/input/a~1b/0", Asked(At.INPUT, "/a~1b/0")),
        ("/steps/x/input/y", Asked(At.STEP_INPUT, "/y", "x")),
        ("/steps/each[3]/output", Asked(At.STEP_OUTPUT, "", "each[3]")),
        ("/steps/x/attempts/2/output/y", Asked(At.STEP_OUTPUT, "/y", "x", 2)),
        ("/runs/1/parameters/p", Asked(At.PARAMETERS, "/p", run=0)),
        ("/outcome", Asked(At.OUTCOME)),
    ],
)
def test_a_path_that_is_read_is_told_the_same_way(path: str, asked: Asked) -> None:
    assert read_path(path) == asked
    place = Place(EXECUTION, asked.at, asked.pointer, asked.step, asked.number, asked.run)
    assert path_of(place, None) == path


@pytest.mark.parametrize(
    "path",
    ["", "input", "/", "/other", "/steps", "/steps/x", "/steps/x/attempts/0/input", "/steps/x/status", "/runs/0/x"],
)
def test_anything_else_is_no_path(path: str) -> None:
    with pytest.raises(BadPath):
        read_path(path)


def test_fields_are_found_in_either_spelling_of_a_step() -> None:
    spec = parse_definition(
        {
            "name": "w",
            "steps": [
                {"action": "noop", "parameters": {"v": "${{ input.x }}"}},
                {"name": "t", "action": "transform", "parameters": {"output": "${{ input.y }}"}},
            ],
        },
        TOOLS,
    )
    first, second = spec.steps
    assert [config_pointer(first, written) for written in first.references_by_field] == ["/arguments/v"]
    assert [config_pointer(second, written) for written in second.references_by_field] == ["/output"]
    assert config_of(spec, first) == {"tool": "noop", "arguments": {"v": "${{ input.x }}"}}
    assert written_at(spec, first, "/arguments/v") == "${{ input.x }}"


def test_the_places_that_a_patch_sets() -> None:
    assert list(leaves({"a": {"b": 1, "c": None}, "d": [{"e": 1}]}, "")) == ["/a/b", "/d"]


def test_a_pointer_leads_nowhere_without_raising() -> None:
    assert found_at({"a": [1]}, "/a/0") == 1
    for pointer in ("/a/1", "/a/x", "/b", "/a/0/c", "/a/-1"):
        assert found_at({"a": [1]}, pointer) is ABSENT


def test_the_rows_of_an_attempt_stand_in_the_order_of_their_fields() -> None:
    arguments = {"z": "${{ input.b }}", "a": "${{ input.c }} ${{ input.a }}"}
    record = Record([{"name": "s", "type": "agent", "config": {"task": "t", "arguments": arguments}}], {})
    record.attempt("s", 1, {"task": "t", "arguments": {"z": 1, "a": "2 3"}})
    assert [(row["field"], row["expression"]) for row in record.rows()] == [
        ("/arguments/a", "input.a"),
        ("/arguments/a", "input.c"),
        ("/arguments/z", "input.b"),
    ]
