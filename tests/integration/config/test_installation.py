"""The installation as Django sees it: migrations, system checks, the forbidden sandbox."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from config.checks import no_sandbox_payments


@pytest.mark.django_db
def test_the_migrations_say_what_the_models_say() -> None:
    call_command("makemigrations", check=True, dry_run=True)


@pytest.mark.django_db
def test_no_system_check_complains() -> None:
    call_command("check", fail_level="WARNING")
    assert settings.SILENCED_SYSTEM_CHECKS == []


def test_a_deployment_with_sandbox_payments_is_refused() -> None:
    with override_settings(PAYMENTS_SANDBOX=True):
        assert [error.id for error in no_sandbox_payments(None)] == ["traceway.E001"]
    with override_settings(PAYMENTS_SANDBOX=False):
        assert no_sandbox_payments(None) == []
