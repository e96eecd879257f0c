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
PLACEHOLDERS = ("http://bureau.invalid", "http://receiver.invalid", "whsec_cHV0IGluIGJ5IHRoZSBkZW1v")
"""The bureau, the receiver and the secret, as the file has them."""


def definition(bureau: str, receiver: str, secret: str) -> dict[str, Any]:
    """The definition that asks the bureau and tells the receiver at these addresses (`http://host:port`)."""
    text = DEFINITION.read_text(encoding="utf-8")
    for placeholder, value in zip(PLACEHOLDERS, (bureau, receiver, secret), strict=True):
        text = text.replace(placeholder, value)
    read: dict[str, Any] = json.loads(text)
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
