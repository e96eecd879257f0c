"""`traceway verify`, `receipt`, `bundle` and `provenance`: what an execution leaves behind, and whether it is so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Group
from rich.text import Text

from traceway.cli import exits, words
from traceway.cli.command import Command, Session, examples
from traceway.errors import Unreachable
from traceway.records import Unreadable, as_members, in_words, read_jwks, verify_file

KEYS_SECONDS = 10.0
"""How long somebody waits for keys that are asked for by their address."""
STDOUT = "-"

execution_id = click.argument("execution_id", metavar="ID")


@click.command(
    cls=Command,
    epilog=examples(
        "traceway verify 01a2034c-9949-77dc-ab16-1a0ece9a725b.zip",
        "traceway verify receipt.json --keys https://traceway.example.com/.well-known/jwks.json",
        "traceway verify bundle.zip --keys jwks.json --json",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--keys", metavar="FILE|URL", help="The keys to trust (a JWKS), in place of those in the file.")
@click.pass_obj
def verify(session: Session, file: Path, keys: str | None) -> int:
    """Check a bundle or a receipt, offline.

    Every digest, the chain of events, what they say against what the record says, and the signatures. The first thing
    that does not match is named, then all others. Only --keys says who signed: without it, the keys in the file count.
    """
    try:
        verdict = verify_file(file, None if keys is None else read_jwks(_keys(keys)))
    except Unreadable as error:
        raise click.ClickException(f"{file}: {error}") from error
    first, *rest = in_words(verdict)
    shown = Group(Text(first, "bold green" if verdict.intact else "bold red"), *map(Text, rest))
    session.output.value(as_members(verdict), verdict.execution or "", shown)
    return exits.OK if verdict.intact else exits.FAILED


@click.command(cls=Command, epilog=examples("traceway receipt $ID -o receipt.json && traceway verify receipt.json"))
@execution_id
@click.option("-o", "--output", "target", metavar="FILE", help="Write it there.")
@click.pass_obj
def receipt(session: Session, execution_id: str, target: str | None) -> int:
    """Fetch the signed receipt of an execution that has ended."""
    found = session.client.executions.receipt(execution_id)
    if target in {None, STDOUT}:
        session.output.line(words.as_json(found))
    else:
        _write(session, str(target), words.as_json(found).encode() + b"\n")
    return exits.OK


@click.command(cls=Command, epilog=examples("traceway bundle $ID && traceway verify $ID.zip"))
@execution_id
@click.option("-o", "--output", "target", metavar="FILE", help="Write it there, not to ID.zip; - is stdout.")
@click.pass_obj
def bundle(session: Session, execution_id: str, target: str | None) -> int:
    """Fetch the whole record of an execution, as a zip.

    It holds every event, payload and receipt, and can be verified with nothing else at hand.
    """
    content = session.client.executions.bundle(execution_id)
    if target == STDOUT:
        sys.stdout.buffer.write(content)
    else:
        _write(session, target or f"{execution_id.replace(':', '-')}.zip", content)
    return exits.OK


@click.command(
    cls=Command, epilog=examples("traceway provenance $ID", "traceway provenance $ID /steps/score/input/amount")
)
@execution_id
@click.argument("path", required=False)
@click.pass_obj
def provenance(session: Session, execution_id: str, path: str | None) -> int:
    """Tell where the values of an execution came from.

    With a PATH, a JSON Pointer, of that value alone: the way back to the inputs.
    """
    found: dict[str, Any] = session.client.executions.provenance(execution_id, path)
    session.output.line(words.as_json(found))
    return exits.OK


def _keys(where: str) -> bytes:
    """What stands in the file, or at the address. Raises Unreachable."""
    if not where.startswith(("https://", "http://")):
        try:
            return Path(where).read_bytes()
        except OSError as error:
            raise click.BadParameter(str(error), param_hint="--keys") from error
    try:
        answer = httpx.get(where, timeout=KEYS_SECONDS).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"{where}: {error}") from error
    return answer.content


def _write(session: Session, target: str, content: bytes) -> None:
    try:
        Path(target).write_bytes(content)
    except OSError as error:
        raise click.BadParameter(str(error), param_hint="--output") from error
    session.output.line(target)
