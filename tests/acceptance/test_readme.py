"""The first execution of the README, word for word, against a running stack."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from config.stack.data_dir import CHECKOUT
from config.stack.running import Stack

ADDRESS = "http://127.0.0.1:8000"


def test_the_readmes_commands_do_what_it_says(stack: Stack) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    commands = next(block for block in blocks if "create_tenant" in block)
    here = commands.replace(ADDRESS, stack.address).replace(".venv/bin/python", sys.executable)
    assert here.count(stack.address) == 1
    done = subprocess.run(
        ["sh", "-eu", "-c", here],
        cwd=CHECKOUT,
        env=stack.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    _, status, steps = re.split(r"(workflow_\w+)\n", done.stdout)
    assert status == "workflow_succeeded"
    items = json.loads(steps)["data"]["items"]
    outputs = {item["name"]: item["output"] for item in items}
    assert outputs == {"greet": "Hello, World!", "count": {"n": 13, "value": 233}}
