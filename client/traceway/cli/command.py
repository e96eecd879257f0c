"""What all commands share: the options, the client, and how an error becomes a line and an exit status."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from traceway.cli import exits, positions, profiles
from traceway.cli.output import Output, nobody_reads_on
from traceway.client import Traceway
from traceway.errors import TracewayError
from traceway.retries import Retry

PATIENCE_SECONDS = 15.0
"""How long somebody at a terminal waits for a service that does not answer."""


@dataclass(slots=True)
class Session:
    """One call of the command line."""

    output: Output
    profile: str | None = None
    _client: Traceway | None = field(default=None, repr=False)

    @property
    def client(self) -> Traceway:
        """The client, made when it is first wanted. Raises NotConfigured."""
        if self._client is None:
            access = profiles.chosen(self.profile)
            self._client = Traceway(access.url, access.key, retry=Retry(seconds=PATIENCE_SECONDS))
        return self._client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()


class Command(click.Command):
    """A command that is handed a Session. What it returns, if it is a number, is the exit status."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [
            click.Option(["--json", "as_json"], is_flag=True, help="JSON on stdout, errors as JSON on stderr."),
            click.Option(["-q", "--quiet"], is_flag=True, help="Ids alone."),
            click.Option(["--profile"], metavar="NAME", help="Another profile than the default one."),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        output = Output(json=ctx.params.pop("as_json"), quiet=ctx.params.pop("quiet"))
        with Session(output, ctx.params.pop("profile")) as ctx.obj:
            try:
                status = super().invoke(ctx)
                sys.stdout.flush()
            except TracewayError as error:
                output.error(error)
                status = exits.status_of(error)
            except BrokenPipeError:
                nobody_reads_on()
                status = exits.OK
        ctx.exit(status if isinstance(status, int) else exits.OK)


class Group(click.Group):
    """Commands in the order in which they were added: as one comes to need them."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        return list(self.commands)


def examples(*lines: str) -> str:
    """The end of a help text."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def read_json(ctx: click.Context, option: click.Parameter, given: str | None) -> Any:  # noqa: ARG001 - as click calls it
    """The JSON that an option names: itself, @FILE, or - for stdin."""
    if given is None:
        return None
    try:
        if given == "-":
            text = sys.stdin.buffer.read().decode()
        else:
            text = Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given
        return positions.parse(text).value
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error)) from error
