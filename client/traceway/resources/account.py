"""`client.api_keys`, `client.secrets` and `client.payments`. Executions dialect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from traceway.asking import ask, get, nothing, pages, path, post
from traceway.effects import Flow, Program
from traceway.models import ApiKey, Payment, Secret
from traceway.surface import D, Resource, call, many

ME = "/v1/me"
KEYS = "/v1/api-keys"
SECRETS = "/v1/secrets"


class ApiKeys(Resource[D]):
    """Keys of the tenant."""

    @call
    def create(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
        rate_limit_per_minute: int | None = None,
        idempotency_key: str | None = None,
    ) -> Program[ApiKey]:
        """A new one; its `key` is told here and never again. Left out, scopes and limit are the caller's own."""
        body = {
            "name": name,
            "scopes": scopes,
            "expiresAt": expires_at and expires_at.isoformat(),
            "rateLimitPerMinute": rate_limit_per_minute,
        }
        return ask(self._retry, post(KEYS, body, key=idempotency_key), ApiKey.of)

    @call
    def get(self, key_id: str) -> Program[ApiKey]:
        """One, without the key itself."""
        return ask(self._retry, get(path(KEYS + "/{key_id}", key_id=key_id)), ApiKey.of)

    @many
    def list(self, *, limit: int | None = None) -> Flow[ApiKey]:
        """Newest first, the revoked ones too."""
        return pages(self._retry, KEYS, {}, ApiKey.of, limit)

    @call
    def rotate(
        self,
        key_id: str,
        *,
        overlap_seconds: int | None = None,
        expires_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Program[ApiKey]:
        """A new key in place of this one, which stays good for `overlap_seconds`, left out a day."""
        body = {"overlapSeconds": overlap_seconds, "expiresAt": expires_at and expires_at.isoformat()}
        return ask(
            self._retry, post(path(KEYS + "/{key_id}/rotate", key_id=key_id), body, key=idempotency_key), ApiKey.of
        )

    @call
    def revoke(self, key_id: str) -> Program[ApiKey]:
        """From now on it opens nothing."""
        return ask(self._retry, post(path(KEYS + "/{key_id}/revoke", key_id=key_id)), ApiKey.of)


class Secrets(Resource[D]):
    """What `${{ secrets.NAME }}` stands for in definitions. No value can be read again."""

    @call
    def put(self, name: str, value: str) -> Program[Secret]:
        """A new one, or a new value of this one."""
        at = path(SECRETS + "/{name}", name=name)
        return ask(self._retry, post(at, {"value": value}, method="PUT"), Secret.of)

    @many
    def list(self, *, limit: int | None = None) -> Flow[Secret]:
        """Newest first, without their values."""
        return pages(self._retry, SECRETS, {}, Secret.of, limit)

    @call
    def delete(self, name: str) -> Program[None]:
        """From now on a step that names it fails."""
        return ask(self._retry, post(path(SECRETS + "/{name}", name=name), method="DELETE"), nothing)


class Payments(Resource[D]):
    """What executions cost."""

    @call
    def get(self, order_id: str) -> Program[Payment]:
        """One, by its order's id."""
        return ask(self._retry, get(path("/v1/payments/{order_id}", order_id=order_id)), Payment.of)

    @call
    def confirm(self, order_id: str, reference: str) -> Program[Payment]:
        """It was paid; `reference` says where that is on record. For the providers manual and sandbox."""
        at = path("/v1/payments/{order_id}/confirm", order_id=order_id)
        return ask(self._retry, post(at, {"reference": reference}), Payment.of)

    @call
    def refund(
        self, order_id: str, reason: str, *, amount: int | None = None, idempotency_key: str | None = None
    ) -> Program[Payment]:
        """Pay it back: `amount` in minor units, left out all that was not paid back yet."""
        at = path("/v1/payments/{order_id}/refund", order_id=order_id)
        return ask(self._retry, post(at, {"reason": reason, "amount": amount}, key=idempotency_key), Payment.of)
