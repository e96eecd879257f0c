"""The picture of an execution, step by step: made from what is recorded, kept up to date by events, drawn as a tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from traceway.cli import words
from traceway.models import Event, Step

PARTS_SHOWN = 8
"""Of the parts of one step, those at work and those that failed are drawn, this many at most."""
ROWS = 40
"""Of longer definitions, what is neither over nor yet to come is drawn first."""
TERMINAL = frozenset({"succeeded", "completed", "failed", "skipped", "cancelled"})

_STEP_STATUSES = {
    "step.started": "running",
    "step.waiting": "waiting",
    "step.succeeded": "succeeded",
    "step.completed": "succeeded",
    "step.failed": "failed",
    "step.retrying": "retrying",
    "step.skipped": "skipped",
    "step.cancelled": "cancelled",
    "step.outcome_unknown": "outcome_unknown",
    "step.reset": "pending",
}
_EXECUTION_STATUSES = {
    "execution.awaiting_payment": "awaiting_payment",
    "execution.payment_confirmed": "payment_confirmed",
    "execution.queued": "queued",
    "execution.redriven": "queued",
    "execution.started": "running",
    "execution.waiting": "waiting",
    "execution.resumed": "running",
    "execution.succeeded": "succeeded",
    "execution.failed": "failed",
    "execution.cancelled": "cancelled",
}
_TROUBLE = frozenset({"step.failed", "step.retrying", "step.outcome_unknown"})


@dataclass(frozen=True, slots=True)
class Node:
    """One step as it stands. `note` is what went wrong, or what it waits for."""

    name: str
    type: str = ""
    status: str = "pending"
    depends_on: tuple[str, ...] = ()
    began: datetime | None = None
    ended: datetime | None = None
    attempt: int = 0
    parts: int = 0
    note: str = ""

    def after(self, event: Event) -> Node:
        """The same step after `event`."""
        status = _STEP_STATUSES.get(event.event_type)
        if status is None:
            return self
        if status == "pending":
            return replace(self, status=status, began=None, ended=None, attempt=0, note="")
        parts = int(event.data.get("parts") or self.parts)
        attempt = int(event.data.get("attempt") or self.attempt)
        began = event.created_at if status == "running" and self.began is None else self.began
        ended = event.created_at if status in TERMINAL else None
        note = self._note(event)
        return replace(self, status=status, attempt=attempt, began=began, ended=ended, parts=parts, note=note)

    def _note(self, event: Event) -> str:
        data: dict[str, Any] = event.data
        if event.event_type in _TROUBLE:
            return event.message or ""
        if event.event_type != "step.waiting" or self.type != "wait":
            return ""
        told = [f"for the signal {data['signal']}"] if data.get("signal") else []
        told += [f"until {data['until']}"] if data.get("until") else []
        return "waits " + (" or ".join(told) or "for an approval")


@dataclass(slots=True)
class Picture:
    """One execution. `steps` by name, in the definition's order; `parts` by the name of what they are parts of."""

    execution_id: str
    title: str
    status: str = "queued"
    reason: str = ""
    paused: bool = False
    began: datetime | None = None
    ended: datetime | None = None
    sequence: int = 0
    steps: dict[str, Node] = field(default_factory=dict)
    parts: dict[str, dict[str, Node]] = field(default_factory=dict)

    def define(self, steps: Iterable[Step]) -> None:
        """Which steps there are; how they stand, the events tell."""
        for step in steps:
            if step.parent is None and not step.name.startswith("compensate["):
                self.steps[step.name] = Node(step.name, step.type, depends_on=tuple(step.depends_on))

    def apply(self, event: Event) -> None:
        """What happened next."""
        self.sequence = event.sequence
        if event.node_id is not None:
            self._apply_to_step(event.node_id, event)
        elif event.event_type in _EXECUTION_STATUSES:
            self._apply_to_execution(_EXECUTION_STATUSES[event.event_type], event)
        elif event.event_type == "execution.paused":
            self.paused = True

    def _apply_to_step(self, name: str, event: Event) -> None:
        owner, bracket, _ = name.partition("[")
        family = self.parts.setdefault(owner, {}) if bracket and owner in self.steps else self.steps
        family[name] = family.get(name, Node(name)).after(event)

    def _apply_to_execution(self, status: str, event: Event) -> None:
        self.status, self.paused = status, False
        self.reason = str(event.data.get("reason") or "") if status in TERMINAL else ""
        self.began = event.created_at if self.began is None or status == "queued" else self.began
        self.ended = event.created_at if status in TERMINAL else None

    def draw(self, rows: int = ROWS) -> RenderableType:
        """The tree, at most about `rows` lines of it."""
        tree = Tree(self._head(), guide_style="dim", highlight=False)
        shown = self._shown(rows)
        for node in shown:
            branch = tree.add(_line(node))
            for part in self._parts_of(node):
                branch.add(part)
        return tree if len(shown) == len(self.steps) else Group(tree, self._rest(shown))

    def _head(self) -> Text:
        glyph, style = words.look("paused" if self.paused else self.status)
        head = Text.assemble((f"{glyph} ", style), (words.harmless(self.title), "bold"), "  ")
        head.append("paused" if self.paused else self.status.replace("_", " "), style)
        head.append(f"  {words.took(self.began, self.ended)}", "dim")
        if self.reason and self.status != "succeeded":
            head.append(f"  {words.harmless(self.reason)}", style)
        return head.append(f"\n{self.execution_id}", "dim")

    def _shown(self, rows: int) -> list[Node]:
        nodes = list(self.steps.values())
        if len(nodes) <= rows:
            return nodes
        dull = {"pending", "succeeded", "skipped"}
        return [node for node in nodes if node.status not in dull][:rows]

    def _rest(self, shown: list[Node]) -> Text:
        left = [node.status for node in self.steps.values() if node not in shown]
        counts = ", ".join(f"{left.count(status)} {status}" for status in dict.fromkeys(left))
        return Text(f"and {counts}", "dim")

    def _parts_of(self, node: Node) -> list[Text]:
        parts = self.parts.get(node.name, {}).values()
        if not parts:
            return []
        loud = [part for part in parts if part.status not in {"pending", "succeeded", "skipped", "cancelled"}]
        done, failed = (sum(part.status in kinds for part in parts) for kinds in (TERMINAL, {"failed"}))
        count = Text(f"{done} of {max(node.parts, len(parts))} parts ended", "dim")
        if failed:
            count.append(f", {failed} failed", "red")
        return [_line(part) for part in loud[:PARTS_SHOWN]] + [count]


def event_line(event: Event) -> Text:
    """One event as one line."""
    style = {"error": "red", "warning": "yellow"}.get(event.level or "", "")
    line = Text.assemble((words.clock(event.created_at), "dim"), "  ", (f"{event.event_type:<24}", style))
    if event.node_id:
        line.append(f"  {words.harmless(event.node_id)}", "bold")
    attempt = event.data.get("attempt")
    if isinstance(attempt, int) and attempt > 1:
        line.append(f"  attempt {attempt}", "dim")
    if event.level in {"error", "warning"} or event.data.get("reason"):
        line.append(f"  {words.harmless(event.message or '')}", style)
    return line


def _line(node: Node) -> Text:
    glyph, style = words.look(node.status)
    line = Text.assemble((f"{glyph} ", style), (words.harmless(node.name), "" if node.began else "dim"))
    line.append(f"  {words.harmless(node.type)}" if node.type else "", "dim")
    if node.status not in TERMINAL | {"running", "pending"}:
        line.append(f"  {node.status.replace('_', ' ')}", style)
    line.append(f"  {words.took(node.began, node.ended)}" if node.began else "", "dim" if node.ended else style)
    line.append(f"  attempt {node.attempt}" if node.attempt > 1 else "", "yellow")
    line.append(f"  after {', '.join(map(words.harmless, node.depends_on))}" if _fans_in(node) else "", "dim")
    return line.append(f"\n{words.harmless(node.note)}", style) if node.note else line


def _fans_in(node: Node) -> bool:
    return bool(node.depends_on) and node.status == "pending"
