"""Traceway from Python: Traceway answers, AsyncTraceway is awaited; both have the same surface."""

from traceway.client import AsyncTraceway, Traceway
from traceway.errors import (
    ApiError,
    BadSignature,
    Closed,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotConfigured,
    NotFound,
    PaymentRequired,
    Problem,
    RateLimited,
    ServerError,
    TooLarge,
    TracewayError,
    Unauthenticated,
    UnexpectedAnswer,
    Unreachable,
    WaitTimeout,
)
from traceway.resources.executions import Execution
from traceway.retries import Retry

__all__ = [
    "ApiError",
    "AsyncTraceway",
    "BadSignature",
    "Closed",
    "Conflict",
    "Execution",
    "Forbidden",
    "InvalidRequest",
    "NotConfigured",
    "NotFound",
    "PaymentRequired",
    "Problem",
    "RateLimited",
    "Retry",
    "ServerError",
    "TooLarge",
    "Traceway",
    "TracewayError",
    "Unauthenticated",
    "UnexpectedAnswer",
    "Unreachable",
    "WaitTimeout",
]
