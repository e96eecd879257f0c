"""The pages under docs/ say what the code says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from executions import state_machine

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = ("config", "contract", "executions", "orchestrator", "tenants", "workflows")
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
WORD = re.compile(r"[a-z]+(_[a-z]+)*")


def page(name: str) -> str:
    return (CHECKOUT / "docs" / name).read_text()


def calls() -> Iterator[ast.Call]:
    """Every call in every source file."""
    for room in ROOMS:
        for path in (CHECKOUT / room).rglob("*.py"):
            yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def words_told() -> set[str]:
    """Every reason, code and kind that stands in the source as text; of f-strings a pattern."""
    found = set(class_reasons())
    for call in calls():
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        found |= {pattern(keyword.value) for keyword in call.keywords if keyword.arg == "reason"}
        position = {"FieldProblem": 1, "report": 1, "refuse": 1, "ActionFailed": 0, "StepFailed": 0, "Failure": 0}.get(
            name
        )
        if position is not None and len(call.args) > position:
            found.add(pattern(call.args[position]))
    return {word for word in found if word}


def class_reasons() -> Iterator[str]:
    for room in ROOMS:
        for path in (CHECKOUT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    yield from (
                        pattern(line.value)
                        for line in node.body
                        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "reason"
                    )


def pattern(value: ast.expr) -> str:
    """The word that `value` is, `[a-z_]+` for each part of an f-string that is not known; "" for anything else."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value if WORD.fullmatch(value.value) else ""
    if isinstance(value, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "[a-z_]+" for part in value.values]
        return "".join(map(str, parts))
    return ""


def test_every_reason_word_in_the_code_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", page("api.md").split("## Errors")[1]))
    told = words_told()
    assert len(told) > 50
    assert sorted(word for word in told if not any(re.fullmatch(word, known) for known in explained)) == []


def test_the_state_machine_is_the_one_of_the_table() -> None:
    assert page("state-machine.md") == state_machine.page(), (
        "python -m executions.state_machine > docs/state-machine.md"
    )


def test_every_setting_is_in_the_table_and_every_row_is_a_setting() -> None:
    sources = [CHECKOUT / "config" / "settings.py", CHECKOUT / "config" / "stack" / "data_dir.py"]
    source = "\n".join(path.read_text() for path in sources)
    read = set(re.findall(r"""(?:env\.(?:str|int|float|bool|list)|environ\.get)\("([A-Z_]+)\"""", source))
    table = page("operations.md").split("## Settings")[1].split("## Logs")[0]
    rows = {
        name
        for line in table.splitlines()
        for name in re.findall(r"`([A-Z_]+)`", line.split("|")[1] if "|" in line else "")
    }
    assert rows == read


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_and_every_file_that_is_named_exists(path: Path) -> None:
    text = path.read_text()
    links = [path.parent / link for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)]
    files = [CHECKOUT / name for name in re.findall(rf"`((?:{'|'.join(ROOMS)})/[a-z_/.]*)`", text)]
    assert [str(named) for named in [*links, *files] if not named.exists()] == []


def test_decisions_are_dated_and_short() -> None:
    decisions = page("decisions.md").split("\n# Libraries")[0].split("\n## ")[1:]
    assert len(decisions) > 10
    for decision in decisions:
        title, *lines = decision.strip().splitlines()
        assert re.match(r"\d{4}-\d{2}-\d{2}: ", title), title
        assert len([line for line in lines if line]) <= 5, title


def test_every_library_of_the_product_has_its_reason() -> None:
    declared = re.search(r"\ndependencies = \[\n(.*?)\n\]", (CHECKOUT / "pyproject.toml").read_text(), re.DOTALL)
    assert declared is not None
    names = re.findall(r'"([a-z0-9-]+)', declared.group(1))
    told = page("decisions.md").split("\n# Libraries")[1]
    assert [name for name in names if f"| {name} |" not in told] == []
