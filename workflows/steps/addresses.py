"""What steps that call out have in common: an address, and which of the two effects it has."""

from __future__ import annotations

import re

from contract.json_values import JSON
from tenants.masking import MASK
from workflows.effects import Effect
from workflows.failures import StepFailed
from workflows.reading import Members
from workflows.secret_references import begins_with_one, hidden
from workflows.templating import OPEN, Template

__all__ = ["MASK", "check_url", "is_address", "may_be_address", "read_effect", "read_url"]

MAX_ADDRESS = 8_192

_ADDRESS = re.compile(r"https?://[^/?#\s@\\]+([/?#]\S*)?\Z", re.IGNORECASE)
_TEMPLATE_WITH_SCHEME = re.compile(r"https?://", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether it is an absolute http or https address without user information."""
    return len(text) <= MAX_ADDRESS and _ADDRESS.match(text) is not None


def may_be_address(text: str) -> bool:
    """Whether it is one, or will be as far as is known before its secrets are."""
    return begins_with_one(text) or is_address(str(hidden(text)))


def check_url(url: JSON) -> None:
    """Raises StepFailed for what is no address."""
    if not isinstance(url, str) or not may_be_address(url):
        raise StepFailed("invalid_request", f"the url is no http or https address: {str(hidden(url))[:200]}")


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
