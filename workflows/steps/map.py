"""map: one step for each item of a list that is known only at run time. The item's step is read by bodies.py."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contract.json_values import JSON, dump
from workflows.expressions import Expression, Scope
from workflows.failures import StepFailed
from workflows.programs import MapProgram
from workflows.reading import Members
from workflows.spec import PARTS
from workflows.templating import Template
from workflows.tools import ToolRegistry

MAX_PARALLEL = 100

_PERCENTAGE = re.compile(r"(\d{1,2}|100)%\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Tolerance:
    """How many of the items may fail: a number, or a percentage of them."""

    number: int = 0
    is_percentage: bool = False

    def of(self, items: int) -> int:
        return items * self.number // 100 if self.is_percentage else self.number


class Map(MapProgram):
    def __init__(self, over: Expression | Template, max_parallel: int, tolerance: _Tolerance) -> None:
        self._over = over
        self.max_parallel = max_parallel
        self._tolerance = tolerance

    def resolve(self, scope: Scope) -> list[JSON]:
        items = self._items(scope)
        if len(items) > PARTS:
            raise StepFailed("too_many_items", f"`over` has {len(items):,} items, and a map takes {PARTS:,} at most")
        return items

    def tolerated(self, items: int) -> int:
        return self._tolerance.of(items)

    def _items(self, scope: Scope) -> list[JSON]:
        if isinstance(self._over, Template):
            written: list[JSON] = self._over.resolve(scope)
            return written
        items = self._over.evaluate(scope)
        if not isinstance(items, list):
            message = f"a map goes over a list, and `{self._over.text[:200]}` is {dump(items)[:100]}"
            raise StepFailed("not_a_list", message)
        return items


def compile_config(config: Members, _tools: ToolRegistry) -> Map | None:
    known = len(config.notes.problems)
    over = _over(config)
    _check_target(config)
    max_parallel = config.integer("max_parallel", MAX_PARALLEL, least=1, most=1_000)
    tolerance = _tolerance(config)
    config.refuse_others()
    return None if over is None or len(config.notes.problems) > known else Map(over, max_parallel, tolerance)


def _over(config: Members) -> Expression | Template | None:
    written = config.take("over", required=True)
    if isinstance(written, str):
        return config.condition("over")
    if isinstance(written, list):
        if len(written) > PARTS:
            config.report("over", "invalid", f"a map goes over {PARTS:,} items at most")
        return config.template("over")
    if written is not None:
        config.report("over", "wrong_type", "`over` is an expression that yields a list, or a list")
    return None


def _check_target(config: Members) -> None:
    config.take("step")
    by_workflow = config.take("workflow_id") is not None
    if config.has("step") and by_workflow:
        config.report("workflow_id", "invalid", "a map has either a `step` or a `workflow_id`")
    elif not config.has("step") and not by_workflow:
        config.report("step", "missing", "a map has a `step` or a `workflow_id`")
    for name in ("version", "input"):
        if by_workflow:
            config.take(name)
        else:
            config.refuse(name, "invalid", f"`{name}` goes with `workflow_id`")


def _tolerance(config: Members) -> _Tolerance:
    written = config.take("tolerate")
    if written is None:
        return _Tolerance()
    if type(written) is int and 0 <= written <= PARTS:
        return _Tolerance(written)
    if isinstance(written, str) and _PERCENTAGE.match(written):
        return _Tolerance(int(written[:-1]), is_percentage=True)
    config.report("tolerate", "invalid", f"`tolerate` is a number from 0 to {PARTS:,}, or a percentage such as 10%")
    return _Tolerance()
