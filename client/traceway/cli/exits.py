"""The exit statuses of the command line, and which error has which."""

from __future__ import annotations

from traceway.errors import (
    ApiError,
    Forbidden,
    NotConfigured,
    NotFound,
    RateLimited,
    ServerError,
    TracewayError,
    Unauthenticated,
    WaitTimeout,
)

OK = 0
FAILED = 1
"""The execution failed or was cancelled; what was verified does not match."""
USAGE = 2
NOT_FOUND = 3
DENIED = 4
REFUSED = 5
UNREACHABLE = 6
STILL_RUNNING = 7
INTERRUPTED = 130

_STATUSES: tuple[tuple[type[TracewayError] | tuple[type[TracewayError], ...], int], ...] = (
    (NotFound, NOT_FOUND),
    ((Unauthenticated, Forbidden, NotConfigured), DENIED),
    ((RateLimited, ServerError), UNREACHABLE),
    (ApiError, REFUSED),
    (WaitTimeout, STILL_RUNNING),
    (TracewayError, UNREACHABLE),
)


def status_of(error: TracewayError) -> int:
    """The exit status that goes with an error."""
    return next(status for kinds, status in _STATUSES if isinstance(error, kinds))
