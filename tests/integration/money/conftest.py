"""Tenants whose orders are paid at Stripe, which is a local server here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.callers import alice, bob
from tests.integration.money.stripe_server import StripeServer, stripe_server

__all__ = ["alice", "bob"]


@pytest.fixture
def stripe(settings: Any) -> Iterator[StripeServer]:
    with stripe_server() as server:
        settings.STRIPE_API_URL = server.url
        yield server
