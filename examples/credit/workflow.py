"""The workflow `credit-decision` and its template, as they are sent to Traceway.

The definition itself is `credit-decision.json`; only the two addresses and the secret are put in here.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any

DEFINITION = Path(__file__).with_name("credit-decision.json")


def definition(bureau: str, receiver: str, secret: str) -> dict[str, Any]:
    """The definition that asks the bureau and tells the receiver at these addresses (`http://host:port`)."""
    read: dict[str, Any] = json.loads(DEFINITION.read_text(encoding="utf-8"))
    configs = {step["name"]: step["config"] for step in read["steps"]}
    for name, address in (("bureau", bureau), ("notify", receiver)):
        configs[name]["url"] = configs[name]["url"].replace(f"http://{_placeholder(name)}.invalid", address)
    configs["notify"]["secret"] = secret
    return read


def template(workflow_id: str) -> dict[str, Any]:
    """The template that feeds an application's data to the workflow, member by member, and reads its outcome."""
    members = json.loads(DEFINITION.read_text(encoding="utf-8"))["input_schema"]["required"]
    return {
        "name": "credit-decision",
        "description": "Decide a loan application",
        "workflow_id": workflow_id,
        "input": {member: f"${{{{ application.{member} }}}}" for member in members},
        "outcome": "${{ output.outcome }}",
    }


def new_secret() -> str:
    """A fresh signing secret as the Standard Webhooks specification writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
