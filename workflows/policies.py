"""The rules that a definition sets, beside its graph: retries, time-outs, joins, concurrency, the price."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contract.json_values import JSON
from contract.problems import FieldProblem
from workflows.currencies import CURRENCIES
from workflows.expressions import ERROR_ROOTS, KEY_ROOTS
from workflows.reading import Members
from workflows.spec import Concurrency, ErrorFilter, Price, Refund, RetryPolicy
from workflows.steps import WAITING

DAY = 86_400
YEAR = 366 * DAY
STEP_TIMEOUT = 300.0

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}\Z")
_CLASS = re.compile(r"[1-5]xx\Z")


@dataclass(frozen=True, slots=True)
class Join:
    """`enough` parents let the step begin, None: all have to end; `cancels_rest`: the others are cancelled then."""

    enough: int | None = None
    cancels_rest: bool = False


def read_retry(step: Members) -> RetryPolicy:
    default = RetryPolicy()
    members = step.object("retry")
    if members is None:
        return default
    jitter = members.typed("jitter", bool)
    policy = RetryPolicy(
        max_attempts=members.integer("max_attempts", default.max_attempts, least=1, most=100),
        backoff=members.one_of("backoff", ("fixed", "exponential"), default.backoff),
        initial_seconds=members.number("initial_seconds", default.initial_seconds, least=0, most=DAY),
        max_seconds=members.number("max_seconds", default.max_seconds, least=0, most=DAY),
        jitter=default.jitter if jitter is None else jitter,
        on=_read_errors(members),
    )
    members.refuse_others()
    return policy


def read_timeout(step: Members, kind: str) -> float:
    """Seconds; what holds no worker may take a year, and does so unless it is written otherwise."""
    longest, usual = (YEAR, float(YEAR)) if kind in WAITING else (DAY, STEP_TIMEOUT)
    return step.number("timeout_seconds", usual, least=0.001, most=longest)


def read_join(step: Members, parents: int) -> Join:
    """The `join` of a step that depends on so many others."""
    written = step.take("join")
    if written is None or written == "all":
        return Join()
    if not isinstance(written, dict):
        return Join(_enough(step, "join", written, parents))
    members = Members(written, step.at("join"), step.notes)
    enough = _enough(members, "n", members.take("n", required=True), parents)
    rest = members.one_of("rest", ("cancel", "leave"), "leave")
    members.refuse_others()
    return Join(enough, rest == "cancel")


def read_concurrency(definition: Members) -> Concurrency | None:
    members = definition.object("concurrency")
    if members is None:
        return None
    key = members.condition("key", required=True, roots=KEY_ROOTS)
    limit = members.integer("limit", 1, least=1, most=1_000)
    scope = members.one_of("scope", ("workflow", "tenant"), "workflow")
    members.refuse_others()
    return None if key is None else Concurrency(key, limit, scope)


def read_price(definition: Members) -> Price | None:
    members = definition.object("price")
    if members is None:
        return None
    for name in ("amount", "currency"):
        members.take(name, required=True)
    amount = members.integer("amount", 1, least=1, most=10**12)
    currency = members.typed("currency", str)
    if currency is not None and currency not in CURRENCIES:
        members.report("currency", "invalid", "`currency` is a code of ISO 4217, such as EUR")
    refund = Refund(members.one_of("refund", tuple(Refund), Refund.ON_FAILURE))
    members.refuse_others()
    return Price(amount, currency or "", refund)


def _enough(members: Members, name: str, written: JSON, parents: int) -> int | None:
    enough = 1 if written == "any" else written
    if written is None:
        return None
    if type(enough) is not int or enough < 1:
        members.report(name, "invalid", f"`{name}` says how many parents are enough: any, or a number from 1")
        return None
    if enough > parents:
        message = f"{enough} cannot be enough where the step depends on {parents}"
        members.report(name, "invalid", message if parents else "a step that depends on none has nothing to join")
    return enough


def _read_errors(retry: Members) -> ErrorFilter | None:
    """The errors that `on` means, None for all."""
    written = retry.take("on")
    if isinstance(written, str):
        condition = retry.condition("on", roots=ERROR_ROOTS)
        return None if condition is None else ErrorFilter(condition=condition)
    if written is None:
        return None
    if not isinstance(written, list) or not written:
        message = "`on` is a list of kinds (timeout), statuses (503) and their classes (5xx), or a condition on `error`"
        retry.report("on", "invalid", message)
        return None
    kinds = [item for item in written if isinstance(item, str) and _KIND.match(item)]
    statuses = [_statuses(item) for item in written]
    for place, (item, found) in enumerate(zip(written, statuses, strict=True)):
        if found is None and item not in kinds:
            message = "a kind of failure such as timeout, a status from 100 to 599, or a class such as 5xx, is expected"
            retry.report_below("on", FieldProblem(f"/{place}", "invalid", message))
    return ErrorFilter(tuple(kinds), tuple(found for found in statuses if found is not None))


def _statuses(item: JSON) -> tuple[int, int] | None:
    if type(item) is int and 100 <= item <= 599:
        return item, item
    if isinstance(item, str) and _CLASS.match(item):
        first = int(item[0]) * 100
        return first, first + 99
    return None
