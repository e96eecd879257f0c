"""Alice and Bob as they call over HTTP, for folders whose tests commit: take them into their conftest."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.http_client import Caller


@pytest.fixture
def alice(transactional_db: None) -> Caller:
    return _caller("alice")


@pytest.fixture
def bob(transactional_db: None) -> Caller:
    return _caller("bob")


def _caller(slug: str) -> Caller:
    # pytest reads a conftest before the one above it has set Django up, so none can import models at its top.
    made: Caller = import_module("tests.integration.http_client").caller(slug)
    return made
