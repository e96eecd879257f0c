"""A web server beside those of a stack: gunicorn with this product's own configuration, for whatever is served."""

from __future__ import annotations

import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from config.stack import commands
from config.stack.child import Child
from config.stack.data_dir import CHECKOUT, DataDir

START_SECONDS = 60.0


class DoesNotServe(Exception):
    """The server did not answer in time; the message holds the end of its log."""


@contextmanager
def serving(
    name: str, data: DataDir, environment: Mapping[str, str], address: str, path: str = "/readyz"
) -> Iterator[Child]:
    """Serves at `address`, which the environment's HOST and PORT say too, from the moment at which `path` answers."""
    child = Child(name, [sys.executable, *commands.WEB], data.logs / f"{name}.log", environment, cwd=CHECKOUT)
    child.start()
    try:
        until = time.monotonic() + START_SECONDS
        while not _answers(address + path):
            if child.ended() or time.monotonic() > until:
                raise DoesNotServe(f"{name} does not serve: {child.last_words()}")
            time.sleep(0.05)
        yield child
    finally:
        child.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)
    except OSError:
        return False
