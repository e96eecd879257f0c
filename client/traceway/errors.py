"""What can go wrong, as exceptions: one root, and under ApiError one class for each kind of refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class TracewayError(Exception):
    """The root of everything that this package raises on purpose."""


class NotConfigured(TracewayError):
    """There is no address or no key, or they cannot be used."""


class Closed(TracewayError):
    """The client was closed in the middle of something."""


class Unreachable(TracewayError):
    """Nobody answered, or only `not now`, until the time of the Retry was over; `__cause__` is the last error.

    With `idempotency_key` the same call may be made once more without a risk of doing it twice.
    """

    def __init__(self, message: str, idempotency_key: str | None = None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class UnexpectedAnswer(TracewayError):
    """What answered does not speak as Traceway does."""


class WaitTimeout(TracewayError, TimeoutError):
    """The execution had not ended when the time to wait was over; it goes on."""


class BadSignature(TracewayError):
    """The delivery is not signed with this secret, or not of these minutes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a request: `field` is a JSON Pointer into the body, `query.<name>` or `header.<name>`."""

    field: str
    code: str
    message: str


class ApiError(TracewayError):
    """The API refused. `status` is the HTTP status, `reason` the stable word of the docs."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str | None = None,
        problems: Sequence[Problem] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.problems = tuple(problems)
        self.request_id = request_id

    def __str__(self) -> str:
        told = [f"{self.message} ({self.reason or self.status})"]
        lines = [f"{problem.field}: {problem.message}" for problem in self.problems]
        told += [line for line in lines if line != self.message]
        return "; ".join(told) + (f" [request {self.request_id}]" if self.request_id else "")


class InvalidRequest(ApiError):
    """400, 422: a member is missing, wrong or unknown, or the workflow does not allow it; `problems` name them."""


class Unauthenticated(ApiError):
    """401: no key, or one that is unknown, expired or revoked."""


class PaymentRequired(ApiError):
    """402, or 409 with the reason `payment_required`: nothing goes on before this is paid."""


class Forbidden(ApiError):
    """403: the key is good, but may not do this."""


class NotFound(ApiError):
    """404: there is no such thing for this tenant."""


class Conflict(ApiError):
    """409: not possible in this state; nothing was changed."""


class TooLarge(ApiError):
    """413: the body is larger than the route takes."""


class RateLimited(ApiError):
    """429, for longer than the Retry lasts."""


class ServerError(ApiError):
    """5xx: something is wrong on the other side; the request id finds it in its logs."""


_CLASSES: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidRequest,
    429: RateLimited,
}


def class_of(status: int, reason: str | None) -> type[ApiError]:
    """The class of a refusal."""
    if reason == "payment_required":
        return PaymentRequired
    return _CLASSES.get(status, ServerError if status >= 500 else ApiError)
