"""/v1/secrets (executions dialect): names, versions and times, and new values. No answer holds a value."""

from __future__ import annotations

from django.utils.crypto import salted_hmac

from contract.answers import gone, pages, shown
from contract.http import Answer
from contract.json_values import JSON, canonical
from contract.queries import listing
from contract.schema import COUNT, ID, MOMENT, TEXT, Component, maybe, record
from contract.shapes import Shape, Text
from contract.timestamps import wire
from tenants import secrets
from tenants.door import Door, takes
from tenants.models import Secret

SECRET = Component(
    "Secret",
    record(
        {
            "id": ID,
            "name": TEXT,
            "version": {**COUNT, "description": "Raised by every new value."},
            "createdAt": MOMENT,
            "updatedAt": MOMENT,
            "lastUsedAt": maybe({**MOMENT, "description": "Put down once a minute."}),
        }
    ),
)


class PutSecret(Shape):
    """The body of PUT /v1/secrets/{name}."""

    value = Text(longest=secrets.MAX_VALUE_BYTES)


class SecretDoor(Door):
    """Secrets of the caller's tenant."""

    @takes("secrets:read", query=listing(), answers=pages(SECRET))
    def index(self) -> Answer:
        """Newest first, without their values."""
        return self.page(self.newest_first(secrets.secrets_of(self.tenant), self.query.window), show_secret)

    @takes("secrets:write", body=PutSecret.read, answers=shown(SECRET))
    def write(self, name: str) -> Answer:
        """A new secret, or a new value of this one. The value cannot be read again."""
        return self.ok(show_secret(secrets.put(self.tenant, name, self.input["value"])))

    @takes("secrets:write", answers=gone())
    def destroy(self, name: str) -> Answer:
        """From now on a step that names it fails."""
        secrets.delete(self.tenant, name)
        return self.gone()

    def _body_digest(self) -> str:
        """Keyed: who reads the database could find a short value by its plain digest. A new SECRET_KEY is a new key."""
        return salted_hmac("tenants.secrets", canonical(self.body), algorithm="sha256").hexdigest()


def show_secret(secret: Secret) -> JSON:
    """A secret on the wire."""
    return {
        "id": str(secret.id),
        "name": secret.name,
        "version": secret.version,
        "createdAt": wire(secret.created_at),
        "updatedAt": wire(secret.updated_at),
        "lastUsedAt": wire(secret.last_used_at),
    }
