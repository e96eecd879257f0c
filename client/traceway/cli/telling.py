"""`traceway cancel`, `pause`, `resume`, `redrive`, `signal`, `approve` and `reject`: telling an execution something."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from traceway.cli import exits, words
from traceway.cli.command import Command, Session, examples, read_json
from traceway.cli.output import grid
from traceway.cli.watching import watch
from traceway.drivers import Direct
from traceway.models import RedrivePreview
from traceway.resources.executions import Execution

execution_id = click.argument("execution_id", metavar="ID")
step_name = click.argument("step")
comment = click.option("-m", "--comment", metavar="TEXT", help="Why; it is recorded.")


@click.command(cls=Command, epilog=examples('traceway cancel $ID --reason "ordered twice"'))
@execution_id
@click.option("--reason", metavar="TEXT", help="Why; it is recorded.")
@click.pass_obj
def cancel(session: Session, execution_id: str, reason: str | None) -> int:
    """End an execution.

    Nothing new of it begins, what succeeded is compensated where the definition says how.
    """
    return _stands(session, session.client.executions.cancel(execution_id, reason))


@click.command(cls=Command)
@execution_id
@click.pass_obj
def pause(session: Session, execution_id: str) -> int:
    """Let nothing new of an execution begin."""
    return _stands(session, session.client.executions.pause(execution_id))


@click.command(cls=Command)
@execution_id
@click.pass_obj
def resume(session: Session, execution_id: str) -> int:
    """Let a paused execution go on."""
    return _stands(session, session.client.executions.resume(execution_id))


@click.command(
    cls=Command,
    epilog=examples(
        "traceway redrive $ID --preview",
        'traceway redrive $ID --from notify --input \'{"url": "https://example.com/new"}\' --watch',
    ),
)
@execution_id
@click.option("--from", "from_step", metavar="STEP", help="Begin this step, and everything after it, anew as well.")
@click.option("--input", "given", metavar="JSON", callback=read_json, help="A patch of that step's config.")
@click.option("--preview", is_flag=True, help="Show what would be repeated, and do nothing.")
@click.option("--watch", "watched", is_flag=True, help="Show its steps as they run.")
@click.pass_obj
def redrive(session: Session, /, execution_id: str, from_step: str | None, given: Any, **how: bool) -> int:
    """Run an execution again where it failed.

    Or where it was cancelled; what succeeded is kept.
    """
    executions = session.client.executions
    if how["preview"]:
        return _preview(session, executions.preview_redrive(execution_id, from_step=from_step, input=given))
    again = executions.redrive(execution_id, from_step=from_step, input=given)
    if how["watched"]:
        return watch(session, again, session.client.workflows.get(again.workflow_id).name)
    return _stands(session, again)


@click.command(cls=Command, epilog=examples("traceway signal $ID paid --payload '{\"amount\": 4950}'"))
@execution_id
@click.argument("name")
@click.option("--payload", "given", metavar="JSON", callback=read_json, help="What comes with it: JSON, @FILE, or -.")
@click.option("--key", metavar="TEXT", help="An idempotency key: the same signal again is not told twice.")
@click.pass_obj
def signal(session: Session, execution_id: str, name: str, given: Any, key: str | None) -> int:
    """Hand a signal to the step that waits for it.

    One that comes before its step waits is kept.
    """
    return _stands(session, session.client.executions.signal(execution_id, name, given, idempotency_key=key))


@click.command(cls=Command, epilog=examples('traceway approve $ID sign-off -m "checked with the customer"'))
@execution_id
@step_name
@comment
@click.pass_obj
def approve(session: Session, execution_id: str, step: str, comment: str | None) -> int:
    """Approve a step."""
    return _stands(session, session.client.executions.approve(execution_id, step, comment))


@click.command(cls=Command)
@execution_id
@step_name
@comment
@click.pass_obj
def reject(session: Session, execution_id: str, step: str, comment: str | None) -> int:
    """Refuse a step, which fails then."""
    return _stands(session, session.client.executions.reject(execution_id, step, comment))


def _stands(session: Session, execution: Execution[Direct]) -> int:
    shown = Text.assemble(words.badge(execution.status), f"  {execution.id}")
    if execution.status_reason:
        shown.append(f"  {words.harmless(execution.status_reason)}", "dim")
    session.output.value(execution.raw, execution.id, shown)
    return exits.OK


def _preview(session: Session, preview: RedrivePreview) -> int:
    columns = ("step", "type", "effect", "attempts", "last outcome", "same key")
    rows = [
        (one.step, one.type, one.effect, one.attempts, one.last_outcome, "yes" if one.same_key else "no")
        for one in preview.repeats
    ]
    effects: list[RenderableType] = [
        Text("repeats effects that came about, or may have:", "yellow"),
        grid(columns, rows),
    ]
    shown = Group(
        Text(f"keeps: {', '.join(map(words.harmless, preview.keeps)) or 'nothing'}"),
        Text(f"begins anew: {', '.join(map(words.harmless, preview.resets)) or 'nothing'}"),
        *(effects if rows else []),
        Text("nothing was done", "dim"),
    )
    session.output.value(preview.raw, "", shown)
    return exits.OK
