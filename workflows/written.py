"""Steps as somebody wrote them, in either spelling, brought to one form: name, type, config, what it depends on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from contract.json_values import JSON
from workflows.names import NAME, NAME_RULE
from workflows.reading import Members
from workflows.steps import STEP_TYPES

MAX_STEPS = 10_000
"""How many steps a definition may have, those in bodies included."""

Pointers = tuple[tuple[str, str], ...]
"""Where a config stands in what was written: (prefix in the config, prefix below the step)."""


@dataclass(slots=True)
class Names:
    """The names of a definition's steps, those in bodies too; `repeated`: how often one was made of an action."""

    taken: set[str] = field(default_factory=set)
    repeated: Counter[str] = field(default_factory=Counter)

    def made_of(self, action: str) -> str:
        """A free name: the action, with -2, -3 when repeated."""
        while True:
            self.repeated[action] += 1
            name = action if self.repeated[action] == 1 else f"{action}-{self.repeated[action]}"
            if name not in self.taken:
                self.taken.add(name)
                return name


@dataclass(frozen=True, slots=True)
class WrittenStep:
    """One step before its config is looked at. `depends_on` is None where the text leaves it out.

    `index` is its place in the list it stands in: the definition's steps, or one body.
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


def read_steps(definition: Members, names: Names | None = None) -> list[WrittenStep]:
    """Every step of a definition that can be named, and its name put among the names; whatever is wrong is noted."""
    known = len(definition.notes.problems)
    entries = definition.objects("steps", required=True, most=MAX_STEPS)
    if not entries and len(definition.notes.problems) == known:
        definition.report("steps", "invalid", f"`steps` has 1 to {MAX_STEPS:,} items")
    return read_list(entries, Names() if names is None else names)


def read_list(entries: list[Members], names: Names) -> list[WrittenStep]:
    """The steps of a list, each under a name that no step of another list has."""
    found = _names(entries, names)
    for members, name in zip(entries, found, strict=True):
        if members.is_object:
            _check_name(members, name)
    return [_step(index, members, found[index]) for index, members in enumerate(entries)]


def read_lone(members: Members, name: str) -> WrittenStep:
    """A step that stands in no list, and is named after the one it belongs to."""
    return _step(0, members, name)


def _names(entries: list[Members], names: Names) -> list[str]:
    """The written names, and for the others one that is made of the action."""
    written = [_text(members, "name") for members in entries]
    for members, name in zip(entries, written, strict=True):
        if name in names.taken:
            members.report("name", "duplicate_name", f"`{name[:100]}` is the name of a step outside this body already")
    names.taken.update(name for name in written if name)
    actions = [_text(members, "action") for members in entries]
    return [name or (action and names.made_of(action)) for name, action in zip(written, actions, strict=True)]


def _text(members: Members, name: str) -> str:
    value = members.take(name)
    return value if isinstance(value, str) else ""


def _step(index: int, members: Members, name: str) -> WrittenStep:
    given = members.text("action")
    by_action = members.has("action")
    if members.is_object:
        _check_spelling(members, by_action)
    kind = members.text("type") or ""
    pointers: Pointers = (("", "/config"),)
    if not by_action:
        config = members.typed("config", dict)
        members.refuse("parameters", "invalid", "`parameters` goes with `action`; a step with a `type` has a `config`")
    else:
        kind, config, pointers = _of_action(given or "", members.typed("parameters", dict))
        members.refuse("config", "invalid", "`config` goes with `type`; a step with an `action` has `parameters`")
    _check_type(members, kind)
    action = given or (_tool(config) if kind == "tool_call" else "") or kind
    implicit = by_action and not members.has("name")
    return WrittenStep(index, members, name, kind, action, config or {}, _depends_on(members), implicit, pointers)


def _of_action(action: str, parameters: dict[str, JSON] | None) -> tuple[str, dict[str, JSON] | None, Pointers]:
    if action in STEP_TYPES:
        return action, parameters, (("", "/parameters"),)
    config = {"tool": action, "arguments": parameters or {}}
    return "tool_call", config, (("/tool", "/action"), ("/arguments", "/parameters"))


def _tool(config: dict[str, JSON] | None) -> str:
    tool = (config or {}).get("tool")
    return tool if isinstance(tool, str) else ""


def _check_spelling(members: Members, by_action: bool) -> None:
    if by_action == members.has("type"):
        members.report_here("invalid", "a step has either a `type` or an `action`")


def _check_name(members: Members, name: str) -> None:
    if NAME.match(name):
        return
    if members.has("action") and not members.has("name"):
        members.report("action", "invalid", f"the action gives the step its name, and {NAME_RULE}")
    elif not name:
        members.report("name", "missing", "a step with a `type` has a `name`")
    else:
        members.report("name", "invalid", NAME_RULE)


def _check_type(members: Members, kind: str) -> None:
    if kind and kind not in STEP_TYPES:
        known = ", ".join(sorted(STEP_TYPES))
        members.report("type", "unknown_type", f"unknown step type `{kind[:100]}`; known: {known}")


def _depends_on(members: Members) -> tuple[str, ...] | None:
    names = members.typed("depends_on", list)
    if names is None:
        return None
    if not all(isinstance(name, str) for name in names):
        members.report("depends_on", "wrong_type", "`depends_on` is a list of names of steps")
        return ()
    return tuple(dict.fromkeys(names))
