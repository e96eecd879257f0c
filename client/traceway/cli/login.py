"""`traceway login`: an address and a key, tried and remembered."""

from __future__ import annotations

import os
import sys

import click
from rich.text import Text

from traceway import configuration
from traceway.cli import exits, words
from traceway.cli.command import PATIENCE_SECONDS, Command, Session, examples
from traceway.cli.profiles import PROFILE, Profiles
from traceway.client import Traceway
from traceway.configuration import Access
from traceway.models import Me
from traceway.retries import Retry

LOCAL = "http://127.0.0.1:8000"


@click.command(
    cls=Command,
    epilog=examples(
        "traceway login --url https://traceway.example.com",
        "traceway login --profile staging --url https://staging.example.com < key.txt",
    ),
)
@click.option("--url", metavar="URL", help="Where the API is.")
@click.pass_obj
def login(session: Session, url: str | None) -> int:
    """Remember an address and a key.

    The key is asked for, or read from stdin where that is no terminal, and never shown.
    """
    url = url or os.environ.get(configuration.URL)
    asked = sys.stdin.isatty()
    url = url or (click.prompt("Address", default=LOCAL, err=True) if asked else LOCAL)
    key = click.prompt("Key", hide_input=True, err=True) if asked else sys.stdin.readline()
    access = configuration.access(url, key)
    found = _tried(access)
    profiles = Profiles.read()
    profiles.default = session.profile or os.environ.get(PROFILE) or "default"
    profiles.known[profiles.default] = access
    where = profiles.write()
    told = Text.assemble(
        ("✓ ", "green"), f"{words.harmless(found.tenant.slug)} at {access.url}, profile {profiles.default}, in {where}"
    )
    session.output.value({"url": access.url, "profile": profiles.default, "me": found.raw}, found.tenant.id, told)
    return exits.OK


def _tried(access: Access) -> Me:
    with Traceway(access.url, access.key, retry=Retry(seconds=PATIENCE_SECONDS / 3)) as client:
        return client.me()
