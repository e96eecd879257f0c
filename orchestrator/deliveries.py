"""The sender of execution webhooks, a part of the sweeper: makes deliveries of new events and sends what is due.

One thread talks to the database, a bounded number of others to receivers, in no transaction. Any number of senders may
run: what one has claimed, another takes only when its lease has ended, so a delivery may arrive twice but is not lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Final
from uuid import UUID

import httpx
import structlog
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import Error, connection

from executions.webhooks import fan_out, sending
from executions.webhooks.message import content, event_id
from executions.webhooks.schedule import TIMEOUT
from executions.webhooks.sending import Claimed, Outcome
from executions.webhooks.signing import bearer_of, signatures, signing
from orchestrator.actions import answers
from orchestrator.actions.http import retry_after
from orchestrator.sweep import FORGET_EVERY_SECONDS
from orchestrator.timed_network import TimedGuard, within
from tenants.egress import EgressRefused, client

log = structlog.get_logger(__name__)

AT_ONCE: Final = 32
AT_ONCE_TO_AN_ENDPOINT: Final = 4
AT_ONCE_TO_FAILING: Final = 8
"""Of all places, those for endpoints whose last delivery failed: they can never keep the others from theirs."""
LOOK_SECONDS: Final = 0.25
LAST_SECONDS: Final = 8.0
"""How long what is on its way when the process is to end may take."""
EXCERPT_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Sendable:
    """One request to a receiver, but for its moment and signature."""

    url: str
    message_id: str
    content: str
    keys: list[str]
    bearer: str | None = None


Send = Callable[[Sendable], Outcome]


@dataclass
class Sender:
    """Sends with `send`, in threads of its own. `turn` and `finish` are called by one thread."""

    send: Send
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE, "delivery"))
    _done: SimpleQueue[tuple[Claimed, Outcome]] = field(default_factory=SimpleQueue)
    _under_way: dict[tuple[UUID, int], Claimed] = field(default_factory=dict)
    _unrecorded: list[tuple[Claimed, Outcome]] = field(default_factory=list)
    _look_at: float = 0.0
    _forget_at: float = 0.0

    def turn(self) -> bool:
        """Record what has come out, make deliveries of new events, send what is due; whether there is more at once.

        Raises django.db.Error in an outage; outcomes are kept until they are recorded.
        """
        self._record()
        more = self._look()
        self._forget()
        for claimed in self._claim():
            self._start(claimed)
        return more

    def wait(self, seconds: float) -> None:
        """Until something has come out, at most so long."""
        try:
            self._unrecorded.append(self._done.get(timeout=seconds))
        except Empty:
            return

    def finish(self, seconds: float) -> None:
        """Start nothing more; record what comes out within `seconds`. The rest is sent again when its lease ends."""
        until = time.monotonic() + seconds
        while self._under_way and time.monotonic() < until:
            self.wait(LOOK_SECONDS)
            self._record()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> bool:
        """Make deliveries of new events, unless that was done a moment ago and there were no more."""
        if time.monotonic() < self._look_at:
            return False
        more = fan_out.fan_out()
        self._look_at = 0.0 if more else time.monotonic() + LOOK_SECONDS
        return more

    def _forget(self) -> None:
        if time.monotonic() >= self._forget_at:
            sending.forget()
            self._forget_at = time.monotonic() + FORGET_EVERY_SECONDS

    def _record(self) -> None:
        while not self._done.empty():
            self._unrecorded.append(self._done.get())
        while self._unrecorded:
            claimed, outcome = self._unrecorded[0]
            sending.record(claimed, outcome)
            self._unrecorded.pop(0)
            self._under_way.pop((claimed.delivery_id, claimed.number), None)

    def _claim(self) -> list[Claimed]:
        free = AT_ONCE - len(self._under_way)
        if free <= 0:
            return []
        busy = [claimed.endpoint_id for claimed in self._under_way.values()]
        failing = sum(claimed.endpoint_failures > 0 for claimed in self._under_way.values())
        return sending.claim(free, max(AT_ONCE_TO_FAILING - failing, 0), AT_ONCE_TO_AN_ENDPOINT, busy)

    def _start(self, claimed: Claimed) -> None:
        request = _prepared(claimed)
        self._under_way[claimed.delivery_id, claimed.number] = claimed
        if isinstance(request, Outcome):
            self._done.put((claimed, request))
        else:
            self._pool.submit(self._carry_out, claimed, request)

    def _carry_out(self, claimed: Claimed, request: Sendable) -> None:
        try:
            outcome = self.send(request)
        except Exception as error:  # noqa: BLE001 - one delivery must not keep a place for ever
            outcome = _raised(claimed, error)
        self._done.put((claimed, outcome))


def deliver_for_ever(over: threading.Event) -> None:
    """Send until `over` is set, through any outage of the database."""
    with client(settings.EGRESS_ALLOWED_HOSTS, TimedGuard) as outbound:
        sender = Sender(lambda request: post(outbound, request))
        while not over.is_set():
            if not _turned(sender):
                sender.wait(LOOK_SECONDS)
        _finish(sender)


def _turned(sender: Sender) -> bool:
    try:
        return sender.turn()
    except Error as error:
        log.warning("deliveries_failed", error=str(error))
    except Exception:  # nobody else would go on
        log.exception("deliveries_raised")
    connection.close()
    return False


def _finish(sender: Sender) -> None:
    try:
        sender.finish(LAST_SECONDS)
    except Error as error:
        log.warning("deliveries_failed", error=str(error))
    finally:
        connection.close()


def _prepared(claimed: Claimed) -> Sendable | Outcome:
    """What is to be sent; of a delivery for which that cannot be made, that alone fails. Raises django.db.Error."""
    try:
        return sendable(claimed)
    except Error:
        raise
    except Exception as error:  # noqa: BLE001 - the others are sent all the same
        return _raised(claimed, error)


def _raised(claimed: Claimed, error: Exception) -> Outcome:
    log.error("delivery_raised", delivery_id=str(claimed.delivery_id), exc_info=error)
    return Outcome(kind="exception", message=type(error).__name__)


def sendable(claimed: Claimed) -> Sendable | Outcome:
    """What is to be sent, or why nothing can be."""
    if claimed.event is None:
        return Outcome(kind="not_found", message="its event is not there any more")
    try:
        keys = signing(claimed.sealed, overlapping=claimed.overlapping)
        bearer = bearer_of(claimed.sealed)
    except InvalidToken:
        return Outcome(kind="invalid_secret", message="the endpoint's secret cannot be read with this SECRET_KEY")
    if not keys:
        return Outcome(kind="endpoint_deleted", message="its endpoint was deleted")
    event = claimed.event
    message_id = event_id(event.execution_id, event.sequence)
    return Sendable(claimed.url, message_id, content(event, claimed.format), keys, bearer)


def post(outbound: httpx.Client, request: Sendable) -> Outcome:
    """Send it, signed for this moment, and say how that came out. No redirect is followed."""
    moment = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "webhook-id": request.message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signatures(request.keys, request.message_id, moment, request.content),
    }
    if request.bearer is not None:
        headers["Authorization"] = f"Bearer {request.bearer}"
    try:
        with (
            within(TIMEOUT),
            outbound.stream("POST", request.url, headers=headers, content=request.content, timeout=TIMEOUT) as response,
        ):
            return _judged(response, _excerpt(response))
    except (EgressRefused, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return _failed(error)


def _excerpt(response: httpx.Response) -> str:
    """How the body begins; what comes after, or never comes, is not waited for once the status is known."""
    body = b""
    try:
        for part in response.iter_raw():
            body += part
            if len(body) >= EXCERPT_BYTES:
                break
    except httpx.HTTPError as error:
        log.info("delivery_answer_cut_short", error=type(error).__name__)
    return answers.text(body[:EXCERPT_BYTES])


def _judged(response: httpx.Response, excerpt: str) -> Outcome:
    status = response.status_code
    if response.is_success:
        return Outcome(status, excerpt)
    return Outcome(
        status, excerpt, "http_status", f"it answered {status}", retry_after(response.headers.get("Retry-After"))
    )


def _failed(error: Exception) -> Outcome:
    match error:
        case EgressRefused():
            return Outcome(kind="egress_refused", message=str(error))
        case httpx.TimeoutException():
            return Outcome(kind="timeout", message=f"no answer within {TIMEOUT:.0f} s")
        case httpx.TransportError() if not isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
            return Outcome(kind="connection_failed", message=f"{type(error).__name__}: {error}")
        case _:
            return Outcome(kind="invalid_request", message=f"the request cannot be made: {error}")
