"""Tests against real processes: `manage.py up` with its own servers in a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.stack.running import Stack

EMBEDDED = {"DATABASE_URL": "", "REDIS_URL": "", "PUBLIC_URL": "", "ALLOWED_HOSTS": "", "WORKERS": "2"}


@contextmanager
def stack_of_its_own() -> Iterator[Stack]:
    """A stack on a new folder, not started; ended at last, whatever state it is in."""
    folder = Path(tempfile.mkdtemp(prefix="traceway-test-"))
    made = Stack(EMBEDDED, data_dir=folder)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One running stack, shared by all tests that leave it running."""
    with stack_of_its_own() as made:
        yield made.start()
        # Whatever they did: what is left on record has to be what happened.
        made.manage("verify_record", "--all")


@pytest.fixture
def new_stack() -> Iterator[Stack]:
    """A stack of the test's own, not started."""
    with stack_of_its_own() as made:
        yield made
