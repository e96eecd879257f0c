"""`traceway publish`: a definition from a file, checked, stored and made live."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from traceway.cli import exits, words
from traceway.cli.command import Command, Session, examples
from traceway.cli.positions import Document, NotJson, parse
from traceway.errors import NotFound
from traceway.models import DefinitionProblem, Workflow


@click.command(
    cls=Command,
    epilog=examples(
        "traceway publish credit-decision.json",
        "traceway publish credit-decision.json --json | jq -r .version",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.pass_obj
def publish(session: Session, file: Path) -> int:
    """Publish the definition in a JSON file.

    FILE may be - for stdin.
    The workflow of that name gets a new version; where there is none, it is made. Every problem of the definition is
    told with its place in the file, and nothing is stored then.
    """
    document = _read(file)
    checked = session.client.workflows.validate(document.value)
    if not checked.valid:
        return _refuse(session, file, document, checked.errors)
    published = _publish(session, document.value)
    _tell(session, published)
    return exits.OK


def _read(file: Path) -> Document:
    try:
        text = sys.stdin.buffer.read().decode() if str(file) == "-" else file.read_text(encoding="utf-8")
        document = parse(text)
    except (NotJson, OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file}: {error}") from error
    if not isinstance(document.value, dict):
        raise click.UsageError(f"{file}: a definition is a JSON object")
    return document


def _publish(session: Session, definition: dict[str, Any]) -> Workflow:
    """The workflow with this definition live."""
    workflows = session.client.workflows
    try:
        found = workflows.named(str(definition["name"]))
    except NotFound:
        return workflows.publish(workflows.create(definition).id)
    draft = workflows.put(found.id, definition)
    return workflows.publish(draft.id)


def _refuse(session: Session, file: Path, document: Document, problems: list[DefinitionProblem]) -> int:
    output = session.output
    placed = [{**one.raw, "line": document.line(one.field)} for one in problems]
    placed.sort(key=lambda one: one["line"] or 0)
    if output.json:
        output.line(words.as_json({"valid": False, "errors": placed}))
        return exits.REFUSED
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    output.complain(Text.assemble(("error: ", "bold red"), f"{words.harmless(file)} has {count}, nothing was stored"))
    for one in placed:
        place = f"{file}:{one['line']}" if one["line"] else str(file)
        output.complain(Text.assemble((words.harmless(place), "bold"), f"  {words.harmless(one['field'] or '/')}"))
        output.complain(Text(f"  {words.harmless(one['message'])}  ({words.harmless(one['code'])})"))
    return exits.REFUSED


def _tell(session: Session, workflow: Workflow) -> None:
    shown = Text.assemble(
        ("✓ ", "green"), (words.harmless(workflow.name), "bold"), f" {workflow.version} is live  ", (workflow.id, "dim")
    )
    session.output.value(workflow.raw, workflow.id, shown)
