"""The JSON excerpts of docs/control-flow.md, which the tests run so that the page cannot rot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[3] / "docs" / "control-flow.md"
_EXCERPT = re.compile(r"<!-- excerpt: ([a-z0-9-]+) -->\n```json\n(.*?)\n```", re.DOTALL)


def excerpts() -> dict[str, list[dict[str, Any]]]:
    """The steps of every excerpt, by its name."""
    return {name: json.loads(text) for name, text in _EXCERPT.findall(PAGE.read_text())}


def excerpt(name: str) -> list[dict[str, Any]]:
    return excerpts()[name]
