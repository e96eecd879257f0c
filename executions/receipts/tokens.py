"""The compact JWS of a receipt, read back: by whom it was signed is not looked at here. Pure."""

from __future__ import annotations

import base64

from contract import json_values
from contract.json_values import JSON


def payload_of(jws: str) -> JSON:
    """What it signs."""
    payload = jws.split(".")[1]
    return json_values.load(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
