"""What expressions may read in one look at one execution: each value loaded and parsed once, if it is named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from contract import json_values
from contract.json_values import JSON
from executions.change import Loaded
from executions.draft import Draft
from executions.states import StepStatus
from executions.store import Session
from workflows.expressions import Reference, Scope
from workflows.spec import PARTS, MapProgram, Runnable, StepSpec, shifted

_NO_COLUMN = frozenset({"steps", "item", "index", "secrets"})
"""The roots that are not read from what was asked for."""


@dataclass(slots=True)
class Values:
    """Owned by one look. `item` and `index` are those of the part that is asked for."""

    session: Session
    loaded: Loaded
    runnable: Runnable
    draft: Draft
    _results: dict[int, dict[str, JSON]] = field(default_factory=dict)
    _items: dict[int, str | None] = field(default_factory=dict)
    _known: dict[int, str] = field(default_factory=dict)
    _roots: dict[str, JSON] = field(default_factory=dict)

    def of(self, step: StepSpec) -> Scope:
        """The values that the step's expressions may name."""
        owner = self._owner(step)
        repetition = 0 if owner is None else step.index % PARTS // len(owner.body)
        return self._scope(step.roots, step.reads, owner, repetition)

    def of_round(self, loop: StepSpec, references: Collection[Reference], repetition: int) -> Scope:
        """The values that a loop's condition may name after this round."""
        by = repetition * len(loop.body)
        reads = {name: shifted(index, by) for name, index in _read(references, loop.reads)}
        return self._scope(_roots(references), reads, loop, repetition)

    def of_output(self, references: Collection[Reference]) -> Scope:
        """The values that the execution's output may name."""
        return self._scope(_roots(references), dict(_read(references, self.runnable.spec.by_name)), None, 0)

    def outputs(self, indexes: Mapping[str, int]) -> dict[str, JSON]:
        """The outputs of these steps by the given names, null for one without."""
        self.load(indexes.values())
        return {name: self._results[index]["output"] for name, index in indexes.items()}

    def round_outputs(self, loop: StepSpec, repetition: int) -> JSON:
        """What the steps of a loop's round came to, by name; null before the first."""
        if repetition < 0:
            return None
        by = repetition * len(loop.body)
        return self.outputs({step.name: shifted(step.index, by) for step in loop.body})

    def know(self, index: int, output: str) -> None:
        """This step succeeded in this very look; the text is parsed if somebody reads it."""
        self._known[index] = output

    def forget(self, indexes: Iterable[int]) -> None:
        """What was read of these steps holds no more."""
        for index in indexes:
            self._results.pop(index, None)

    def load(self, indexes: Iterable[int]) -> None:
        """Have at hand, by one query, what these steps came to."""
        missing = {index for index in indexes if index not in self._results}
        if not missing:
            return
        rows = self.draft.rows
        unlike = (i for i in missing if i not in rows or rows[i].state.status is StepStatus.SUCCEEDED)
        unknown = [index for index in unlike if index not in self._known]
        found = self.session.results(self.loaded.row.id, unknown) if unknown else {}
        for index in missing:
            text: str | None
            if index in self._known:
                status, text = StepStatus.SUCCEEDED, self._known[index]
            elif index in found:
                status, text = found[index].status, found[index].output
            else:
                status, text = rows[index].state.status if index in rows else StepStatus.PENDING, None
            output = None if text is None else json_values.load(text)
            self._results[index] = {"status": status.value, "output": output}

    def load_items(self, indexes: Iterable[int]) -> None:
        """Have at hand, by one query, what these parts work on."""
        new = self.draft.new_steps
        wanted = [i for i in indexes if i not in self._items and self._is_item(i)]
        self._items |= {index: new[index].item for index in wanted if index in new}
        missing = [index for index in wanted if index not in new]
        self._items |= self.session.items(self.loaded.row.id, missing) if missing else {}

    def _is_item(self, index: int) -> bool:
        owner = self.runnable.spec.written(index).owner
        return owner is not None and isinstance(self.runnable.spec.steps[owner].program, MapProgram)

    def _owner(self, step: StepSpec) -> StepSpec | None:
        """The map or loop that the step is a part of."""
        owner = None if step.owner is None else self.runnable.spec.steps[step.owner]
        return owner if owner is not None and owner.body and step is not owner.compensation else None

    def _scope(self, roots: Set[str], reads: Mapping[str, int], owner: StepSpec | None, repetition: int) -> Scope:
        scope = {root: self._root(root) for root in roots - _NO_COLUMN}
        if owner is not None and "item" in roots:
            scope["item"] = self._item(owner, repetition)
        if owner is not None and "index" in roots:
            scope["index"] = repetition
        self.load(reads.values())
        scope["steps"] = {name: self._results[index] for name, index in reads.items()}
        return scope

    def _item(self, owner: StepSpec, repetition: int) -> JSON:
        """The item of a map; of a loop, what the round before came to."""
        if not isinstance(owner.program, MapProgram):
            return self.round_outputs(owner, repetition - 1)
        index = self.runnable.spec.part(owner.index, repetition)
        self.load_items([index])
        return json_values.load(self._items[index] or "null")

    def _root(self, root: str) -> JSON:
        """What an expression finds under this root; parsed once, however many steps read it."""
        if root not in self._roots:
            self._roots[root] = self._read_root(root)
        return self._roots[root]

    def _read_root(self, root: str) -> JSON:
        asked = self.loaded.row.asked
        match root:
            case "input":
                value, schema = json_values.load(self._asked(asked.input)), self.runnable.spec.input_schema
                return value if schema is None else schema.bind_numbers(value)
            case "parameters":
                return self.runnable.parameters
            case "execution":
                return {"id": str(self.loaded.row.id)}
            case _:
                return json_values.load(self._asked(asked.application_data or "null"))

    def _asked(self, column: str) -> str:
        return self.session.text(self.loaded.row.id, column)


def _roots(references: Collection[Reference]) -> Set[str]:
    return {reference.root for reference in references}


def _read(references: Collection[Reference], indexes: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """The steps that are named, with their indexes."""
    return ((str(r.path[0]), indexes[str(r.path[0])]) for r in references if r.root == "steps")
