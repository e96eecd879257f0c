"""`${{ secrets.NAME }}`: what stands in for a secret from the evaluation of its expression until it is used. Pure.

A stand-in holds a NUL character, which no text of a caller, of another step or of an expression can hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from contract.json_values import JSON
from tenants.masking import MASK
from workflows.failures import StepFailed

ROOT: Final = "secrets"
_PLAIN = re.compile(r"secrets\.([A-Za-z_][A-Za-z0-9_]{0,99})\Z")
_STAND_IN = re.compile("\0([A-Za-z0-9_]+)\0")


def plainly_named(expression: str) -> str | None:
    """The secret that an expression names and does nothing else; None for any other."""
    found = _PLAIN.match(expression.strip())
    return None if found is None else found[1]


def stand_in(name: str) -> str:
    """What a reference to this secret evaluates to."""
    return f"\0{name}\0"


def begins_with_one(text: str) -> bool:
    """Whether what the text begins with is not known yet."""
    return text.startswith("\0")


def hidden(value: JSON) -> JSON:
    """The value as it may be shown and recorded: `***` in the place of each secret."""
    if isinstance(value, str):
        return _STAND_IN.sub(MASK, value) if "\0" in value else value
    if isinstance(value, list):
        return [hidden(item) for item in value]
    if isinstance(value, dict):
        return {name: hidden(member) for name, member in value.items()}
    return value


def filled_in(value: JSON, secrets: Mapping[str, str], most: int) -> JSON:
    """The value with the secrets in it.

    Raises StepFailed: secret_missing for one that there is not, input_too_large where they add over `most` bytes.
    """
    return _Filling(secrets, most).filled(value)


class _Filling:
    def __init__(self, secrets: Mapping[str, str], most: int) -> None:
        self._secrets = secrets
        self._most = self._left = most

    def filled(self, value: JSON) -> JSON:
        if isinstance(value, str):
            return _STAND_IN.sub(self._secret, value) if "\0" in value else value
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        if isinstance(value, dict):
            return {name: self.filled(member) for name, member in value.items()}
        return value

    def _secret(self, found: re.Match[str]) -> str:
        secret = self._secrets.get(found[1])
        if secret is None:
            raise StepFailed("secret_missing", f"there is no secret `{found[1]}`")
        self._left -= len(secret.encode())
        if self._left < 0:
            raise StepFailed("input_too_large", f"with its secrets the input has more than {self._most:,} bytes")
        return secret
