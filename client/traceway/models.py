"""What the API answers with, as dataclasses, except what has methods of its own (those stand in resources/)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from traceway.answers import Answer, Json


@dataclass(frozen=True, kw_only=True)
class Event(Answer):
    """One entry of an execution's record."""

    id: str
    sequence: int
    event_type: str
    execution_id: str | None
    node_id: str | None
    run_id: str | None
    level: str | None
    title: str | None
    message: str | None
    data: Json = field(default_factory=dict)
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Attempt(Answer):
    """One try at a step."""

    number: int
    status: str
    worker: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    output: Any
    error: Json | None


@dataclass(frozen=True, kw_only=True)
class Parts(Answer):
    """How many parts a map or a loop has, ended and failed ones among them."""

    total: int
    ended: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Step(Answer):
    """One step of an execution; `parent` names the step that it is a part of."""

    id: str
    name: str
    type: str
    status: str
    depends_on: list[str] = field(default_factory=list)
    started_at: datetime | None
    finished_at: datetime | None
    input: Any
    output: Any
    error: Json | None
    parent: str | None
    parts: Parts | None
    child_execution_id: str | None
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class WaitingFor(Answer):
    """One thing that a step waits for; more members of its kind are in `raw`."""

    kind: str
    message: str | None


@dataclass(frozen=True, kw_only=True)
class WhyWaiting(Answer):
    """Why a step waits, in words and in data."""

    step_id: str
    name: str
    status: str
    message: str
    waiting_for: list[WaitingFor] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Repeat(Answer):
    """An effect that a redrive would bring about once more, or might."""

    step: str
    type: str
    effect: str
    attempts: int
    last_outcome: str
    same_key: bool


@dataclass(frozen=True, kw_only=True)
class RedrivePreview(Answer):
    """What a redrive would keep, begin anew and repeat."""

    from_step: str | None
    keeps: list[str] = field(default_factory=list)
    resets: list[str] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Workflow(Answer):
    """A workflow with the definition that stands for it; in lists without `steps`."""

    id: str
    name: str
    version: str
    status: str
    description: str | None
    digest: str | None
    draft_version: str | None
    created_at: datetime | None
    published_at: datetime | None
    steps: list[Json] | None
    input_schema: Json | None


@dataclass(frozen=True, kw_only=True)
class WorkflowVersion(Answer):
    """One version of a workflow; `live` is whether executions take it. In lists without `steps`."""

    id: str
    workflow_id: str
    name: str
    version: str
    status: str
    live: bool
    digest: str | None
    created_at: datetime | None
    published_at: datetime | None
    steps: list[Json] | None


@dataclass(frozen=True, kw_only=True)
class DefinitionProblem(Answer):
    """One thing wrong with a definition; `field` is a JSON Pointer into it."""

    field: str
    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Validation(Answer):
    """Whether a definition is one, and everything that is wrong with it."""

    valid: bool
    errors: list[DefinitionProblem] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Price(Answer):
    """What an execution costs, in minor units."""

    amount: int
    currency: str
    refund: str | None


@dataclass(frozen=True, kw_only=True)
class Plan(Answer):
    """What a run would do: its steps in the order they would run in. `plan_hash` holds a later run to this."""

    workflow_id: str
    workflow_version: str
    plan_hash: str
    price: Price | None
    steps: list[Json] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Orchestration(Answer):
    """An execution as the workflow dialect sees it."""

    id: str | None
    workflow_id: str
    workflow_version: str | None
    agent_id: str | None
    status: str
    steps: list[Json] = field(default_factory=list)
    output: Json | None
    results: Json = field(default_factory=dict)
    error: Json | None
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Template(Answer):
    """What binds a workflow to applications."""

    id: str
    name: str
    workflow_id: str
    status: int
    short_id: str | None
    description: str | None
    input: Any
    outcome: str | None
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Application(Answer):
    """A record that data orchestrations are run for."""

    id: str
    external_ref: str | None
    data: Json = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OrchestrationLog(Answer):
    """One data orchestration: `id` is the execution's; `status` 1 accepted, 2 running, 3 waiting, 4 to 6 over."""

    id: str
    status: int
    master_status: str | None
    outcome: str | None
    internal_error: str | None
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Payment(Answer):
    """What one order costs, in minor units, and whether it was paid."""

    order_id: str
    execution_id: str
    status: str
    amount: int
    currency: str
    provider: str | None
    refunded_amount: int | None
    reference: str | None
    checkout_url: str | None
    created_at: datetime | None
    paid_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ApiKey(Answer):
    """A key; `key` itself is told once, where it was made."""

    id: str
    name: str
    prefix: str | None
    scopes: list[str] = field(default_factory=list)
    key: str | None = field(repr=False)
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Secret(Answer):
    """A secret without its value; `version` is raised by every new value."""

    id: str
    name: str
    version: int
    created_at: datetime
    updated_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class WebhookEndpoint(Answer):
    """An address that is told of events; `signing_secret` is told once, where it was made."""

    id: str
    name: str
    url: str
    description: str | None
    format: str
    subscribed_event_types: list[str] = field(default_factory=list)
    max_retries: int
    status: str
    signing_secret: str | None = field(repr=False)
    disabled_reason: str | None
    disabled_at: datetime | None
    failing_since: datetime | None
    secret_overlap_until: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class WebhookAttempt(Answer):
    """One try at a delivery."""

    number: int
    status: str
    response_status: int | None
    response_excerpt: str | None
    error: Json | None
    started_at: datetime
    finished_at: datetime | None
    duration_ms: int | None


@dataclass(frozen=True, kw_only=True)
class WebhookDelivery(Answer):
    """What one endpoint was told of one event, with its newest attempts; `replay_of` is the delivery it repeats."""

    id: str
    endpoint_id: str
    execution_id: str
    event_id: str
    event_type: str
    status: str
    replay_of: str | None
    attempt_count: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    attempts: list[WebhookAttempt] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Tenant(Answer):
    """An organisation."""

    id: str
    slug: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Credential(Answer):
    """What a caller showed."""

    type: str
    id: str | None
    name: str
    scopes: list[str] = field(default_factory=list)
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Me(Answer):
    """Who the caller is, as the service sees it."""

    tenant: Tenant
    credential: Credential


@dataclass(frozen=True, kw_only=True)
class Lease(Answer):
    """For how long a task is its claimer's without another heartbeat, and when its step times out."""

    task_id: str
    leased_until: datetime
    deadline: datetime | None


@dataclass(frozen=True, kw_only=True)
class Agent(Answer):
    """Who carries steps out; `actions` are patterns of what it may do."""

    id: str
    name: str
    status: str
    agent_id: str | None
    description: str | None
    actions: list[str] = field(default_factory=list)
    created_at: datetime | None
