"""The entry point: all commands, and the exit status of the process."""

from __future__ import annotations

import sys
from typing import Any

import click

from traceway.cli import exits
from traceway.cli.command import Group
from traceway.cli.login import login
from traceway.cli.proving import bundle, provenance, receipt, verify
from traceway.cli.publishing import publish
from traceway.cli.running import run, watch_command
from traceway.cli.showing import list_command, logs, me, show, why, workflows
from traceway.cli.telling import approve, cancel, pause, redrive, reject, resume, signal
from traceway.client import VERSION

HELP = """Traceway from the command line: publish workflows, run them, watch them.

\b
First:   traceway login
Or set:  TRACEWAY_URL and TRACEWAY_API_KEY

\b
Exit status: 0 it went well; 1 the execution failed or was cancelled, or what was verified does not match;
2 the call is wrong, or the file cannot be read; 3 there is no such thing;
4 no key, or it may not do this; 5 refused, nothing was changed; 6 the service cannot be reached;
7 still running when --timeout was over; 130 interrupted.
"""


@click.group(cls=Group, help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(VERSION, prog_name="traceway")
def traceway() -> None:
    """See HELP."""


for command in (login, me, publish, workflows, run, watch_command, list_command, show, logs, why):
    traceway.add_command(command)
for command in (cancel, pause, resume, redrive, signal, approve, reject):
    traceway.add_command(command)
for command in (provenance, receipt, bundle, verify):
    traceway.add_command(command)


def main() -> None:
    """Run the command line and end the process."""
    sys.exit(_status())


def _status() -> int:
    try:
        ended: Any = traceway.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return exits.USAGE
    except (click.Abort, KeyboardInterrupt):
        return exits.INTERRUPTED
    return ended if isinstance(ended, int) else exits.OK


if __name__ == "__main__":
    main()
