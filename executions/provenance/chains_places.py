"""Where a value of an execution stands, as a path spells it: /steps/score/output/points, /input/amount. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from contract.json_values import escape
from executions.provenance.sources_payloads import tokens


class At(StrEnum):
    """What a path begins with, or what a value came from that is on no path."""

    INPUT = "input"
    PARAMETERS = "parameter"
    APPLICATION = "application"
    OUTPUT = "output"
    OUTCOME = "outcome"
    STEP_INPUT = "field"
    STEP_OUTPUT = "step"
    STATUS = "status"
    INDEX = "item"
    EXECUTION = "execution"
    SECRET = "secret"  # noqa: S105 - the word, not one
    DEFINITION = "definition"


@dataclass(frozen=True, slots=True)
class Place:
    """`step` and `number` are those of an attempt, `run` (from 0) that of parameters; `pointer` leads into the payload.

    `number` None: an attempt that there is none of.
    """

    execution: UUID
    at: At
    pointer: str = ""
    step: str | None = None
    number: int | None = None
    run: int | None = None

    def below(self, rest: str) -> Place:
        return replace(self, pointer=self.pointer + rest)


@dataclass(frozen=True, slots=True)
class Asked:
    """A path as somebody wrote it: `number` None means the newest attempt, `run` None the newest run."""

    at: At
    pointer: str = ""
    step: str | None = None
    number: int | None = None
    run: int | None = None


class BadPath(ValueError):
    """The path is none; the text says what would be one."""


FORMS = (
    "/input/..., /parameters/..., /application/..., /steps/<name>/input/..., /steps/<name>/output/...,"
    " /steps/<name>/attempts/<number>/input/..., /output/... or /outcome"
)
_ROOTS = {
    "input": At.INPUT,
    "parameters": At.PARAMETERS,
    "application": At.APPLICATION,
    "output": At.OUTPUT,
    "outcome": At.OUTCOME,
}
_OF_STEP = {"input": At.STEP_INPUT, "output": At.STEP_OUTPUT}


def read_path(path: str) -> Asked:
    """What a path asks for. Raises BadPath."""
    parts = path.split("/")
    if parts[0] or len(parts) < 2:
        raise BadPath(f"a path is a JSON Pointer: {FORMS}")
    if parts[1] in _ROOTS:
        return Asked(_ROOTS[parts[1]], _pointer(parts[2:]))
    if parts[1] == "runs" and len(parts) > 3 and _is_number(parts[2]) and parts[3] == "parameters":
        return Asked(At.PARAMETERS, _pointer(parts[4:]), run=int(parts[2]) - 1)
    if parts[1] != "steps" or len(parts) < 4:
        raise BadPath(f"a path is one of {FORMS}")
    return _of_step(tokens(f"/{parts[2]}")[0], parts[3:])


def _of_step(step: str, parts: list[str]) -> Asked:
    number = None
    if parts[0] == "attempts":
        if len(parts) < 3 or not _is_number(parts[1]):
            raise BadPath("an attempt is named by its number, as /steps/<name>/attempts/1/input")
        number, parts = int(parts[1]), parts[2:]
    if parts[0] not in _OF_STEP:
        raise BadPath(f"of a step there is `input` and `output`, and no `{parts[0][:100]}`")
    return Asked(_OF_STEP[parts[0]], _pointer(parts[1:]), step, number)


def path_of(place: Place, newest: int | None) -> str:
    """The path of a place in its own execution; `newest` is the number of the step's newest attempt."""
    match place.at:
        case At.STEP_INPUT | At.STEP_OUTPUT | At.STATUS:
            word = {At.STEP_INPUT: "input", At.STEP_OUTPUT: "output", At.STATUS: "status"}[place.at]
            attempt = "" if place.number in {None, newest} else f"/attempts/{place.number}"
            return f"/steps/{escape(str(place.step))}{attempt}/{word}{place.pointer}"
        case At.PARAMETERS if place.run is not None:
            return f"/runs/{place.run + 1}/parameters{place.pointer}"
        case At.PARAMETERS:
            return f"/parameters{place.pointer}"
        case At.SECRET:
            return f"/secrets/{escape(str(place.step))}"
        case At.INDEX:
            return f"/steps/{escape(str(place.step))}{place.pointer}"
        case At.EXECUTION:
            return f"/execution{place.pointer}"
        case _:
            return f"/{place.at.value}{place.pointer}"


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 7 and int(text) > 0


def _pointer(parts: list[str]) -> str:
    return "".join(f"/{part}" for part in parts)
