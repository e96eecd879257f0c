"""/v1/me, /v1/api-keys (executions dialect) and /v1/agents (workflow dialect)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, ClassVar

from contract.answers import created, pages, shown
from contract.http import Answer
from contract.identifiers import agent_name
from contract.json_values import JSON
from contract.queries import listing
from contract.schema import Schema, words
from contract.shapes import ALLOWED, Moment, Several, Shape, Text, Whole
from contract.timestamps import wire
from tenants import registry
from tenants.answers import AGENT, API_KEY, ME, NEW_API_KEY
from tenants.door import Door, takes
from tenants.models import HIGHEST_RATE_LIMIT, Agent, ApiKey
from tenants.permissions import PATTERN
from tenants.scopes import GRANTABLE

DAY = 86_400


class MeDoor(Door):
    """Who the caller is, as this service sees it."""

    @takes(None, answers=shown(ME, "The tenant and the credential."))
    def show(self) -> Answer:
        """The tenant and the credential."""
        tenant, credential = self.tenant, self.credential
        return self.ok(
            {
                "tenant": {
                    "id": str(tenant.id),
                    "slug": tenant.slug,
                    "name": tenant.name,
                    "rateLimitPerMinute": tenant.rate_limit_per_minute,
                },
                "credential": {
                    "type": credential.kind,
                    "id": credential.id,
                    "name": credential.name,
                    "issuer": credential.issuer,
                    "scopes": sorted(credential.scopes),
                    "expiresAt": wire(credential.expires_at),
                    "rateLimitPerMinute": credential.rate_limit,
                },
            }
        )


class Scope(Text):
    """A scope; which word is none, and which is more than the maker's own, is said by the registry."""

    def described(self) -> Schema:
        """One of all there are."""
        return words(*sorted(GRANTABLE))


class CreateKey(Shape):
    """The body of POST /v1/api-keys; scopes left out are the caller's own."""

    name = Text()
    scopes = Several(child=Scope(), required=False, max_length=100, allow_empty=False)
    expiresAt = Moment(required=False)
    rateLimitPerMinute = Whole(low=1, high=HIGHEST_RATE_LIMIT, required=False)


class RotateKey(Shape):
    """The body of POST /v1/api-keys/{id}/rotate: how long the old key is good yet, and when the new one ends."""

    overlapSeconds = Whole(low=0, high=30 * DAY, required=False, default=DAY)
    expiresAt = Moment(required=False)


class ApiKeyDoor(Door):
    """Keys of the caller's tenant."""

    @takes("keys:write", query=listing(), answers=pages(API_KEY))
    def index(self) -> Answer:
        """Newest first, the revoked ones too."""
        return self.page(self.newest_first(registry.keys_of(self.tenant), self.query.window), show_key)

    @takes("keys:write", body=CreateKey.read, answers=created(NEW_API_KEY))
    def create(self) -> Answer:
        """The new key, shown this once."""
        given = self.input
        row, key = registry.grant_key(
            self.credential,
            given["name"],
            given.get("scopes"),
            given.get("expiresAt"),
            given.get("rateLimitPerMinute"),
        )
        return self.ok({**show_key(row), "key": key}, unstored=("/key",))

    @takes("keys:write", answers=shown(API_KEY))
    def show(self, key_id: str) -> Answer:
        """One, without what would open anything."""
        return self.ok(show_key(registry.key_of(self.tenant, key_id)))

    @takes("keys:write", body=RotateKey.read, answers=shown(NEW_API_KEY, "The new key.", refuses=(409,)))
    def rotate(self, key_id: str) -> Answer:
        """A new key in place of this one, shown this once."""
        overlap = timedelta(seconds=self.input["overlapSeconds"])
        row, key = registry.rotate_key(self.credential, key_id, overlap, self.input.get("expiresAt"))
        return self.ok({**show_key(row), "key": key}, unstored=("/key",))

    @takes("keys:write", answers=shown(API_KEY))
    def revoke(self, key_id: str) -> Answer:
        """From now on it opens nothing."""
        return self.ok(show_key(registry.revoke_key(self.tenant, key_id)))


class Pattern(Text):
    """Which actions an agent may, or may not, take."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid_pattern": "the name of an action is wanted, with * for any part of it and ! before it to deny it"
    }

    def described(self) -> Schema:
        """A string of that pattern."""
        return {"type": "string", "maxLength": self.longest, "pattern": PATTERN}

    def to_internal_value(self, data: Any) -> str:
        """The pattern itself."""
        text = super().to_internal_value(data)
        if not re.fullmatch(PATTERN, text):
            self.fail("invalid_pattern")
        return text


class CreateAgent(Shape):
    """The body of POST /v1/agents."""

    name = Text()
    description = Text(required=False, default="", longest=4096, empty=ALLOWED)
    actions = Several(child=Pattern(), required=False, max_length=100)


class AgentDoor(Door):
    """Agents of the caller's tenant."""

    @takes("agents:read", query=listing(), answers=pages(AGENT))
    def index(self) -> Answer:
        """Newest first."""
        return self.page(self.newest_first(registry.agents_of(self.tenant), self.query.window), show_agent)

    @takes("agents:write", body=CreateAgent.read, answers=created(AGENT))
    def create(self) -> Answer:
        """A new, active one."""
        agent = registry.create_agent(self.tenant, **self.input)
        return self.created(show_agent(agent), f"/v1/agents/{agent.id}")

    @takes("agents:read", answers=shown(AGENT))
    def show(self, agent_id: str) -> Answer:
        """One, by either spelling of its id."""
        return self.ok(show_agent(registry.agent_of(self.tenant, agent_id)))

    @takes("agents:write", answers=shown(AGENT))
    def suspend(self, agent_id: str) -> Answer:
        """Its steps are denied until it is active again."""
        return self._become(agent_id, Agent.Status.SUSPENDED)

    @takes("agents:write", answers=shown(AGENT))
    def activate(self, agent_id: str) -> Answer:
        """It may act again."""
        return self._become(agent_id, Agent.Status.ACTIVE)

    @takes("agents:write", answers=shown(AGENT))
    def revoke(self, agent_id: str) -> Answer:
        """Its steps are denied for ever."""
        return self._become(agent_id, Agent.Status.REVOKED)

    def _become(self, agent_id: str, status: Agent.Status) -> Answer:
        return self.ok(show_agent(registry.set_agent_status(self.tenant, agent_id, status)))


def show_key(key: ApiKey) -> dict[str, JSON]:
    """A key on the wire, without the key."""
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "rateLimitPerMinute": key.rate_limit_per_minute,
        "rotatedFrom": None if key.rotated_from_id is None else str(key.rotated_from_id),
        "expiresAt": wire(key.expires_at),
        "revokedAt": wire(key.revoked_at),
        "lastUsedAt": wire(key.last_used_at),
        "createdBy": key.created_by or None,
        "createdAt": wire(key.created_at),
    }


def show_agent(agent: Agent) -> JSON:
    """An agent on the wire."""
    return {
        "id": str(agent.id),
        "agent_id": agent_name(agent.id),
        "name": agent.name,
        "description": agent.description or None,
        "actions": agent.actions,
        "status": agent.status,
        "created_at": wire(agent.created_at),
    }
