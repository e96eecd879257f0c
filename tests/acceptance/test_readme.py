"""The first execution of the README and its proof, word for word, against a running stack."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from config.stack.data_dir import CHECKOUT
from config.stack.running import Stack

ADDRESS = "http://127.0.0.1:8000"


def test_the_readmes_commands_do_what_it_says(stack: Stack, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    commands = next(block for block in blocks if "create_tenant" in block)
    proof = next(block for block in blocks if "traceway verify" in block)
    here = commands.replace(ADDRESS, stack.address)
    assert here.count(stack.address) == 1
    here += proof.replace("execution.zip", f"{tmp_path}/execution.zip").replace("keys.json", f"{tmp_path}/keys.json")
    here = here.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    done = subprocess.run(
        ["sh", "-eu", "-c", here],
        cwd=CHECKOUT,
        env=stack.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    _, status, rest = re.split(r"(workflow_\w+)\n", done.stdout)
    assert status == "workflow_succeeded"
    steps, end = json.JSONDecoder().raw_decode(rest)
    items = steps["data"]["items"]
    outputs = {item["name"]: item["output"] for item in items}
    assert outputs == {"greet": "Hello, World!", "count": {"n": 13, "value": 233}}
    reasons, _ = json.JSONDecoder().raw_decode(rest[end:].lstrip())
    assert [link["path"] for link in reasons["data"]["chain"]] == [
        "/steps/count/input/arguments/n",
        "/steps/greet/output",
        "/steps/greet/input/input.name",
        "/input/name",
    ]
    assert "✓ intact" in done.stdout
