"""WfFormat documents (WfCommons, schemas 1.4 and 1.5) as Traceway definitions with no-op steps.

Pure: a document's value in, a definition's value out. Nothing here reads a file or stores a workflow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from contract.json_values import JSON
from workflows.templating import literally

MAX_NAME = 100
MAX_TITLE = 255


class InvalidWfFormat(ValueError):
    """The document is no WfFormat that can be imported; str() names the task and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Task:
    """One task of the document, its references still as they are written there."""

    id: str
    label: str
    parents: tuple[str, ...]
    children: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    runtime: float | None


def definition_of(document: JSON) -> dict[str, JSON]:
    """The definition of a WfFormat document: one `noop` step a task, in the document's order.

    A task's parents are those it lists and those that list it as their child. Raises InvalidWfFormat.
    """
    root = _members(document, "the document")
    workflow = _members(root.get("workflow"), "`workflow`")
    tasks = list(_tasks(workflow))
    _refuse_twins(tasks)
    parents = _parents(tasks)
    _refuse_cycles(parents)
    names = _names(task.id for task in tasks)
    definition: dict[str, JSON] = {"name": _text(root, "name", "the document")[:MAX_TITLE]}
    if isinstance(root.get("description"), str) and root["description"]:
        definition["description"] = root["description"][:MAX_TITLE]
    definition["steps"] = [_step(task, names, parents[task.id]) for task in tasks]
    return definition


def _step(task: _Task, names: Mapping[str, str], parents: Sequence[str]) -> dict[str, JSON]:
    arguments: dict[str, JSON] = {"task": task.label, "id": task.id}
    arguments |= {"input_files": list(task.inputs), "output_files": list(task.outputs)}
    if task.runtime is not None:
        arguments["runtime_seconds"] = task.runtime
    return {
        "name": names[task.id],
        "type": "tool_call",
        "config": {"tool": "noop", "arguments": literally(arguments)},
        "depends_on": [names[parent] for parent in parents],
    }


def _tasks(workflow: Mapping[str, JSON]) -> Iterator[_Task]:
    """Schema 1.5 keeps tasks under `specification` and run times under `execution`; 1.4 both on the task itself."""
    specification = _members(workflow.get("specification", workflow), "`workflow.specification`")
    listed = specification.get("tasks")
    if not isinstance(listed, list) or not listed:
        raise InvalidWfFormat("the document has no tasks (`workflow.specification.tasks` or `workflow.tasks`)")
    measured = _runtimes(workflow)
    for index, value in enumerate(listed):
        yield _task(_members(value, f"task {index}"), f"task {index}", measured)


def _task(raw: Mapping[str, JSON], where: str, measured: Mapping[str, float]) -> _Task:
    label = _text(raw, "name", where)
    identity = _text(raw, "id", where) if "id" in raw else label
    where = f"the task {identity!r}"
    return _Task(
        id=identity,
        label=label,
        parents=_texts(raw, "parents", where),
        children=_texts(raw, "children", where),
        inputs=_texts(raw, "inputFiles", where) + _linked(raw, "input", where),
        outputs=_texts(raw, "outputFiles", where) + _linked(raw, "output", where),
        runtime=measured.get(identity, _seconds(raw)),
    )


def _runtimes(workflow: Mapping[str, JSON]) -> dict[str, float]:
    execution = workflow.get("execution")
    entries = execution.get("tasks") if isinstance(execution, dict) else None
    runtimes: dict[str, float] = {}
    for entry in entries if isinstance(entries, list) else ():
        seconds = _seconds(entry) if isinstance(entry, dict) else None
        if seconds is not None and isinstance(entry.get("id"), str):
            runtimes[entry["id"]] = seconds
    return runtimes


def _seconds(raw: Mapping[str, JSON]) -> float | None:
    seconds = raw.get("runtimeInSeconds")
    return seconds if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None


def _linked(raw: Mapping[str, JSON], direction: str, where: str) -> tuple[str, ...]:
    """File names of schema 1.4, where each of a task's `files` says by `link` which way it goes."""
    files = raw.get("files", [])
    if not isinstance(files, list):
        raise InvalidWfFormat(f"`files` of {where} is not a list")
    entries = [_members(file, f"a file of {where}") for file in files]
    return tuple(_text(file, "name", f"a file of {where}") for file in entries if file.get("link") == direction)


def _refuse_twins(tasks: Iterable[_Task]) -> None:
    seen: set[str] = set()
    for task in tasks:
        if task.id in seen:
            raise InvalidWfFormat(f"two tasks have the id {task.id!r}")
        seen.add(task.id)


def _parents(tasks: Sequence[_Task]) -> dict[str, list[str]]:
    """Each task's parents by id, each once, in the document's order of mention."""
    found = _references(tasks)
    parents: dict[str, dict[str, None]] = {task.id: {} for task in tasks}
    for task in tasks:
        for reference in task.parents:
            parents[task.id][_resolve(found, reference, f"the parent {reference!r} of the task {task.id!r}")] = None
    for task in tasks:
        for reference in task.children:
            parents[_resolve(found, reference, f"the child {reference!r} of the task {task.id!r}")][task.id] = None
    return {task: list(known) for task, known in parents.items()}


def _references(tasks: Sequence[_Task]) -> dict[str, str | None]:
    """What a reference may say, to the id it means: an id, or (schema 1.4) a name; None where tasks share the name."""
    found: dict[str, str | None] = {}
    for task in tasks:
        found[task.label] = None if task.label in found else task.id
    return found | {task.id: task.id for task in tasks}


def _resolve(found: Mapping[str, str | None], reference: str, what: str) -> str:
    if reference not in found:
        raise InvalidWfFormat(f"{what} is no task of the document")
    task = found[reference]
    if task is None:
        raise InvalidWfFormat(f"{what} is the name of several tasks")
    return task


def _refuse_cycles(parents: Mapping[str, Sequence[str]]) -> None:
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        raise InvalidWfFormat(f"the tasks depend on each other in a circle: {' -> '.join(error.args[1])}") from error


def _names(ids: Iterable[str]) -> dict[str, str]:
    """A legal step name for every id, all different: `-2`, `-3`, ... where two ids become the same name."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for identity in ids:
        name = legal = _legal(identity)
        number = 1
        while name in taken:
            number += 1
            suffix = f"-{number}"
            name = legal[: MAX_NAME - len(suffix)] + suffix
        taken.add(name)
        names[identity] = name
    return names


def _legal(identity: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_.:-]", "_", identity)
    return (name if name[0].isalpha() else f"task_{name}")[:MAX_NAME]


def _members(value: JSON, what: str) -> dict[str, JSON]:
    if not isinstance(value, dict):
        raise InvalidWfFormat(f"{what} is {'missing' if value is None else 'not an object'}")
    return value


def _text(raw: Mapping[str, JSON], member: str, what: str) -> str:
    value = raw.get(member)
    if not isinstance(value, str) or not value:
        raise InvalidWfFormat(f"`{member}` of {what} is missing or is no text")
    return value


def _texts(raw: Mapping[str, JSON], member: str, what: str) -> tuple[str, ...]:
    values = raw.get(member, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InvalidWfFormat(f"`{member}` of {what} is not a list of texts")
    return tuple(values)
