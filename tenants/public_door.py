"""PublicDoor: a Door for whoever comes. No credential is read, at most 30 requests a minute are let through, any page
may call it (CORS), and nothing of it is kept by browsers or told to other sites.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from contract.http import Answer
from contract.problems import FieldProblem, InvalidInput
from tenants.door import Door
from tenants.idempotency import HEADER
from tenants.models import Tenant
from tenants.rate_limits import Bucket, take

PER_MINUTE = 30
SHORTEST_KEY = 32
"""Whoever guesses another's idempotency key is answered with what is theirs."""

PUBLIC_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Idempotent-Replayed, Link, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
        "X-Request-ID"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
"""Stand on every answer of a public route, refusals too."""
PREFLIGHT_HEADERS: Final = {
    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key, Last-Event-ID, X-Client-Token, X-Request-ID",
    "Access-Control-Max-Age": "600",
}


class PublicDoor(Door):
    """As a Door, with check_caller() in place of credential, tenant header and scope."""

    authentication_classes = ()  # type: ignore[assignment] # a tuple of none is one of any length

    def check_caller(self) -> None:
        """Whether the caller may come, before the body is read. Raises Unauthenticated, RateLimited."""
        raise NotImplementedError

    def owner(self) -> Tenant:
        """Whose thing the path names, asked by mutations once the shape of everything is right. Raises NotFound."""
        raise NotImplementedError

    def idempotency_key(self) -> str | None:
        """As of any door, but long enough that nobody guesses it."""
        key = super().idempotency_key()
        if key is not None and len(key) < SHORTEST_KEY:
            field = f"header.{HEADER}" if self.request.headers.get(HEADER) is not None else f"/{self.key_member}"
            message = f"on public routes {SHORTEST_KEY} characters are wanted at least"
            problem = FieldProblem(field, "invalid_idempotency_key", message)
            raise InvalidInput(f"{field}: {message}", fields=[problem])
        return key

    def limit(self, bucket: str) -> None:
        """Count this request of the caller's address. Raises RateLimited."""
        if standing := take(Bucket(f"public:{client_address(self.request._request)}:{bucket}", PER_MINUTE)):
            self.headers.update(standing.headers)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Response:
        """The answer with the headers of a public route."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        headers = PUBLIC_HEADERS | (self._preflight() if request.method == "OPTIONS" else {})
        for name, value in headers.items():
            finished.headers[name] = value
        return finished

    def _admit(self, request: Request) -> None:  # noqa: ARG002
        self.check_caller()

    def _mutate(self, act: Callable[[], Answer]) -> Answer:
        self.idempotency_key()
        self.tenant = self.owner()
        return super()._mutate(act)

    def _preflight(self) -> dict[str, str]:
        return {**PREFLIGHT_HEADERS, "Access-Control-Allow-Methods": self._allowed()}


def client_address(request: HttpRequest) -> str:
    """The address that the request comes from; of IPv6 the network, of which one caller has all addresses.

    Behind TRUSTED_PROXIES proxies it is the one that the outermost of them saw; what was in the header before is the
    caller's own invention.
    """
    seen = [request.META.get("REMOTE_ADDR", "")]
    if settings.TRUSTED_PROXIES:
        seen = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")[-settings.TRUSTED_PROXIES :] or seen
    try:
        address = ipaddress.ip_address(seen[0].strip())
    except ValueError:
        return "unknown"
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
