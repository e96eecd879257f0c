"""WfFormat documents become definitions: names, parents, arguments, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from workflows.definition import parse_definition
from workflows.programs import EffectfulProgram
from workflows.tools import ToolRegistry
from workflows.wfformat import InvalidWfFormat, definition_of

REPO = Path(__file__).resolve().parents[2]
SMALL = REPO / "tests" / "data" / "small_wfformat.json"
REAL = sorted((REPO.parent / "shared" / "data" / "wfinstances").glob("*.json"))
TOOLS = ToolRegistry()
TOOLS.tool("noop", arguments={"type": "object"})(lambda arguments, _: arguments)


def small() -> Any:
    return json.loads(SMALL.read_text())


def of_tasks(*tasks: dict[str, Any]) -> dict[str, Any]:
    return definition_of({"name": "w", "workflow": {"specification": {"tasks": list(tasks)}}})


def parents(definition: dict[str, Any]) -> dict[str, list[str]]:
    return {step["name"]: step["depends_on"] for step in definition["steps"]}


def test_every_task_becomes_a_noop_step_that_carries_its_files_and_run_time() -> None:
    definition = definition_of(small())
    assert (definition["name"], len(definition["steps"])) == ("press-review", 5)
    assert definition["steps"][0]["type"] == "tool_call"
    assert definition["steps"][0]["config"] == {
        "tool": "noop",
        "arguments": {
            "task": "fetch",
            "id": "1 fetch",
            "input_files": ["addresses.txt"],
            "output_files": ["pages.tar"],
            "runtime_seconds": 2.5,
        },
    }


def test_a_task_without_a_measured_run_time_carries_none() -> None:
    definition = definition_of(small())
    assert "runtime_seconds" not in definition["steps"][1]["config"]["arguments"]


def test_a_file_named_like_an_expression_stays_a_name() -> None:
    definition = of_tasks({"name": "a", "inputFiles": ["${{ input }}"]})
    program = parse_definition(definition, TOOLS).steps[0].program
    assert isinstance(program, EffectfulProgram)
    assert program.resolve({})["arguments"]["input_files"] == ["${{ input }}"]


def test_names_are_made_legal_and_stay_apart() -> None:
    names = [step["name"] for step in definition_of(small())["steps"]]
    assert names == ["task_1_fetch", "cut", "translate_de", "translate_de-2", "bind"]


def test_long_names_are_cut_to_a_hundred_characters_and_stay_apart() -> None:
    names = [step["name"] for step in of_tasks(*({"name": "x", "id": "a" * 120 + end} for end in "bcd"))["steps"]]
    assert names == ["a" * 100, "a" * 98 + "-2", "a" * 98 + "-3"]


def test_a_made_name_does_not_collide_with_a_name_of_the_document() -> None:
    names = [
        step["name"] for step in of_tasks(*({"name": "x", "id": i} for i in ("a-2", "a b", "a_b", "a#b")))["steps"]
    ]
    assert names == ["a-2", "a_b", "a_b-2", "a_b-3"]


def test_parents_come_from_both_ends_each_once() -> None:
    assert parents(definition_of(small())) == {
        "task_1_fetch": [],
        "cut": ["task_1_fetch"],
        "translate_de": ["task_1_fetch"],
        "translate_de-2": ["task_1_fetch"],
        "bind": ["cut", "translate_de", "translate_de-2"],
    }


def test_the_definition_is_valid() -> None:
    spec = parse_definition(definition_of(small()), TOOLS)
    assert [[spec.steps[index].name for index in wave] for wave in spec.waves] == [
        ["task_1_fetch"],
        ["cut", "translate_de", "translate_de-2"],
        ["bind"],
    ]


def test_a_document_of_schema_1_4_refers_by_name_and_keeps_files_and_run_times_on_the_task() -> None:
    first = {
        "name": "first",
        "id": "ID1",
        "runtimeInSeconds": 3,
        "children": ["second"],
        "files": [
            {"link": "input", "name": "in.txt", "sizeInBytes": 1},
            {"link": "output", "name": "out.txt", "sizeInBytes": 1},
        ],
    }
    second = {"name": "second", "id": "ID2", "parents": ["first"], "files": []}
    definition = definition_of({"name": "w", "schemaVersion": "1.4", "workflow": {"tasks": [first, second]}})
    assert parents(definition) == {"ID1": [], "ID2": ["ID1"]}
    assert definition["steps"][0]["config"]["arguments"] == {
        "task": "first",
        "id": "ID1",
        "input_files": ["in.txt"],
        "output_files": ["out.txt"],
        "runtime_seconds": 3,
    }


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ([], "the document is not an object"),
        ({"name": "w"}, "`workflow` is missing"),
        ({"name": "w", "workflow": {}}, "has no tasks"),
        ({"name": "w", "workflow": {"specification": {"tasks": []}}}, "has no tasks"),
        ({"name": "w", "workflow": {"specification": []}}, "`workflow.specification` is not an object"),
        ({"workflow": {"tasks": [{"name": "a"}]}}, "`name` of the document is missing"),
        ({"name": "w", "workflow": {"tasks": ["a"]}}, "task 0 is not an object"),
        ({"name": "w", "workflow": {"tasks": [{"id": "a"}]}}, "`name` of task 0 is missing"),
        ({"name": "w", "workflow": {"tasks": [{"name": "a", "id": 7}]}}, "`id` of task 0 is missing or is no text"),
        (
            {"name": "w", "workflow": {"tasks": [{"name": "a", "parents": "b"}]}},
            "`parents` of the task 'a' is not a list",
        ),
        ({"name": "w", "workflow": {"tasks": [{"name": "a", "files": {}}]}}, "`files` of the task 'a' is not a list"),
    ],
)
def test_a_document_that_is_no_wfformat_is_refused_by_what_is_wrong(document: Any, complaint: str) -> None:
    with pytest.raises(InvalidWfFormat, match=re.escape(complaint)):
        definition_of(document)


@pytest.mark.parametrize(
    ("tasks", "complaint"),
    [
        ([{"name": "a", "parents": ["b"]}], "the parent 'b' of the task 'a' is no task of the document"),
        ([{"name": "a", "children": ["b"]}], "the child 'b' of the task 'a' is no task of the document"),
        ([{"name": "a"}, {"name": "a"}], "two tasks have the id 'a'"),
        (
            [{"name": "a", "id": "1"}, {"name": "a", "id": "2"}, {"name": "b", "parents": ["a"]}],
            "the parent 'a' of the task 'b' is the name of several tasks",
        ),
        ([{"name": "a", "parents": ["a"]}], "in a circle: a -> a"),
        ([{"name": "a", "parents": ["b"]}, {"name": "b", "parents": ["a"]}], "in a circle"),
        ([{"name": "a", "children": ["b"], "parents": ["b"]}, {"name": "b"}], "in a circle"),
    ],
)
def test_references_that_do_not_fit_together_are_refused_by_name(tasks: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(InvalidWfFormat, match=re.escape(complaint)):
        of_tasks(*tasks)


@pytest.mark.skipif(not REAL, reason="the real traces are not beside this checkout")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_a_real_trace_keeps_its_tasks_and_every_edge_named_at_either_end(path: Path) -> None:
    document = json.loads(path.read_text())
    tasks = document["workflow"]["specification"]["tasks"]
    edges = {(parent, task["id"]) for task in tasks for parent in task["parents"]}
    edges |= {(task["id"], child) for task in tasks for child in task["children"]}
    steps = definition_of(document)["steps"]
    ids = {step["name"]: step["config"]["arguments"]["id"] for step in steps}
    assert [ids[step["name"]] for step in steps] == [task["id"] for task in tasks]
    assert {(ids[parent], ids[step["name"]]) for step in steps for parent in step["depends_on"]} == edges
    assert len(parse_definition(definition_of(document), TOOLS).steps) == len(tasks)
