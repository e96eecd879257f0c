"""What a step waits for, in words and in data. Pure: the facts are gathered in waits.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contract.json_values import JSON
from contract.timestamps import wire
from executions.plan import latched
from executions.states import STEP_TERMINAL, TERMINAL, Intent, Status, StepStatus, TaskStatus
from workflows.spec import COMPENSATIONS, PARTS, StepSpec

STEPS_NAMED = 100
"""How many of the steps that are waited for are named."""

_STANDS = {
    StepStatus.SUCCEEDED: "The step has succeeded.",
    StepStatus.FAILED: "The step has failed.",
    StepStatus.SKIPPED: "The step was skipped.",
    StepStatus.CANCELLED: "The step was cancelled.",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is waited for: `kind` is the stable word of the docs, `data` what belongs to it."""

    kind: str
    message: str
    data: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Whole:
    """The execution as far as its steps wait for it. `limit`: how many with its concurrency key may run at once."""

    status: Status
    intent: Intent = Intent.RUN
    is_due: bool = True
    quarantined: str | None = None
    order_id: str | None = None
    concurrency_key: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """Of a step with parts: how many there are, how many have not ended."""

    total: int
    left: int


@dataclass(frozen=True, slots=True)
class Handed:
    """The task of an agent that waits for one of its workers, or was claimed by one."""

    task_id: str
    agent_id: str
    status: TaskStatus
    leased_until: datetime | None = None
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """One step and what stands around it.

    `before`: how each step stands that this one comes after, by name. `awaited` is what a wait recorded as its input,
    `due_at` when the step may begin, `child` the execution that its newest attempt started, `handed` the task that it
    handed out.
    """

    step: StepSpec
    status: StepStatus
    whole: Whole
    before: Mapping[str, StepStatus] = field(default_factory=dict)
    attempt: int = 0
    worker: str | None = None
    is_open: bool = True
    owner: str | None = None
    due_at: datetime | None = None
    awaited: Mapping[str, JSON] = field(default_factory=dict)
    parts: Parts | None = None
    child: str | None = None
    handed: Handed | None = None


def why(facts: Facts, now: datetime) -> tuple[Reason, ...]:
    """Everything that the step waits for, what stands in the way of the whole execution first. Never empty."""
    if facts.whole.status in TERMINAL:
        return (Reason("nothing", "The execution has ended."),)
    if facts.status in STEP_TERMINAL:
        return (Reason("nothing", _STANDS[facts.status]),)
    return tuple(_in_the_way(facts)) + tuple(_of_the_step(facts, now)) or (_for_a_worker(facts),)


def said(reasons: tuple[Reason, ...]) -> str:
    """The reasons in one or two sentences."""
    first, *others = [reason.message for reason in reasons]
    return f"{first} {others[0]}" if others else first


def _in_the_way(facts: Facts) -> Iterator[Reason]:
    """What keeps every step of the execution from beginning."""
    whole = facts.whole
    if facts.status is StepStatus.RUNNING:
        return
    if whole.quarantined is not None:
        message = "The execution could not be advanced and is quarantined until somebody resumes it."
        yield Reason("quarantine", message, {"reason": whole.quarantined})
    if whole.status in {Status.AWAITING_PAYMENT, Status.PAYMENT_CONFIRMED}:
        yield Reason("payment", "The execution has not been paid for.", {"orderId": whole.order_id})
    if whole.intent is Intent.PAUSE:
        yield Reason("paused", "The execution is paused: nothing new begins until it is resumed.")
    elif whole.status is Status.QUEUED and whole.concurrency_key is not None and not whole.is_due:
        message = "As many executions with the same concurrency key run as may at once."
        yield Reason("concurrency", message, {"key": whole.concurrency_key, "limit": whole.limit})


def _of_the_step(facts: Facts, now: datetime) -> Iterator[Reason]:
    match facts.status:
        case StepStatus.RUNNING:
            message = f"Attempt {facts.attempt} is being carried out by {facts.worker}."
            yield Reason("worker", message, {"attempt": facts.attempt, "worker": facts.worker})
        case StepStatus.OUTCOME_UNKNOWN:
            message = "Nobody knows whether its effect came about; an operator has to resolve it."
            yield Reason("operator", message, {"attempt": facts.attempt})
        case StepStatus.WAITING:
            yield from _of_what_waits(facts)
        case StepStatus.RETRYING:
            yield from _before_the_retry(facts, now)
        case StepStatus.PENDING:
            yield from _before_it_begins(facts)


def _before_the_retry(facts: Facts, now: datetime) -> Iterator[Reason]:
    if _is_ending(facts):
        yield _too_late()
    elif facts.due_at is not None and facts.due_at > now:
        until = wire(facts.due_at)
        message = f"Attempt {facts.attempt} did not succeed; the next one begins at {until}."
        yield Reason("retry", message, {"until": until, "attempt": facts.attempt + 1})


def _before_it_begins(facts: Facts) -> Iterator[Reason]:
    if facts.step.index >= COMPENSATIONS:
        yield from _before_it_compensates(facts)
    elif _is_ending(facts):
        yield _too_late()
    elif facts.is_open:
        return
    elif facts.step.index >= PARTS and latched(facts.step):
        message = f"It begins once other parts of {facts.owner} have ended."
        yield Reason("parts", message, {"steps": [facts.owner]})
    else:
        yield _for_parents(facts)


def _before_it_compensates(facts: Facts) -> Iterator[Reason]:
    if not facts.is_open:
        message = f"It undoes {facts.owner} if the execution fails or is cancelled, once what came after it is undone."
        yield Reason("compensation", message, {"steps": [facts.owner]})


def _for_parents(facts: Facts) -> Reason:
    names = [name for name, status in facts.before.items() if status not in STEP_TERMINAL]
    data: dict[str, JSON] = {"steps": names[:STEPS_NAMED], "count": len(names)}
    listed = _listed(names)
    if facts.step.handles:
        return Reason("parents", f"It begins only if {listed} fails.", data)
    if facts.step.join is not None:
        message = f"It begins after {facts.step.join} of the steps before it; still open: {listed}."
        return Reason("parents", message, {**data, "needs": facts.step.join})
    return Reason("parents", f"It begins after {listed}.", data)


def _of_what_waits(facts: Facts) -> Iterator[Reason]:
    awaited = facts.awaited
    limit = awaited.get("times_out_at")
    if awaited.get("fires_at") is not None:
        until = awaited["fires_at"]
        yield Reason("timer", f"It goes on at {until}.", {"until": until})
    if awaited.get("signal") is not None:
        name = awaited["signal"]
        yield Reason("signal", f"It goes on when the signal {name} comes.", {"name": name, "until": limit})
    if awaited.get("approval") is not None:
        yield _for_approval(awaited["approval"], limit)
    if facts.parts is not None:
        message = f"{facts.parts.left:,} of its {facts.parts.total:,} parts have not ended."
        yield Reason("parts", message, {"left": facts.parts.left, "total": facts.parts.total})
    if facts.child is not None:
        message = f"The execution {facts.child}, which it started, has not ended."
        yield Reason("child", message, {"executionId": facts.child})
    if facts.handed is not None:
        yield _for_agent(facts.handed)


def _for_agent(handed: Handed) -> Reason:
    message = "It goes on once a worker of its agent has claimed its task and completed it."
    if handed.status is TaskStatus.CLAIMED:
        message = f"A worker of its agent has claimed its task, until {wire(handed.leased_until)} at least."
    elif handed.status is TaskStatus.REPORTED:
        message = "A worker of its agent has said what came of its task; that is about to be worked in."
    data: dict[str, JSON] = {"agentId": handed.agent_id, "taskId": handed.task_id}
    return Reason("agent", message, {**data, "taskStatus": handed.status.value, "until": wire(handed.deadline)})


def _for_approval(approval: Mapping[str, JSON], until: JSON) -> Reason:
    approvers = approval.get("approvers")
    who = "somebody" if approvers is None else _listed(approvers, "or")
    asked = f": {approval['message']}" if approval.get("message") else "."
    message = f"It goes on when {who} approves or rejects it{asked}"
    return Reason("approval", message, {"approvers": approvers, "until": until})


def _for_a_worker(facts: Facts) -> Reason:
    since = None if facts.due_at is None else wire(facts.due_at)
    return Reason("worker", "It is ready: the next worker that is free takes it.", {"since": since})


def _is_ending(facts: Facts) -> bool:
    return facts.step.index < COMPENSATIONS and facts.whole.intent in {Intent.CANCEL, Intent.FAIL}


def _too_late() -> Reason:
    return Reason("nothing", "The execution is about to end without it.")


def _listed(names: list[str], word: str = "and") -> str:
    """Up to three names, and how many more there are."""
    shown = names[:3] if len(names) <= 3 else [*names[:2], f"{len(names) - 2:,} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {word} {shown[-1]}" if shown else "them"
