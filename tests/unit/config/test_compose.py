"""docker-compose.yml: well formed, and the same processes as `make up`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from ruamel.yaml import YAML

from config.stack import commands
from config.stack.data_dir import CHECKOUT

COMPOSE = CHECKOUT / "docker-compose.yml"


def services() -> dict[str, Any]:
    """The services, each as a mapping."""
    found: dict[str, Any] = YAML(typ="safe").load(COMPOSE)["services"]
    return found


def test_the_file_keeps_to_the_compose_specification() -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*checker, str(COMPOSE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_runs_the_processes_that_make_up_runs() -> None:
    expected = {
        "migrate": commands.MIGRATE,
        "web": commands.WEB,
        "worker": commands.WORKER,
        "sweeper": commands.SWEEPER,
    }
    found = {name: tuple(service["command"]) for name, service in services().items() if name in expected}
    assert found == {name: ("python", *arguments) for name, arguments in expected.items()}


def test_everything_waits_for_the_migrations_and_the_servers_for_nobody() -> None:
    for name, service in services().items():
        waits_for = {other: rule["condition"] for other, rule in service.get("depends_on", {}).items()}
        if name in {"web", "worker", "sweeper"}:
            assert waits_for == {"migrate": "service_completed_successfully", "valkey": "service_healthy"}
        elif name == "migrate":
            assert waits_for == {"postgres": "service_healthy"}
        else:
            assert not waits_for
            assert service["healthcheck"]["test"]


def test_no_secret_stands_in_the_file() -> None:
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            if name in {"SECRET_KEY", "POSTGRES_PASSWORD"}:
                assert value.startswith("${" + name + ":?")
