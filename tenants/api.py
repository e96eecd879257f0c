"""/v1/me, /v1/api-keys (executions dialect) and /v1/agents (workflow dialect)."""

from __future__ import annotations

from contract.http import Answer
from contract.identifiers import agent_name
from contract.json_values import JSON
from contract.queries import listing
from contract.shapes import ALLOWED, Moment, Several, Shape, Text
from contract.timestamps import wire
from tenants import registry
from tenants.door import Door, takes
from tenants.models import Agent, ApiKey


class MeDoor(Door):
    """Who the caller is, as this service sees it."""

    @takes(None)
    def show(self) -> Answer:
        """The tenant and the credential."""
        tenant, credential = self.tenant, self.credential
        return self.ok(
            {
                "tenant": {"id": str(tenant.id), "slug": tenant.slug, "name": tenant.name},
                "credential": {
                    "type": credential.kind,
                    "id": str(credential.id),
                    "name": credential.name,
                    "scopes": sorted(credential.scopes),
                    "expiresAt": wire(credential.expires_at),
                },
            }
        )


class CreateKey(Shape):
    """The body of POST /v1/api-keys; scopes left out are the caller's own."""

    name = Text()
    scopes = Several(child=Text(), required=False, max_length=100)
    expiresAt = Moment(required=False)  # noqa: N815 - the name on the wire


class ApiKeyDoor(Door):
    """Keys of the caller's tenant."""

    @takes("keys:write", query=listing())
    def index(self) -> Answer:
        """Newest first, the revoked ones too."""
        return self.page(self.newest_first(registry.keys_of(self.tenant), self.query.window), show_key)

    @takes("keys:write", body=CreateKey.read)
    def create(self) -> Answer:
        """The new key, shown this once."""
        given = self.input
        row, key = registry.grant_key(self.credential, given["name"], given.get("scopes"), given.get("expiresAt"))
        return self.ok({**show_key(row), "key": key}, unstored=("/key",))

    @takes("keys:write")
    def revoke(self, key_id: str) -> Answer:
        """From now on it opens nothing."""
        return self.ok(show_key(registry.revoke_key(self.tenant, key_id)))


class CreateAgent(Shape):
    """The body of POST /v1/agents."""

    name = Text()
    description = Text(required=False, default="", longest=4096, empty=ALLOWED)
    actions = Several(child=Text(), required=False, max_length=100)


class AgentDoor(Door):
    """Agents of the caller's tenant."""

    @takes("agents:read", query=listing())
    def index(self) -> Answer:
        """Newest first."""
        return self.page(self.newest_first(registry.agents_of(self.tenant), self.query.window), show_agent)

    @takes("agents:write", body=CreateAgent.read)
    def create(self) -> Answer:
        """A new, active one."""
        agent = registry.create_agent(self.tenant, **self.input)
        return self.created(show_agent(agent), f"/v1/agents/{agent.id}")

    @takes("agents:read")
    def show(self, agent_id: str) -> Answer:
        """One, by either spelling of its id."""
        return self.ok(show_agent(registry.agent_of(self.tenant, agent_id)))

    @takes("agents:write")
    def suspend(self, agent_id: str) -> Answer:
        """Its steps are denied until it is active again."""
        return self._become(agent_id, Agent.Status.SUSPENDED)

    @takes("agents:write")
    def activate(self, agent_id: str) -> Answer:
        """It may act again."""
        return self._become(agent_id, Agent.Status.ACTIVE)

    @takes("agents:write")
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
        "expiresAt": wire(key.expires_at),
        "revokedAt": wire(key.revoked_at),
        "lastUsedAt": wire(key.last_used_at),
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
