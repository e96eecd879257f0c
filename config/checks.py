"""System checks of an installation, each with an id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, Tags, register


@register(Tags.security, deploy=True)
def no_sandbox_payments(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Error]:  # noqa: ARG001
    """traceway.E001: an installation meant for real use must not accept pretended payments."""
    if not settings.PAYMENTS_SANDBOX:
        return []
    return [
        Error(
            "PAYMENTS_SANDBOX is on: anyone may pay with pretended money.",
            hint="Unset PAYMENTS_SANDBOX.",
            id="traceway.E001",
        )
    ]
