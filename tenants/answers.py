"""What the routes of this room answer: /v1/me, /v1/api-keys and /v1/agents."""

from __future__ import annotations

from typing import Final

from contract.schema import (
    AGENT_NAME,
    COUNT,
    ID,
    MOMENT,
    TEXT,
    Component,
    listed,
    maybe,
    record,
    words,
)
from tenants.models import Agent
from tenants.scopes import GRANTABLE

SCOPES: Final = listed(words(*sorted(GRANTABLE)))

ME: Final = Component(
    "Me",
    record(
        {
            "tenant": record({"id": ID, "slug": TEXT, "name": TEXT, "rateLimitPerMinute": maybe(COUNT)}),
            "credential": record(
                {
                    "type": words("api_key", "user"),
                    "id": {**TEXT, "description": "The key's id, or the token's subject."},
                    "name": TEXT,
                    "issuer": maybe({**TEXT, "description": "Who vouches for a user; null for a key."}),
                    "scopes": SCOPES,
                    "expiresAt": maybe(MOMENT),
                    "rateLimitPerMinute": maybe(COUNT),
                }
            ),
        }
    ),
)

_KEY_MEMBERS: Final = {
    "id": ID,
    "name": TEXT,
    "prefix": {**TEXT, "description": "How the key begins, so that its owner can tell it from others."},
    "scopes": SCOPES,
    "rateLimitPerMinute": maybe(COUNT),
    "rotatedFrom": maybe({**ID, "description": "The key that this one was made in place of."}),
    "expiresAt": maybe(MOMENT),
    "revokedAt": maybe(MOMENT),
    "lastUsedAt": maybe(MOMENT),
    "createdBy": maybe({**TEXT, "description": "Who made it: `api_key:<name>` or `user:<subject>`."}),
    "createdAt": MOMENT,
}
API_KEY: Final = Component("ApiKey", record(_KEY_MEMBERS))
NEW_API_KEY: Final = Component(
    "NewApiKey",
    record({**_KEY_MEMBERS, "key": maybe({**TEXT, "description": "Shown this once; null in a replayed answer."})}),
)

AGENT: Final = Component(
    "Agent",
    record(
        {
            "id": ID,
            "agent_id": AGENT_NAME,
            "name": TEXT,
            "description": maybe(TEXT),
            "actions": listed(TEXT),
            "status": words(*Agent.Status.values),
            "created_at": MOMENT,
        }
    ),
)
