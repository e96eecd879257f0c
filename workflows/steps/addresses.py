"""What steps that call out have in common: an address, and which of the two effects it has."""

from __future__ import annotations

import re

from workflows.effects import Effect
from workflows.reading import Members
from workflows.templating import OPEN, Template

MASK = "***"
MAX_ADDRESS = 8_192

_ADDRESS = re.compile(r"https?://[^/?#\s@\\]+([/?#]\S*)?\Z", re.IGNORECASE)
_TEMPLATE_WITH_SCHEME = re.compile(r"https?://", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether it is an absolute http or https address without user information."""
    return len(text) <= MAX_ADDRESS and _ADDRESS.match(text) is not None


def read_url(config: Members, name: str = "url", *, required: bool = True) -> Template | None:
    """The address that the member is, checked as far as it is written out."""
    url = config.template(name, required=required, kind=str)
    if url is None:
        return None
    text: str = url.raw
    good = is_address(text) if OPEN not in text else text.startswith(OPEN) or _TEMPLATE_WITH_SCHEME.match(text)
    if not good:
        config.report(name, "invalid", f"`{name}` is an absolute http or https address, without user and password")
    return url


def read_effect(config: Members) -> Effect:
    return Effect(config.one_of("effect", (Effect.IDEMPOTENT, Effect.AT_MOST_ONCE), Effect.IDEMPOTENT))
