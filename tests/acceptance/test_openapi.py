"""schemathesis over the whole document, against a running stack: every check, every operation, good and bad data."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.stack.data_dir import CHECKOUT
from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.waiting import eventually

SLUG = "documented"
SEED = "20261122"
SECONDS = 1_500


def test_schemathesis_finds_nothing(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api = Api.of_new_tenant(stack, SLUG)
    config = tmp_path / "schemathesis.toml"
    config.write_text((CHECKOUT / "schemathesis.toml").read_text() + configured(World(api)))
    # From a file, for schemathesis leaves out the route that it has a document from.
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(api.get("/openapi.json")))
    operations = sum(map(len, api.get("/openapi.json")["paths"].values()))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"),
        *(str(document), "--url", stack.address, "--checks", "all", "--seed", SEED),
        *("-H", f"Authorization: {api.client.headers['Authorization']}"),
    ]
    api.client.close()

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False)

    told = re.findall(r"^ *(\d+ generated, .*)$", done.stdout, re.MULTILINE) + done.stdout.strip().splitlines()[-1:]
    with capsys.disabled():
        sys.stdout.write(f"\nschemathesis, {operations} operations: {'; '.join(line.strip(' =') for line in told)}\n")
    assert done.returncode == 0, done.stdout[-20_000:]
    assert f"Selected: {operations}/{operations}" in done.stdout
    assert f"Tested: {operations}" in done.stdout
    assert len(re.findall("✅ (?:Examples|Coverage|Fuzzing|Stateful)", done.stdout)) == 4
    assert "No issues found" in done.stdout


class World:
    """What a tenant has, so that ids in paths and bodies name something."""

    def __init__(self, api: Api) -> None:
        noop = {"name": "first", "type": "tool_call", "config": {"tool": "noop", "arguments": {"x": 1}}}
        held = {"name": "held", "type": "wait", "config": {"signal": "go", "approval": {}}, "depends_on": ["first"]}
        work = {"name": "work", "type": "agent", "config": {"task": "t", "arguments": {}}}
        self._api = api
        plain = self._workflow("plain", [noop])
        waiting = self._workflow("waiting", [noop, held])
        working = self._workflow("working", [noop, work])
        priced = self._workflow("priced", [noop], price={"amount": 100, "currency": "EUR"})
        public = self._workflow("public", [noop], visibility="public_execute")
        template = {"name": "t", "workflow_id": plain, "input": "${{ application }}", "outcome": "'pass'"}
        self.template = self._made("/api/v2/data_orchestration/templates", template)
        self.application = self._made("/api/v2/applications", {"data": {"a": 1}})
        log = {"template_id": self.template, "application_id": self.application}
        self.log = self._made("/api/v2/data_orchestration/execute", log)
        self.workflows = [plain, waiting, working, priced, public]
        self.executions = [api.start(workflow) for workflow in (plain, waiting, working, priced)]
        self.order = api.execution(self.executions[-1])["orderId"]
        self.spare_key = self._made("/v1/api-keys", {"name": "spare"})
        self.spare_agent = api.post("/v1/agents", {"name": "spare"})["id"]
        self.task = self._claimed()
        endpoint = {"name": "e", "url": "https://example.com/events"}
        self.endpoint = api.post("/v1/execution-webhooks", endpoint)["data"]["endpoint"]["id"]

    def _workflow(self, name: str, steps: list[Any], **members: Any) -> str:
        return self._api.publish({"name": name, "steps": steps, **members})

    def _made(self, path: str, body: Any) -> str:
        return str(self._api.post(path, body)["data"]["id"])

    def _claimed(self) -> str:
        default = next(agent for agent in self._api.get("/v1/agents")["items"] if agent["name"] == "default")
        self.agent = default["id"]
        found: list[Any] = []

        def claim() -> bool:
            found.extend(self._api.post(f"/v1/agents/{self.agent}/tasks/claim")["items"])
            return bool(found)

        eventually(claim)
        return str(found[0]["task_id"])


def configured(world: World) -> str:
    """What schemathesis takes ids from, as TOML. What ends a credential or an agent is called with the spare one."""
    ids = {
        "workflow_id": world.workflows,
        "execution_id": world.executions,
        "orchestration_id": world.executions,
        "log_id": [world.log],
        "template_id": [world.template],
        "application_id": [world.application],
        "agent_id": [world.agent],
        "task_id": [world.task],
        "key_id": [world.spare_key],
        "order_id": [world.order],
        "endpoint_id": [world.endpoint],
        "step": ["first", "held", "work"],
        "name": ["go"],
        "version": ["1.0.0"],
        "provider": ["sandbox"],
    }
    in_bodies = {name: name for name in ("workflow_id", "template_id", "application_id")} | {
        "workflowId": "workflow_id"
    }
    spare = {"api_keys": ("key_id", world.spare_key), "agents": ("agent_id", world.spare_agent)}
    lines = [f"[dictionaries.{name}]\nvalues = {json.dumps(values)}\n" for name, values in ids.items()]
    for tag, (name, value) in spare.items():
        lines.append(f"[[operations]]\ninclude-operation-id-regex = '^{tag}\\.(revoke|rotate|suspend|activate)$'")
        lines.append(f'parameters = {{ "path.{name}" = "{value}" }}\n')
    lines.append(f'[parameters]\n"header.X-Tenant-ID" = "{SLUG}"')
    lines += [f'"path.{name}" = {{ dictionary = "{name}", probability = 0.7 }}' for name in ids]
    lines += [f'"body.{name}" = {{ dictionary = "{of}", probability = 0.7 }}' for name, of in in_bodies.items()]
    return "\n".join(lines) + "\n"
