"""docs/control-flow.md names, of each of the twenty patterns, a test that there is; and every excerpt is run."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integration.engine.excerpts import PAGE, excerpts

TESTS = "\n".join(path.read_text() for path in sorted(Path(__file__).parent.glob("test_control_flow_*.py")))
PATTERNS = re.findall(r"^### (\d+)\. ([^\n]*)\n\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def test_the_twenty_patterns_are_there_each_with_a_test_that_exists() -> None:
    assert [int(number) for number, _, _ in PATTERNS] == list(range(1, 21))
    for _, title, text in PATTERNS:
        named = re.findall(r"`(test_[a-z_]+)`", text)
        assert named, title
        assert [name for name in named if f"def {name}(" not in TESTS] == [], title


def test_two_of_the_twenty_are_not_there_and_the_page_says_so() -> None:
    assert [title for _, title, text in PATTERNS if text.startswith("**Not")] == ["Multi-merge", "Arbitrary cycles"]


def test_every_excerpt_is_run_by_a_test() -> None:
    assert len(excerpts()) == 19
    assert [name for name in excerpts() if f'"{name}"' not in TESTS] == []


def test_every_file_of_tests_that_the_page_names_exists() -> None:
    named = re.findall(r"`(?:tests/integration/engine/)?(test_[a-z_]+\.py)`", PAGE.read_text())
    assert len(named) == 10
    assert [name for name in named if not (Path(__file__).parent / name).exists()] == []
