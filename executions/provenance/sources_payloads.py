"""The payloads of a record as its lineage looks into them, by JSON Pointer: each parsed once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from contract import json_values
from contract.json_values import JSON
from executions.payloads.references import digest_of

TextOf = Callable[[str], str]
"""A column of a payload in, its text out; raises what the store raises for one that is not to be had."""

ABSENT = object()
"""What stands at a pointer where nothing does."""


class Recorded(Protocol):
    """What the lineage reads of an execution: record.Record, or rows made by hand with the same names."""

    @property
    def execution(self) -> Any: ...

    @property
    def events(self) -> Any: ...

    @property
    def steps(self) -> Any: ...

    @property
    def attempts(self) -> Any: ...

    @property
    def runs(self) -> Any: ...


class Payload:
    """One payload; `column` None is a payload that is not there, of which nothing is found."""

    def __init__(self, column: str | None, text_of: TextOf) -> None:
        self.column = column
        self._text_of = text_of
        self._value: JSON = ABSENT
        self._digests: dict[str, str | None] = {}

    @property
    def value(self) -> JSON:
        """The whole value, ABSENT for a payload that is not there."""
        if self._value is ABSENT and self.column is not None:
            self._value = json_values.load(self._text_of(self.column))
        return self._value

    def at(self, pointer: str) -> JSON:
        """The value there, ABSENT where there is none."""
        return found_at(self.value, pointer)

    def digest(self, pointer: str) -> str | None:
        """The digest of the value there, None where there is none. The whole one's needs no content."""
        if pointer not in self._digests:
            self._digests[pointer] = self._digest(pointer)
        return self._digests[pointer]

    def _digest(self, pointer: str) -> str | None:
        if self.column is None:
            return None
        return digest_of_value(self.at(pointer)) if pointer else digest_of(self.column)


class Payloads:
    """Every payload of one record. `runs` are counted from 0, in their order."""

    def __init__(self, record: Recorded, text_of: TextOf) -> None:
        execution = record.execution
        self._text_of = text_of
        self._columns: Mapping[tuple[int, int], Any] = {(row.step_index, row.number): row for row in record.attempts}
        self._parameters = [run.parameters for run in record.runs]
        self._submission, self._output = execution.submission, execution.output
        self._known: dict[tuple[object, ...], Payload] = {}

    def input(self) -> Payload:
        return self._payload(("input",), self._submission.input)

    def application(self) -> Payload:
        return self._payload(("application",), self._submission.application_data)

    def output(self) -> Payload:
        return self._payload(("output",), self._output)

    def parameters(self, run: int) -> Payload:
        earlier = run < len(self._parameters)
        return self._payload(("parameters", run), self._parameters[run] if earlier else self._submission.parameters)

    def input_of(self, index: int, number: int) -> Payload:
        """What was recorded as the input of an attempt."""
        return self._payload((index, number, "input"), self._columns[index, number].input)

    def output_of(self, index: int, number: int | None) -> Payload:
        """The output of an attempt; of none, nothing."""
        row = None if number is None else self._columns[index, number]
        return self._payload((index, number, "output"), None if row is None else row.output)

    def _payload(self, key: tuple[object, ...], column: str | None) -> Payload:
        if key not in self._known:
            self._known[key] = Payload(column, self._text_of)
        return self._known[key]


def digest_of_value(value: JSON) -> str | None:
    """The digest of a value as it would be stored; None for ABSENT."""
    return None if value is ABSENT else digest_of(json_values.stored(value))


def found_at(value: JSON, pointer: str) -> JSON:
    """The value at a JSON Pointer, ABSENT where there is none."""
    for token in tokens(pointer):
        if isinstance(value, dict):
            value = value.get(token, ABSENT)
        elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
            value = value[int(token)]
        else:
            return ABSENT
    return value


def tokens(pointer: str) -> list[str]:
    """The parts of a JSON Pointer, unescaped."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
