"""Steps as somebody wrote them, in either spelling, brought to one form: name, type, config, what it depends on."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from contract.json_values import JSON
from contract.problems import FieldProblem
from workflows.reading import Members
from workflows.steps import STEP_TYPES

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,99}\Z")
NAME_RULE = "a name is 1 to 100 of letters, digits, `_ . : -`, first a letter"

LATER_TYPES = frozenset({"agent", "llm_inference", "loop", "map", "wait", "workflow"})
"""Words that will be step types, and so are no tools."""

Pointers = tuple[tuple[str, str], ...]
"""Where a config stands in what was written: (prefix in the config, prefix below the step)."""


@dataclass(frozen=True, slots=True)
class WrittenStep:
    """One step before its config is looked at. `depends_on` is None where the text leaves it out.

    `by_action`: written as {action, parameters}, with no name of its own: it follows the step before it.
    """

    index: int
    members: Members
    name: str
    type: str
    action: str
    config: JSON
    depends_on: tuple[str, ...] | None
    by_action: bool
    config_pointers: Pointers

    def locate(self, field: str) -> str:
        """Where a field of the config stands in what was written."""
        for prefix, pointer in self.config_pointers:
            if field == prefix or field.startswith(prefix + "/") or not prefix:
                return self.members.pointer + pointer + field.removeprefix(prefix)
        return self.members.pointer


def read_steps(definition: Members) -> list[WrittenStep]:
    """Every step that can be named; whatever is wrong is noted."""
    known = len(definition.notes.problems)
    entries = definition.objects("steps", required=True, most=10_000)
    if not entries and len(definition.notes.problems) == known:
        definition.report("steps", "invalid", "`steps` has 1 to 10,000 items")
    names = _names(entries)
    return [_step(index, members, names[index]) for index, members in enumerate(entries)]


def _names(entries: list[Members]) -> list[str]:
    """The written names, and for the others the action, with -2, -3 when repeated."""
    written = [_text(members, "name") for members in entries]
    taken = {name for name in written if name}
    repeated: Counter[str] = Counter()
    names = []
    for members, name in zip(entries, written, strict=True):
        action = _text(members, "action")
        names.append(name or (action and _free_name(action, taken, repeated)))
    return names


def _free_name(action: str, taken: set[str], repeated: Counter[str]) -> str:
    while True:
        repeated[action] += 1
        name = action if repeated[action] == 1 else f"{action}-{repeated[action]}"
        if name not in taken:
            taken.add(name)
            return name


def _text(members: Members, name: str) -> str:
    value = members.take(name)
    return value if isinstance(value, str) else ""


def _step(index: int, members: Members, name: str) -> WrittenStep:
    given = members.text("action")
    by_action = members.has("action")
    if members.is_object:
        _check_spelling(members, name, by_action)
    kind = members.text("type") or ""
    pointers: Pointers = (("", "/config"),)
    if not by_action:
        config = members.typed("config", dict)
        members.refuse("parameters", "invalid", "`parameters` goes with `action`; a step with a `type` has a `config`")
    else:
        kind, config, pointers = _of_action(given or "", members.typed("parameters", dict))
        members.refuse("config", "invalid", "`config` goes with `type`; a step with an `action` has `parameters`")
    _check_type(members, kind, by_action)
    action = given or (_tool(config) if kind == "tool_call" else "") or kind
    implicit = by_action and not members.has("name")
    return WrittenStep(index, members, name, kind, action, config or {}, _depends_on(members), implicit, pointers)


def _of_action(action: str, parameters: dict[str, JSON] | None) -> tuple[str, dict[str, JSON] | None, Pointers]:
    if action in STEP_TYPES or action in LATER_TYPES:
        return action, parameters, (("", "/parameters"),)
    config = {"tool": action, "arguments": parameters or {}}
    return "tool_call", config, (("/tool", "/action"), ("/arguments", "/parameters"))


def _tool(config: dict[str, JSON] | None) -> str:
    tool = (config or {}).get("tool")
    return tool if isinstance(tool, str) else ""


def _check_spelling(members: Members, name: str, by_action: bool) -> None:
    if members.has("action") == members.has("type"):
        reason = "a step has either a `type` or an `action`"
        members.notes.problems.append(FieldProblem(members.pointer, "invalid", reason))
    if NAME.match(name):
        return
    if by_action and not members.has("name"):
        members.report("action", "invalid", f"the action gives the step its name, and {NAME_RULE}")
    elif not name:
        members.report("name", "missing", "a step with a `type` has a `name`")
    else:
        members.report("name", "invalid", NAME_RULE)


def _check_type(members: Members, kind: str, by_action: bool) -> None:
    if kind and kind not in STEP_TYPES:
        known = ", ".join(sorted(STEP_TYPES))
        member = "action" if by_action else "type"
        members.report(member, "unknown_type", f"unknown step type `{kind[:100]}`; known: {known}")


def _depends_on(members: Members) -> tuple[str, ...] | None:
    names = members.typed("depends_on", list)
    if names is None:
        return None
    if not all(isinstance(name, str) for name in names):
        members.report("depends_on", "wrong_type", "`depends_on` is a list of names of steps")
        return ()
    return tuple(dict.fromkeys(names))
