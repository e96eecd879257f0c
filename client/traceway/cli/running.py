"""`traceway run` and `traceway watch`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click
from rich.text import Text

from traceway.cli import exits, positions, words
from traceway.cli.command import Command, Session, examples, read_json
from traceway.cli.output import grid
from traceway.cli.watching import outcome, watch
from traceway.drivers import Direct
from traceway.models import Plan
from traceway.resources.workflows import Run

LONGEST_ANSWER = 10.0
"""For so long `--wait` lets the answer to the request itself wait, in seconds."""


def read_parameters(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG001
    """`k=v` pairs; `v` is JSON where it is any, else text."""
    found: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE")
        try:
            found[name] = positions.parse(value).value
        except positions.NotJson:
            found[name] = value
    return found


@click.command(
    cls=Command,
    epilog=examples(
        'traceway run greeting --input \'{"name": "World"}\' --watch',
        "traceway run greeting --input @order.json --wait",
        "traceway run credit-decision --param bureau='{\"timeout_seconds\": 5}' --dry-run",
        "ID=$(traceway run greeting -q)",
    ),
)
@click.argument("workflow")
@click.option("--input", "given", metavar="JSON", callback=read_json, help="The input: JSON, @FILE, or - for stdin.")
@click.option(
    "--param", "parameters", metavar="NAME=VALUE", multiple=True, callback=read_parameters, help="A parameter."
)
@click.option("--key", metavar="TEXT", help="An idempotency key: the same call again starts nothing new.")
@click.option("--wait", is_flag=True, help="Return when it has ended, with its output.")
@click.option("--watch", "watched", is_flag=True, help="Show its steps as they run.")
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="How long --wait waits.")
@click.option("--dry-run", is_flag=True, help="Show what it would do, and do nothing.")
@click.pass_obj
def run(session: Session, /, workflow: str, given: Any, parameters: dict[str, Any], dry_run: bool, **how: Any) -> int:
    """Run a workflow, by its name or its id."""
    if given is not None and not isinstance(given, dict):
        raise click.BadParameter("the input of a workflow is a JSON object", param_hint="--input")
    if how["wait"] and how["watched"]:
        raise click.UsageError("--wait and --watch are two ways to wait: take one")
    workflow_id = _identity(session, workflow)
    if dry_run:
        return _tell_plan(session, session.client.workflows.plan(workflow_id, given, parameters=parameters or None))
    began = session.client.workflows.execute(
        workflow_id,
        given,
        parameters=parameters or None,
        wait=min(LONGEST_ANSWER, how["timeout"] or LONGEST_ANSWER) if how["wait"] else 0,
        idempotency_key=how["key"],
    )
    return _go_on(session, workflow, began, **how)


@click.command("watch", cls=Command, epilog=examples("traceway watch 01a2034c-9949-77dc-ab16-1a0ece9a725b"))
@click.argument("execution_id", metavar="ID")
@click.pass_obj
def watch_command(session: Session, execution_id: str) -> int:
    """Show the steps of an execution as they run.

    It returns when the execution has ended, with status 1 if that was no success. Where stdout is no terminal, it
    prints a line for each event; with --json, the events themselves.
    """
    execution = session.client.executions.get(execution_id)
    return watch(session, execution, session.client.workflows.get(execution.workflow_id).name)


def _go_on(session: Session, workflow: str, began: Run[Direct], *, wait: bool, watched: bool, **how: Any) -> int:
    output = session.output
    if began.checkout_url:
        output.say(Text.assemble("it starts once it is paid for: ", words.harmless(began.checkout_url)))
    if watched:
        return watch(session, session.client.executions.get(began.execution_id), workflow)
    if wait:
        return outcome(session, began.wait(timeout=how["timeout"]))
    shown = Text.assemble(words.badge("queued" if began.run_id else "awaiting_payment"), f"  {began.execution_id}")
    output.value(began.raw, began.execution_id, shown if output.for_people else began.execution_id)
    return exits.OK


def _identity(session: Session, workflow: str) -> str:
    """The id of a workflow that is named by its name or its id."""
    try:
        return str(UUID(workflow))
    except ValueError:
        return session.client.workflows.named(workflow).id


def _tell_plan(session: Session, plan: Plan) -> int:
    output = session.output
    columns = ("wave", "step", "type", "effect", "after")
    rows = [
        (step.get("wave"), step["name"], step.get("type") or step.get("action"), step.get("effect"), _after(step))
        for step in plan.steps
    ]
    if not output.for_people:
        output.rows(columns, rows, [], [plan.plan_hash]) if not output.json else output.line(words.as_json(plan.raw))
        return exits.OK
    output.console.print(grid(columns, rows))
    if plan.price:
        output.say(Text(f"\nprice: {plan.price.amount / 100:.2f} {plan.price.currency}"))
    output.say(Text(f"\nplan {plan.plan_hash}; nothing was started", "dim"))
    return exits.OK


def _after(step: dict[str, Any]) -> str:
    return ", ".join(step.get("depends_on") or [])
