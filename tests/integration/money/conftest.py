"""Tenants whose orders are paid at Stripe, which is a local server here."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.money.stripe_server import StripeServer, stripe_server

if TYPE_CHECKING:
    from tests.integration.http_client import Caller


@pytest.fixture
def stripe(settings: Any) -> Iterator[StripeServer]:
    with stripe_server() as server:
        settings.STRIPE_API_URL = server.url
        yield server


@pytest.fixture
def alice(transactional_db: None) -> Caller:
    # pytest reads this file before the one above it has set Django up, so it cannot import models at its top.
    made: Caller = import_module("tests.integration.http_client").caller("alice")
    return made


@pytest.fixture
def bob(transactional_db: None) -> Caller:
    made: Caller = import_module("tests.integration.http_client").caller("bob")
    return made
