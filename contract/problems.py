"""Refusals as domain objects: one root, a stable reason word, what was wrong and where.

The mapping to each dialect's body stands in config/errors.py and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with a request: `field` is a JSON Pointer into the body, `query.<name>` or `header.<name>`."""

    field: str
    code: str
    message: str


class Refusal(Exception):
    """A request that is refused. `status` is the HTTP status, `reason` the stable word of the docs."""

    status = 400
    reason = "invalid_input"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.fields = tuple(fields)
        self.headers = dict(headers or {})


class InvalidInput(Refusal):
    """A member of the request is missing, wrong or unknown."""


class InvalidContent(Refusal):
    """The request is well formed, but the workflow's definition does not allow what it holds."""

    reason = "invalid_content"


class Unauthenticated(Refusal):
    """No credential, or one that is unknown, expired or revoked: all answer alike."""

    status = 401
    reason = "unauthenticated"


class Forbidden(Refusal):
    """The credential is good, but may not do this."""

    status = 403
    reason = "forbidden"


class NotFound(Refusal):
    """There is no such thing for this tenant; another tenant's answers the same."""

    status = 404
    reason = "not_found"


class UnknownReference(Refusal):
    """An id in the body names nothing of this tenant (404; in data orchestration 422)."""

    status = 404
    reason = "not_found"


class Conflict(Refusal):
    """The thing is not in a state that allows this; nothing was changed."""

    status = 409
    reason = "conflict"


class MalformedBody(Refusal):
    """The body is not JSON that Traceway takes; 400 in every dialect."""

    reason = "invalid_json"


class PaymentRequired(Refusal):
    """Nothing goes on before this is paid."""

    status = 402
    reason = "payment_required"


class MethodNotAllowed(Refusal):
    """The path exists, the method does not; `headers` names those that do."""

    status = 405
    reason = "method_not_allowed"


class PayloadTooLarge(Refusal):
    """The body is larger than this route takes."""

    status = 413
    reason = "payload_too_large"


class UnsupportedMediaType(Refusal):
    """The body is not declared as application/json in UTF-8."""

    status = 415
    reason = "unsupported_media_type"


class RateLimited(Refusal):
    """Too many requests; `headers` says when to come again."""

    status = 429
    reason = "rate_limited"


class Unavailable(Refusal):
    """Something this product needs does not answer; nothing was changed."""

    status = 503
    reason = "service_unavailable"
