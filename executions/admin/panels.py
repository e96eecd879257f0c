"""What the admin's pages on executions are made of: badges, readable JSON, tables with a bound on their rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from contract import json_values
from contract.identifiers import run_name
from contract.json_values import JSON
from contract.problems import NotFound
from executions.commands.redriving import Prepared
from executions.models import Attempt, Event, Execution, Step, Submission
from executions.payloads.reading import value_of
from executions.states import TONES
from executions.telling import EVENTS, body_of, event_message
from executions.waits import why_waiting
from workflows.spec import PARTS, Spec

STEPS_SHOWN = 50
ATTEMPTS_SHOWN = 20
EVENTS_SHOWN = 50
CHILDREN_SHOWN = 50
RUNS_SHOWN = 20
CHARACTERS_SHOWN = 20_000

_LEVEL_TONES = {"info": "neutral", "warning": "warning", "error": "danger"}
_PRE = "max-height:26rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;font-size:12px;line-height:1.5"

Table = dict[str, Any]
"""What executions/table.html shows: {headers, rows}."""


def badge(word: str, tone: str | None = None) -> SafeString:
    """A word in the colour of its status."""
    return label(word.removeprefix("workflow_").replace("_", " "), tone or TONES[word])


def tone_of(word: str) -> str:
    """How a word looks that may be no status at all."""
    return TONES.get(word, "neutral")


def label(text: str, tone: str) -> SafeString:
    """A coloured label; the tone is one of those in TONES."""
    return mark_safe(render_to_string("unfold/helpers/label.html", {"text": text, "type": tone}))  # noqa: S308


def pretty(text: str | None) -> SafeString | str:
    """Stored JSON text, indented; a long one is cut and says so."""
    return "-" if text is None else indented(json_values.load(text))


def payload(column: str | None, execution_id: UUID) -> SafeString | str:
    """As pretty, a payload of this execution, wherever it stands."""
    return "-" if column is None else indented(value_of(column, execution_id))


def indented(value: JSON) -> SafeString:
    """JSON to be read; what is long is cut and says so."""
    whole = json.dumps(value, indent=2, ensure_ascii=False)
    cut = "" if len(whole) <= CHARACTERS_SHOWN else f"\n... the first {CHARACTERS_SHOWN:,} of {len(whole):,} characters"
    return format_html('<pre style="{}">{}{}</pre>', _PRE, whole[:CHARACTERS_SHOWN], cut)


def moment(at: datetime | None) -> str:
    """To the millisecond, UTC."""
    return "-" if at is None else at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03}"


def took(row: Attempt | Execution) -> str:
    """From its start to its end."""
    if row.started_at is None or row.finished_at is None:
        return "-"
    seconds = (row.finished_at - row.started_at).total_seconds()
    return f"{seconds * 1000:,.0f} ms" if seconds < 10 else f"{seconds:,.1f} s"


def page_of(row: Model, text: str | None = None) -> SafeString:
    """A link to the row's page."""
    options = row._meta
    address = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, text or str(row))


def list_of(model: type[Model], execution: Execution) -> str:
    """The address of the list of all that an execution has of `model`."""
    options = model._meta
    address = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return f"{address}?{urlencode({'execution__exact': execution.id})}"


def steps_table(execution: Execution, first: int) -> Table:
    """One page of the steps, parts and compensations, from index `first`, each with its newest attempt: two queries."""
    rows = Step.objects.filter(execution=execution, index__gte=first).order_by("index").defer("item")
    steps = list(rows[:STEPS_SHOWN])
    newest = {attempt.step_index: attempt for attempt in _newest_attempts(execution, [step.index for step in steps])}
    headers = ["#", "step", "status", "attempts", "started", "took", "worker", "error"]
    return {"headers": headers, "rows": [_step(step, newest.get(step.index)) for step in steps]}


def attempts_table(step: Step) -> Table:
    """The newest attempts at a step."""
    rows = Attempt.objects.filter(execution_id=step.execution_id, step_index=step.index).order_by("-number")
    headers = ["attempt", "status", "started", "took", "worker", "code", "error"]
    return {"headers": headers, "rows": [_attempt(row) for row in rows.defer("input", "output")[:ATTEMPTS_SHOWN]]}


def reasons_table(step: Step) -> Table:
    """What a step waits for; nothing for the part of a map that began anew without it."""
    execution = Execution.objects.select_related("submission", "payment").get(id=step.execution_id)
    try:
        reasons = why_waiting(execution, step.name).reasons
    except NotFound:
        reasons = ()
    return {"headers": ["for", "message"], "rows": [[reason.kind, reason.message] for reason in reasons]}


def children_table(execution: Execution) -> Table:
    """Executions that its steps started, the last steps' first."""
    rows = Submission.objects.filter(parent=execution).select_related("execution").order_by("-parent_step")
    shown = rows.only("parent_step", "execution__id", "execution__status", "execution__created_at")[:CHILDREN_SHOWN]
    headers = ["execution", "status", "step", "created"]
    return {
        "headers": headers,
        "rows": [
            [
                page_of(row.execution),
                badge(row.execution.status),
                row.parent_step,
                moment(row.execution.created_at),
            ]
            for row in shown
        ],
    }


def runs_table(execution: Execution) -> Table:
    """The runs before a redrive, newest first."""
    rows = execution.earlier_runs.order_by("-queued_at")[:RUNS_SHOWN]
    headers = ["run", "status", "reason", "queued", "finished"]
    return {
        "headers": headers,
        "rows": [
            [
                run_name(row.run_id),
                badge(row.status),
                row.status_reason or "",
                moment(row.queued_at),
                moment(row.finished_at),
            ]
            for row in rows
        ],
    }


def redrive_tables(prepared: Prepared) -> dict[str, Table]:
    """What a redrive would repeat, begin anew and keep."""
    spec, plan = prepared.spec, prepared.plan
    repeats = [
        [
            spec.step(repeat.index).name,
            spec.step(repeat.index).type,
            spec.step(repeat.index).effect.value,
            repeat.attempts,
            badge(repeat.last),
            "the same" if repeat.same_key else "a new one",
        ]
        for repeat in plan.repeats[:STEPS_SHOWN]
    ]
    headers = ["step", "type", "effect", "attempts", "came to", "key"]
    return {
        _counted("Effects that may be repeated", len(plan.repeats)): {"headers": headers, "rows": repeats},
        _counted("Steps that begin anew", len(plan.resets)): _names(spec, plan.resets),
        _counted("Steps that are kept", len(plan.keeps)): _names(spec, plan.keeps),
    }


def events_table(execution: Execution) -> Table:
    """The newest events, newest first."""
    rows = Event.objects.filter(execution=execution).order_by("-sequence")[:EVENTS_SHOWN]
    return {"headers": ["#", "at", "event", "step", "message"], "rows": [_event(row) for row in rows]}


def event_badge(event: Event) -> SafeString:
    """The event's title in the colour of its level."""
    words = EVENTS[event.type]
    return label(words.title, _LEVEL_TONES[words.level])


def message_of(event: Event) -> str:
    return event_message(event.type, body_of(event.body))


def error_of(attempt: Attempt) -> str:
    """What went wrong, in a line."""
    if attempt.error is None:
        return ""
    error = value_of(attempt.error, attempt.execution_id)
    return f"{error['kind']}: {error['message']}"[:200] if "kind" in error else "dropped"


def _newest_attempts(execution: Execution, indexes: list[int]) -> list[Attempt]:
    rows = Attempt.objects.filter(execution=execution, step_index__in=indexes)
    return list(rows.order_by("step_index", "-number").distinct("step_index").defer("input", "output"))


def _step(step: Step, attempt: Attempt | None) -> list[Any]:
    began = [moment(attempt.started_at), took(attempt), attempt.worker_name] if attempt else ["-", "-", "-"]
    error = error_of(attempt) if attempt else ""
    place = step.index if step.index < PARTS else ""
    return [place, page_of(step), badge(step.status), step.attempts, *began, error]


def _attempt(row: Attempt) -> list[Any]:
    link = page_of(row, f"{row.number}")
    return [
        link,
        badge(row.status),
        moment(row.started_at),
        took(row),
        row.worker_name,
        row.code_version,
        error_of(row),
    ]


def _event(row: Event) -> list[Any]:
    return [row.sequence, moment(row.created_at), event_badge(row), row.step or "", message_of(row)]


def _counted(title: str, count: int) -> str:
    return f"{title}: {count:,}" + (f", the first {STEPS_SHOWN} here" if count > STEPS_SHOWN else "")


def _names(spec: Spec, indexes: Sequence[int]) -> Table:
    return {"headers": ["step"], "rows": [[spec.step(index).name] for index in indexes[:STEPS_SHOWN]]}
