"""What verification says: findings, each with the place that does not match, and the verdict that gathers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SHOWN = 200
"""So many characters of a value are shown in a finding."""


class Unreadable(Exception):
    """The file is nothing that can be verified; str() says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not match: `where` names it as people do (`steps/score attempt 2 output`)."""

    where: str
    message: str
    expected: str | None = None
    found: str | None = None

    def __str__(self) -> str:
        sides = [("expected", self.expected), ("found", self.found)]
        told = ", ".join(f"{name} {value}" for name, value in sides if value is not None)
        return f"{self.where}: {self.message}" + (f" ({told})" if told else "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at and what came of it. Intact is what has no findings; `notes` are worth knowing.

    `checked` counts by kind (`events`, `payloads`, ...), `dropped` the payloads whose content was removed on purpose.
    `signed_by` names the keys whose signatures fit; `trusted` is whether these keys came from elsewhere than the file.
    """

    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...] = ()
    checked: Mapping[str, int] = field(default_factory=dict)
    signed_by: tuple[str, ...] = ()
    trusted: bool = False
    dropped: int = 0
    execution: str | None = None

    @property
    def intact(self) -> bool:
        """Whether everything matches."""
        return not self.findings


@dataclass(slots=True)
class Report:
    """Findings and notes as they come up, in the order of the checks."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    signed_by: list[str] = field(default_factory=list)
    dropped: int = 0
    execution: str | None = None

    def tell(self, where: str, message: str, expected: Any = None, found: Any = None) -> None:
        """Something does not match."""
        self.findings.append(Finding(where, message, _shown(expected), _shown(found)))

    def note(self, where: str, message: str) -> None:
        """Something is worth knowing."""
        self.notes.append(Finding(where, message))

    def compare(self, where: str, expected: Any, found: Any, message: str = "is not what the events say") -> None:
        """Tell it unless both are the same; `true` is not `1` here."""
        if expected != found or type(expected) is not type(found):
            sides = ("nothing" if side is None else side for side in (expected, found))
            self.tell(where, message, *sides)

    def count(self, kind: str, number: int) -> None:
        """So many of a kind were looked at."""
        self.checked[kind] = self.checked.get(kind, 0) + number

    def verdict(self, *, trusted: bool) -> Verdict:
        """All of it."""
        return Verdict(
            findings=tuple(self.findings),
            notes=tuple(self.notes),
            checked=dict(self.checked),
            signed_by=tuple(dict.fromkeys(self.signed_by)),
            trusted=trusted,
            dropped=self.dropped,
            execution=self.execution,
        )


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
