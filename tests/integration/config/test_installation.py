"""The installation as Django sees it: migrations, system checks, the forbidden sandbox."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from config.checks import no_sandbox_payments
from config.stack.data_dir import CHECKOUT

PROCESSES = (
    "config.asgi",
    "config.server",
    "config.stack.supervisor",
    "celery.bin.worker",
    "celery.concurrency.prefork",
    "kombu.transport.redis",
    "orchestrator.tasks",
)
# A name bound to None in sys.modules cannot be imported.
IMPORT = "import sys, importlib; sys.modules |= dict.fromkeys({hidden}); list(map(importlib.import_module, {modules}))"


def test_the_processes_start_without_the_tools_of_the_tests() -> None:
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", (CHECKOUT / "requirements.txt").read_text(), re.MULTILINE))
    hidden = [name for name, givers in packages_distributions().items() if not locked & set(map(spelled, givers))]
    assert {"hypothesis", "pytest"} <= set(hidden)
    program = IMPORT.format(hidden=hidden, modules=PROCESSES)
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def spelled(name: str) -> str:
    """A distribution's name as every index normalises it."""
    return name.lower().replace("_", "-")


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
