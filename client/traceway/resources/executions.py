"""`client.executions`, and an execution with what can be told to it. Executions dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from traceway.answers import Answer, Json
from traceway.asking import answered, as_it_is, ask, get, pages, path, post
from traceway.effects import Emit, Flow, Program, Reply, Request
from traceway.following import ended, follow
from traceway.models import Event, RedrivePreview, Step, WhyWaiting
from traceway.retries import Retry
from traceway.surface import D, Resource, call, many

EXECUTIONS = "/v1/executions"
EVENTS = 1000
TERMINAL = frozenset({"workflow_succeeded", "workflow_failed", "workflow_cancelled"})


def at(execution_id: str, more: str = "", **parts: str) -> str:
    """The path of an execution, or of something of it."""
    return path(EXECUTIONS + "/{execution_id}" + more, execution_id=execution_id, **parts)


def events_of(retry: Any, execution_id: str, after: int) -> Flow[Event]:
    """Those after the sequence `after`, up to now."""
    while True:
        request = get(at(execution_id, "/events"), {"after": after, "limit": EVENTS})
        found: list[Event] = yield from ask(retry, request, lambda items: [Event.of(item) for item in items])
        for event in found:
            yield Emit(event)
        if len(found) < EVENTS:
            return
        after = found[-1].sequence


@dataclass(frozen=True, kw_only=True)
class Execution(Answer, Resource[D]):
    """An execution as it stood when it was asked for; its methods ask again. What it can be told is at Executions."""

    _driver: D = field(repr=False, compare=False)
    id: str
    status: str
    workflow_id: str
    status_reason: str | None
    run_id: str | None
    order_id: str | None
    payment_status: str | None
    external_ref: str | None
    source_system: str | None
    source_entity_type: str | None
    source_entity_id: str | None
    initiated_by_type: str | None
    request_payload: Json = field(default_factory=dict)
    response_payload: Json | None
    client_safe_metadata: Json = field(default_factory=dict)
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime | None
    client_token: str | None = field(default=None, repr=False)
    checkout_url: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether it succeeded, failed or was cancelled."""
        return self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        return self.status == "workflow_succeeded"

    @call
    def refresh(self) -> Program[Execution[D]]:
        """As it stands now."""
        return shown(self._driver, self.id)

    @call
    def wait(self, *, timeout: float | None = None) -> Program[Execution[D]]:
        """As it ended. Raises WaitTimeout after `timeout` seconds; left out, it waits as long as it takes."""
        return waited(self._driver, self.id, timeout)

    @many
    def stream(self, *, after: int | None = None) -> Flow[Event]:
        """Its events as they happen, from the first on, until it has ended."""
        return streamed(self._driver, self.id, after)

    @many
    def events(self, *, after: int = 0) -> Flow[Event]:
        """Its events until now."""
        return events_of(self._retry, self.id, after)

    @many
    def steps(self) -> Flow[Step]:
        """Its steps with their attempts, then the parts of maps and loops, then compensations."""
        return pages(self._retry, at(self.id, "/steps"), {}, Step.of)

    @call
    def cancel(self, reason: str | None = None) -> Program[Execution[D]]:
        """End it."""
        return told(self._driver, post(at(self.id, "/cancel"), {"reason": reason}))


class Executions(Resource[D]):
    """Executions of the tenant. Where an `execution_id` is wanted, the id of one of its runs does as well."""

    @call
    def create(
        self,
        workflow_id: str,
        input: Mapping[str, Any] | None = None,
        *,
        source_system: str = "traceway-python",
        source_entity_type: str = "call",
        source_entity_id: str | None = None,
        external_ref: str | None = None,
        client_safe_metadata: Mapping[str, Any] | None = None,
        wait: float = 0,
        idempotency_key: str | None = None,
    ) -> Program[Execution[D]]:
        """A new one. With `wait` (1 to 30 seconds) the answer comes when it has ended, or the time is over."""
        body = {
            "workflowId": workflow_id,
            "sourceSystem": source_system,
            "sourceEntityType": source_entity_type,
            "sourceEntityId": source_entity_id,
            "externalRef": external_ref,
            "requestPayload": input,
            "clientSafeMetadata": client_safe_metadata,
        }
        return _created(self._driver, post(EXECUTIONS, body, key=idempotency_key, wait=wait))

    @call
    def get(self, execution_id: str) -> Program[Execution[D]]:
        """One."""
        return shown(self._driver, execution_id)

    @many
    def list(
        self,
        *,
        status: str | None = None,
        workflow_id: str | None = None,
        source_system: str | None = None,
        source_entity_id: str | None = None,
        external_ref: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int | None = None,
    ) -> Flow[Execution[D]]:
        """Newest first; all of them, or `limit`."""
        query = {
            "status": status,
            "workflowId": workflow_id,
            "sourceSystem": source_system,
            "sourceEntityId": source_entity_id,
            "externalRef": external_ref,
            "createdAfter": created_after and created_after.isoformat(),
            "createdBefore": created_before and created_before.isoformat(),
        }
        return pages(self._retry, EXECUTIONS, query, lambda raw: Execution.of(raw, _driver=self._driver), limit)

    @many
    def events(self, execution_id: str, *, after: int = 0) -> Flow[Event]:
        """What happened until now, from the event after the sequence `after`."""
        return events_of(self._retry, execution_id, after)

    @many
    def steps(self, execution_id: str) -> Flow[Step]:
        """The steps with their attempts, then the parts of maps and loops, then compensations."""
        return pages(self._retry, at(execution_id, "/steps"), {}, Step.of)

    @many
    def stream(self, execution_id: str, *, after: int | None = None) -> Flow[Event]:
        """Events as they happen, from the one after the sequence `after` on, until the execution has ended."""
        return streamed(self._driver, execution_id, after)

    @many
    def stream_all(self, *, after: str | None = None) -> Flow[Event]:
        """The events of all executions as they happen, without an end."""
        return follow(self._retry, EXECUTIONS + "/stream", Event.of, after=after, endless=True)

    @call
    def wait(self, execution_id: str, *, timeout: float | None = None) -> Program[Execution[D]]:
        """The execution as it ended. Raises WaitTimeout after `timeout` seconds."""
        return waited(self._driver, execution_id, timeout)

    @call
    def stats(
        self, *, from_ms: int | None = None, to_ms: int | None = None, granularity: str | None = None
    ) -> Program[Json]:
        """Counts over time; from and to in Unix milliseconds, `hourly` or `daily`."""
        query = {"from": from_ms, "to": to_ms, "granularity": granularity}
        return ask(self._retry, get(EXECUTIONS + "/stats", query), as_it_is)

    @call
    def receipt(self, execution_id: str) -> Program[Json]:
        """The signed receipt of its run, once that has ended: `jws` is what `traceway.records` verifies."""
        return ask(self._retry, get(at(execution_id, "/receipt")), as_it_is)

    @call
    def bundle(self, execution_id: str) -> Program[bytes]:
        """Its whole record as a zip that can be verified offline, and imported elsewhere."""
        return _downloaded(self._retry, get(at(execution_id, "/bundle")))

    @call
    def provenance(self, execution_id: str, path: str | None = None) -> Program[Json]:
        """Where values came from. `path` is a JSON Pointer such as /steps/score/input/amount: that value alone."""
        return ask(self._retry, get(at(execution_id, "/provenance"), {"path": path}), as_it_is)

    @call
    def why_waiting(self, execution_id: str, step: str) -> Program[WhyWaiting]:
        """What the step waits for. `step` is a name or an id."""
        return ask(self._retry, get(at(execution_id, "/steps/{step}/why-waiting", step=step)), WhyWaiting.of)

    @call
    def cancel(self, execution_id: str, reason: str | None = None) -> Program[Execution[D]]:
        """End it."""
        return told(self._driver, post(at(execution_id, "/cancel"), {"reason": reason}))

    @call
    def pause(self, execution_id: str) -> Program[Execution[D]]:
        """Nothing new of it begins."""
        return told(self._driver, post(at(execution_id, "/pause")))

    @call
    def resume(self, execution_id: str) -> Program[Execution[D]]:
        """It goes on."""
        return told(self._driver, post(at(execution_id, "/resume")))

    @call
    def redrive(
        self, execution_id: str, *, from_step: str | None = None, input: Mapping[str, Any] | None = None
    ) -> Program[Execution[D]]:
        """Run it again where it failed, or from a step on, whose config `input` patches."""
        return told(self._driver, _redrive(execution_id, from_step, input))

    @call
    def preview_redrive(
        self, execution_id: str, *, from_step: str | None = None, input: Mapping[str, Any] | None = None
    ) -> Program[RedrivePreview]:
        """What redrive would keep, begin anew and repeat; nothing is done."""
        request = _redrive(execution_id, from_step, input, preview=True)
        return ask(self._retry, request, lambda data: RedrivePreview.of(data["preview"]))

    @call
    def signal(
        self, execution_id: str, name: str, payload: Any = None, *, idempotency_key: str | None = None
    ) -> Program[Execution[D]]:
        """Hand it to the step that waits for the signal, or will."""
        return told(self._driver, _signal(execution_id, name, payload, idempotency_key))

    @call
    def approve(self, execution_id: str, step: str, comment: str | None = None) -> Program[Execution[D]]:
        """The approval is given."""
        return told(self._driver, post(_step(execution_id, step, "approve"), {"comment": comment}))

    @call
    def reject(self, execution_id: str, step: str, comment: str | None = None) -> Program[Execution[D]]:
        """The approval is refused, and the step fails."""
        return told(self._driver, post(_step(execution_id, step, "reject"), {"comment": comment}))

    @call
    def skip(self, execution_id: str, step: str, reason: str) -> Program[Execution[D]]:
        """Go on as if the step were not needed."""
        return told(self._driver, post(_step(execution_id, step, "skip"), {"reason": reason}))

    @call
    def complete(self, execution_id: str, step: str, reason: str, output: Any = None) -> Program[Execution[D]]:
        """Go on as if the step had succeeded."""
        return told(self._driver, post(_step(execution_id, step, "complete"), {"reason": reason, "output": output}))

    @call
    def resolve(
        self, execution_id: str, step: str, outcome: str, reason: str, output: Any = None
    ) -> Program[Execution[D]]:
        """Say how an unknown outcome came out: `succeeded`, `failed` or `retry`."""
        body = {"outcome": outcome, "reason": reason, "output": output}
        return told(self._driver, post(_step(execution_id, step, "resolve"), body))


def shown(driver: D, execution_id: str) -> Program[Execution[D]]:
    """The execution as it stands."""
    found, _ = yield from _looked_at(driver, execution_id)
    return found


def waited(driver: D, execution_id: str, seconds: float | None) -> Program[Execution[D]]:
    """The execution as it ended."""
    retry = driver.settings.retry
    return ended(retry, lambda: _looked_at(driver, execution_id), at(execution_id, "/stream"), seconds)


def streamed(driver: D, execution_id: str, after: int | None) -> Flow[Event]:
    """Its events as they happen."""
    last_id = None if after is None else str(after)
    return follow(driver.settings.retry, at(execution_id, "/stream"), Event.of, after=last_id)


def told(driver: D, request: Request) -> Program[Execution[D]]:
    """The execution as it stands after it was told something."""
    return ask(driver.settings.retry, request, lambda data: Execution.of(data, _driver=driver))


def _downloaded(retry: Retry, request: Request) -> Program[bytes]:
    reply: Reply = yield from answered(retry, request)
    return reply.body


def _looked_at(driver: D, execution_id: str) -> Program[tuple[Execution[D], str]]:
    """The execution, and the sequence of its newest event."""

    def read(data: Any) -> tuple[Execution[D], str]:
        newest = max((event["sequence"] for event in data["events"]), default="")
        return Execution.of(data["execution"], _driver=driver), str(newest)

    return ask(driver.settings.retry, get(at(execution_id)), read)


def _created(driver: D, request: Request) -> Program[Execution[D]]:
    def read(data: Any) -> Execution[D]:
        given = {"client_token": data.get("clientToken"), "checkout_url": data.get("checkoutUrl")}
        return Execution.of(data["execution"], _driver=driver, **given)

    return ask(driver.settings.retry, request, read)


def _redrive(
    execution_id: str, from_step: str | None, config: Mapping[str, Any] | None, *, preview: bool = False
) -> Request:
    body = {"fromStep": from_step, "input": config, "preview": preview or None}
    return post(at(execution_id, "/redrive"), body)


def _signal(execution_id: str, name: str, payload: Any, key: str | None) -> Request:
    return post(at(execution_id, "/signals/{name}", name=name), {"payload": payload}, key=key)


def _step(execution_id: str, step: str, verb: str) -> str:
    return at(execution_id, "/steps/{step}/" + verb, step=step)
