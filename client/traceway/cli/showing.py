"""`traceway list`, `show`, `logs`, `why`, `workflows` and `me`: looking, and changing nothing."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from traceway.cli import exits, words
from traceway.cli.command import Command, Session, examples
from traceway.cli.output import grid
from traceway.cli.tree import TERMINAL
from traceway.cli.watching import tell
from traceway.drivers import Direct
from traceway.models import Step
from traceway.resources.executions import Execution

STATUSES = (
    "awaiting_payment",
    "payment_confirmed",
    "queued",
    "running",
    "waiting",
    "succeeded",
    "failed",
    "cancelled",
)
LIMIT = click.IntRange(min=1)


@click.command(
    "list",
    cls=Command,
    epilog=examples("traceway list --status failed", "traceway list --workflow greeting -n 5 --json"),
)
@click.option("--status", type=click.Choice(STATUSES), help="Only those that stand so.")
@click.option("--workflow", metavar="NAME", help="Only those of this workflow.")
@click.option("--ref", metavar="TEXT", help="Only those with this external reference.")
@click.option("-n", "--limit", type=LIMIT, default=20, show_default=True, help="How many at most.")
@click.pass_obj
def list_command(session: Session, status: str | None, workflow: str | None, ref: str | None, limit: int) -> int:
    """Show executions, newest first."""
    client = session.client
    found = list(
        client.executions.list(
            status=status and words.long(status),
            workflow_id=client.workflows.named(workflow).id if workflow else None,
            external_ref=ref,
            limit=limit,
        )
    )
    people = session.output.for_people
    names = {one.id: one.name for one in client.workflows.list(limit=100)} if found and not workflow and people else {}
    rows = [
        (
            words.badge(one.status),
            one.id,
            workflow or names.get(one.workflow_id, one.workflow_id),
            one.created_at,
            words.took(one.started_at, one.finished_at),
            one.status_reason,
        )
        for one in found
    ]
    if people and not found:
        session.output.say("there is none")
        return exits.OK
    columns = ("status", "id", "workflow", "created", "took", "reason")
    session.output.rows(columns, rows, [one.raw for one in found], [one.id for one in found])
    return exits.OK


@click.command(cls=Command, epilog=examples("traceway show 01a2034c-9949-77dc-ab16-1a0ece9a725b"))
@click.argument("execution_id", metavar="ID")
@click.pass_obj
def show(session: Session, execution_id: str) -> int:
    """Show where an execution stands, and its steps."""
    execution = session.client.executions.get(execution_id)
    steps = list(execution.steps())
    raw = {"execution": execution.raw, "steps": [step.raw for step in steps]}
    session.output.value(raw, execution.id, _shown(execution, steps))
    return exits.OK


@click.command(
    cls=Command,
    epilog=examples("traceway logs 01a2034c-9949-77dc-ab16-1a0ece9a725b --follow", "traceway logs $ID --json"),
)
@click.argument("execution_id", metavar="ID")
@click.option("-f", "--follow", is_flag=True, help="Go on until the execution has ended.")
@click.pass_obj
def logs(session: Session, execution_id: str, follow: bool) -> int:
    """Show what happened, line by line."""
    executions = session.client.executions
    for event in executions.stream(execution_id) if follow else executions.events(execution_id):
        tell(session, event)
    return exits.OK


@click.command(cls=Command, epilog=examples("traceway why $ID sign-off"))
@click.argument("execution_id", metavar="ID")
@click.argument("step")
@click.pass_obj
def why(session: Session, execution_id: str, step: str) -> int:
    """Say what a step waits for."""
    found = session.client.executions.why_waiting(execution_id, step)
    lines = [Text.assemble(words.badge(found.status), (f"  {words.harmless(found.name)}", "bold"))]
    lines += [Text(f"  {words.harmless(reason.message or reason.kind)}") for reason in found.waiting_for]
    if not found.waiting_for:
        lines.append(Text(f"  {words.harmless(found.message)}"))
    session.output.value(found.raw, found.step_id, Group(*lines))
    return exits.OK


@click.command(cls=Command, epilog=examples("traceway workflows", "traceway workflows --all --json"))
@click.option("--all", "archived_too", is_flag=True, help="Archived ones too.")
@click.option("-n", "--limit", type=LIMIT, default=100, show_default=True, help="How many to look at, at most.")
@click.pass_obj
def workflows(session: Session, archived_too: bool, limit: int) -> int:
    """Show workflows, newest first."""
    found = [one for one in session.client.workflows.list(limit=limit) if archived_too or one.status != "archived"]
    rows = [
        (words.badge(one.status), one.name, one.version, one.id, one.published_at, one.draft_version) for one in found
    ]
    columns = ("status", "name", "version", "id", "published", "draft")
    session.output.rows(columns, rows, [one.raw for one in found], [one.id for one in found])
    return exits.OK


@click.command(cls=Command)
@click.pass_obj
def me(session: Session) -> int:
    """Show whose key this is and what it may do."""
    found = session.client.me()
    facts = {
        "tenant": f"{found.tenant.slug} ({found.tenant.name})",
        "tenant id": found.tenant.id,
        "key": found.credential.name,
        "scopes": ", ".join(found.credential.scopes),
        "expires": found.credential.expires_at,
    }
    session.output.value(found.raw, found.tenant.id, _facts(facts))
    return exits.OK


def _shown(execution: Execution[Direct], steps: list[Step]) -> Group:
    facts: dict[str, Any] = {
        "execution": execution.id,
        "status": words.badge(execution.status),
        "reason": execution.status_reason,
        "workflow": execution.workflow_id,
        "run": execution.run_id,
        "from": " ".join(filter(None, (execution.source_system, execution.source_entity_type))),
        "reference": execution.external_ref,
        "payment": None if execution.payment_status == "not_required" else execution.payment_status,
        "created": execution.created_at.isoformat(timespec="milliseconds"),
        "took": words.took(execution.started_at, execution.finished_at),
    }
    rows = [
        (
            words.badge(step.status),
            step.name,
            step.type,
            len(step.attempts) or None,
            _took(step),
            (step.error or {}).get("message"),
        )
        for step in steps
    ]
    result = [] if execution.response_payload is None else [Text("\noutput", "dim"), _json(execution.response_payload)]
    return Group(_facts(facts), Text(), grid(("status", "step", "type", "attempts", "took", "error"), rows), *result)


def _took(step: Step) -> str:
    """One that was cancelled has no end of its own, but its last attempt has."""
    if step.status not in TERMINAL:
        return words.took(step.started_at, None)
    ends = [step.finished_at, *(attempt.finished_at for attempt in reversed(step.attempts))]
    end = next(filter(None, ends), None)
    return words.took(step.started_at, end) if end else ""


def _facts(facts: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in facts.items():
        if value:
            table.add_row(Text(name, "dim"), value if isinstance(value, Text) else Text(words.harmless(value)))
    return table


def _json(value: Any) -> Text:
    return Text(words.as_json(value))
