"""Steps that stand inside a step: a map's, those of a loop's body, and the compensation. As they were written.

Nesting ends here: what is inside a map or a loop is neither of them. A workflow of its own goes deeper.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from contract.json_values import JSON
from contract.problems import FieldProblem
from workflows.expressions import PART_ROOTS
from workflows.reading import Members, Notes
from workflows.steps import REPEATING, WAITING
from workflows.written import MAX_STEPS, Names, WrittenStep, read_list, read_lone

MAX_BODY = 100

_NO_PLACE = ("name", "depends_on", "on_failure", "join")
_NESTED = "a map or a loop inside a map or a loop is written as a workflow of its own, which a `workflow` step runs"
_ACTS = "what compensates acts at once: it is neither an agent's task, a wait, a workflow, a map nor a loop"
_ITEM_OR_WHAT_SURROUNDS_IT = '${{ type(item) == map ? item : {"item": item, "index": index} }}'


def item_step(owner: WrittenStep) -> WrittenStep | None:
    """The step that a map takes for each item; None if it names none, or what is no step."""
    config = _config(owner)
    if config.take("workflow_id") is not None:
        return _workflow_for_each(owner, config)
    if config.take("step") is None:
        return None
    members = Members(config.take("step"), config.at("step"), config.notes)
    _refuse(members, {name: f"the step of a map has no `{name}`" for name in (*_NO_PLACE, "compensate")})
    return _of_other_type(read_lone(members, owner.name), REPEATING, _NESTED) if members.is_object else None


def body_steps(owner: WrittenStep, names: Names) -> list[WrittenStep] | None:
    """The steps of a loop's body, and their names put among the names; None if they are too many."""
    entries = _config(owner).objects("body", required=True, most=MAX_BODY)
    if len(names.taken) + len(entries) > MAX_STEPS:
        message = f"a definition has {MAX_STEPS:,} steps at most, those in bodies included"
        owner.members.notes.problems.append(FieldProblem(owner.locate("/body"), "invalid", message))
        return None
    for members in entries:
        _refuse(members, {"compensate": "only a step of the definition itself is compensated"})
    return [_of_other_type(step, REPEATING, _NESTED) for step in read_list(entries, names)]


def compensation(owner: WrittenStep) -> WrittenStep | None:
    """The step that undoes a step; None if there is none, or what is no step."""
    members = owner.members.object("compensate")
    if members is None or not members.is_object:
        return None
    _refuse(members, {name: f"what compensates a step has no `{name}`" for name in (*_NO_PLACE, "compensate", "when")})
    return _of_other_type(read_lone(members, f"compensate[{owner.name}]"), WAITING, _ACTS)


def _config(owner: WrittenStep) -> Members:
    """The owner's config, to be read where `item` and `index` are known."""
    return Members(owner.config, owner.locate(""), Notes(owner.members.notes.problems, roots=PART_ROOTS))


def _workflow_for_each(owner: WrittenStep, config: Members) -> WrittenStep:
    """A map's `workflow_id`, `version` and `input` as a step of the type workflow."""
    given: dict[str, JSON] = {name: config.take(name) for name in ("workflow_id", "version", "input")}
    if given["input"] is None:
        given["input"] = _ITEM_OR_WHAT_SURROUNDS_IT
    members = Members({}, config.pointer, config.notes)
    return WrittenStep(
        index=0,
        members=members,
        name=owner.name,
        type="workflow",
        action="workflow",
        config=given,
        depends_on=None,
        by_action=False,
        config_pointers=(("", ""),),
    )


def _refuse(members: Members, messages: Mapping[str, str]) -> None:
    for name, message in messages.items():
        members.refuse(name, "invalid", message)


def _of_other_type(step: WrittenStep, refused: Collection[str], message: str) -> WrittenStep:
    """The step, without its type if that may not stand here."""
    if step.type not in refused:
        return step
    step.members.report("action" if step.members.has("action") else "type", "invalid", message)
    return replace(step, type="")
