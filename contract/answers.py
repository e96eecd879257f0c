"""What an action answers, declared beside its scope and its body. Pure; the document is made in config/openapi.

    @takes("things:read", query=listing(), answers=pages(THING))
    @takes("things:write", body=CreateThing.read, answers=created(THING, refuses=(409,)))
    @takes("things:write", answers=shown(THING, refuses=(409,)))

`refuses` adds to the statuses that every route of its kind may be refused with: those of credentials, headers, query,
body and idempotency key, and 404 where the path names something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from contract.schema import ADDRESS, TEXT, Schema, record

JSON_TYPE = "application/json"


class Wrapping(Enum):
    """What the dialect puts around the value."""

    ONE = "one"
    PAGE = "page"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Success:
    """One answer to a request that was not refused; `body` is None where there is none."""

    status: int
    body: Schema | None
    description: str
    wrapping: Wrapping = Wrapping.ONE
    headers: Mapping[str, Schema] = field(default_factory=dict)
    media_type: str = JSON_TYPE


@dataclass(frozen=True, slots=True)
class Answers:
    """All the answers of an action but the refusals that its other rules tell."""

    successes: tuple[Success, ...]
    refusals: tuple[int, ...] = ()


LOCATION: Mapping[str, Schema] = {"Location": {**ADDRESS, "description": "Where it can be read."}}
PAYMENT_LINK: Mapping[str, Schema] = {
    "Link": {**TEXT, "description": 'While payment is awaited: `<checkout url>; rel="payment"`.'}
}


def shown(
    value: Schema,
    description: str = "As it stands.",
    *,
    headers: Mapping[str, Schema] | None = None,
    refuses: tuple[int, ...] = (),
) -> Answers:
    """200 with `value`."""
    return Answers((Success(200, value, description, headers=headers or {}),), refuses)


def created(value: Schema, *, refuses: tuple[int, ...] = ()) -> Answers:
    """201 with `value` and its Location; in the executions dialect 200."""
    return Answers((Success(201, value, "It was made.", headers=LOCATION),), refuses)


def pages(item: Schema) -> Answers:
    """200 with a page of `item`."""
    return Answers((Success(200, item, "One page.", Wrapping.PAGE),))


def gone(*, refuses: tuple[int, ...] = ()) -> Answers:
    """204."""
    return Answers((Success(204, None, "It is gone.", Wrapping.NONE),), refuses)


PROBLEM = record({"field": TEXT, "code": TEXT, "message": TEXT})
"""One problem of a request."""
