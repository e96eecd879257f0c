"""Secrets inside a definition: where they stand, taking them out, putting them back. Pure.

A secret is a literal `secret`, `api_key` or credential header in the config of a step that calls out; a string with
`${{ }}` in it is shown as it is, for it names a secret and holds none. Encryption is tenants/sealing.py.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contract.json_values import JSON, escape
from contract.problems import FieldProblem
from workflows.steps import CALLING_OUT
from workflows.steps.addresses import MASK
from workflows.steps.http import CREDENTIAL_HEADERS
from workflows.templating import OPEN

_SECRET_MEMBERS = ("secret", "api_key")


@dataclass(frozen=True, slots=True)
class _Place:
    """A secret or its mask: `holder[member]`. `address` names the steps on the way, so that it survives reordering."""

    pointer: str
    address: str
    holder: dict[str, Any]
    member: str

    @property
    def value(self) -> str:
        return str(self.holder[self.member])


@dataclass(frozen=True, slots=True)
class Masked:
    """A definition without its secrets, the secrets by pointer, and each mask that stands for nothing."""

    definition: JSON
    secrets: dict[str, str]
    problems: tuple[FieldProblem, ...]


def mask(definition: JSON, earlier: JSON = None) -> Masked:
    """`definition` with its secrets taken out. `***` stands for the secret at the same place of `earlier`."""
    kept = {place.address: place.value for place in _places(earlier)}
    masked = copy.deepcopy(definition)
    secrets: dict[str, str] = {}
    problems = []
    for place in _places(masked):
        secret = kept.get(place.address) if place.value == MASK else place.value
        if secret is None:
            problems.append(FieldProblem(place.pointer, "nothing_kept", f"{MASK} stands for no stored value here"))
        else:
            secrets[place.pointer] = secret
            place.holder[place.member] = MASK
    return Masked(masked, secrets, tuple(problems))


def unmask(definition: JSON, secrets: Mapping[str, str]) -> JSON:
    """A copy of a masked `definition` with its secrets put back."""
    whole = copy.deepcopy(definition)
    for place in _places(whole):
        place.holder[place.member] = secrets.get(place.pointer, place.value)
    return whole


def _places(definition: JSON) -> Iterator[_Place]:
    steps = definition.get("steps") if isinstance(definition, dict) else None
    if isinstance(steps, list):
        yield from _of_steps(steps, "/steps", "")


def _of_steps(steps: list[JSON], pointer: str, address: str) -> Iterator[_Place]:
    seen: dict[str, int] = {}
    for index, step in enumerate(steps):
        if isinstance(step, dict):
            label = str(step.get("name") or step.get("action") or step.get("type"))
            seen[label] = seen.get(label, 0) + 1
            yield from _of_step(step, f"{pointer}/{index}", f"{address}/{escape(label)}#{seen[label]}")


def _of_step(step: dict[str, JSON], pointer: str, address: str) -> Iterator[_Place]:
    for part in ("config", "parameters"):
        config = step.get(part)
        if isinstance(config, dict):
            yield from _of_config(_kind(step), config, f"{pointer}/{part}", address)
    if isinstance(step.get("compensate"), dict):
        yield from _of_step(step["compensate"], f"{pointer}/compensate", f"{address}/compensate")


def _of_config(kind: str, config: dict[str, JSON], pointer: str, address: str) -> Iterator[_Place]:
    if kind in CALLING_OUT:
        yield from _literals(config, _SECRET_MEMBERS, pointer, address)
        headers = config.get("headers")
        if isinstance(headers, dict):
            names = [name for name in headers if name.lower() in CREDENTIAL_HEADERS]
            yield from _literals(headers, names, f"{pointer}/headers", f"{address}/headers")
    elif kind == "map" and isinstance(config.get("step"), dict):
        yield from _of_step(config["step"], f"{pointer}/step", f"{address}/step")
    elif kind == "loop" and isinstance(config.get("body"), list):
        yield from _of_steps(config["body"], f"{pointer}/body", f"{address}/body")


def _literals(holder: dict[str, Any], names: Any, pointer: str, address: str) -> Iterator[_Place]:
    for name in names:
        value = holder.get(name)
        if isinstance(value, str) and value and OPEN not in value:
            yield _Place(f"{pointer}/{escape(name)}", f"{address}/{escape(name)}", holder, name)


def _kind(step: dict[str, JSON]) -> str:
    return str(step.get("type") or step.get("action"))
