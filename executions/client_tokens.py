"""Client tokens: who holds one may look at that execution. Derived from the execution's id, never stored. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from functools import cache
from uuid import UUID


def client_token(secret: str, execution_id: UUID) -> str:
    """`ct_<kid>_` + base64url(HMAC-SHA256(token key, execution id)); the kid names the key without telling it."""
    key, kid = _token_key(secret)
    signature = hmac.digest(key, str(execution_id).encode(), "sha256")
    return f"ct_{kid}_{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def is_client_token(token: str, secrets: Iterable[str], execution_id: UUID) -> bool:
    """Whether `token` is this execution's under any of the server's secrets; the answer takes as long either way."""
    given = token.encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(client_token(secret, execution_id).encode(), given) for secret in secrets]
    return any(matches)


@cache
def _token_key(secret: str) -> tuple[bytes, str]:
    key = hmac.digest(secret.encode(), b"traceway.client_token", "sha256")
    return key, hashlib.sha256(key).hexdigest()[:8]
