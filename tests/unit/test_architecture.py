"""The rules on imports cover everything there is; lint-imports itself holds them."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[A-Za-z0-9._-]+")
OUTSIDE = {"bench", "examples", "tests"}
CLIENT = CHECKOUT / "client" / "traceway"
PRODUCT = CHECKOUT / "pyproject.toml"
CLIENT_PROJECT = CHECKOUT / "client" / "pyproject.toml"


def import_rules() -> dict[str, Any]:
    """The import-linter section of pyproject.toml."""
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        rules: dict[str, Any] = tomllib.load(file)["tool"]["importlinter"]
    return rules


def contract(name: str) -> dict[str, Any]:
    """One contract of them."""
    found: dict[str, Any] = next(rule for rule in import_rules()["contracts"] if rule["id"] == name)
    return found


def python_files() -> list[Path]:
    """Every source file of the rooms and of the client, migrations left out."""
    folders = [CLIENT, *(CHECKOUT / room for room in contract("rooms")["layers"])]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return [path for path in files if "migrations" not in path.parts]


def test_every_package_at_the_top_is_a_room_with_a_layer() -> None:
    packages = {path.parent.name for path in CHECKOUT.glob("*/__init__.py")} - OUTSIDE
    assert packages == set(contract("rooms")["layers"]) == set(import_rules()["root_packages"]) - {CLIENT.name}


def test_the_client_and_the_service_share_nothing_but_how_a_record_is_verified() -> None:
    rooms = set(contract("rooms")["layers"])
    there, back = contract("client"), contract("service")
    shared = {allowed.split(" -> ")[1] for allowed in back["ignore_imports"]}
    assert shared == {"traceway.records", "traceway.records.**"}
    assert set(there["source_modules"]) == set(back["forbidden_modules"]) == {CLIENT.name}
    assert rooms == set(back["source_modules"]) == set(there["forbidden_modules"]) - {"django"}


def test_the_client_declares_what_it_imports_and_all_of_it_is_the_products_too() -> None:
    declared = [tomllib.loads(path.read_text())["project"]["dependencies"] for path in (PRODUCT, CLIENT_PROJECT)]
    product, client = ({spelled(NAME.findall(line)[0]) for line in lines} for lines in declared)
    assert client < product
    providers = packages_distributions()
    used = {
        spelled(name)
        for path, module in imported()
        if path.is_relative_to(CLIENT)
        for name in providers.get(module, [])
    }
    assert used - {CLIENT.name} == client


@pytest.mark.parametrize("module", contract("pure")["source_modules"])
def test_a_module_said_to_be_pure_exists(module: str) -> None:
    path = CHECKOUT / module.replace(".", "/")
    assert path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def test_no_file_is_a_bucket() -> None:
    names = {path.stem for path in python_files()} | {path.parent.name for path in python_files()}
    assert not names & {"utils", "util", "common", "helpers", "base", "misc"}


def test_no_file_is_longer_than_400_lines() -> None:
    assert [named(path) for path in python_files() if len(path.read_text().splitlines()) > 400] == []


def test_no_function_is_longer_than_60_lines() -> None:
    lines = {f"{named(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1 for path, node in functions()}
    assert {name: count for name, count in lines.items() if count > 60} == {}


def test_every_file_says_what_lives_in_it() -> None:
    texts = {named(path): path.read_text() for path in python_files()}
    assert [name for name, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))] == []


def test_imports_stand_at_the_top() -> None:
    inner = [(path, node.name) for path, node in functions() if any(map(is_import, ast.walk(node)))]
    assert inner == []


def test_every_library_that_is_imported_is_declared() -> None:
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        declared = {spelled(NAME.findall(line)[0]) for line in tomllib.load(file)["project"]["dependencies"]}
    providers = packages_distributions()
    undeclared = {
        (named(path), module)
        for path, module in imported()
        if module in providers
        and module != CLIENT.name
        and not declared & {spelled(name) for name in providers[module]}
    }
    assert undeclared == set()


def spelled(name: str) -> str:
    """A distribution's name as every index normalises it."""
    return name.lower().replace("_", "-")


def imported() -> Iterator[tuple[Path, str]]:
    """Every (file, top-level module it imports)."""
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield path, (node.module or "").split(".")[0]


def named(path: Path) -> str:
    """The path as the reader of a failure wants it."""
    return str(path.relative_to(CHECKOUT))


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function of every source file."""
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def is_import(node: ast.AST) -> bool:
    """Whether `node` imports something."""
    return isinstance(node, ast.Import | ast.ImportFrom)
