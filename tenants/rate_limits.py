"""Rate limits: how many requests a minute a bucket (a credential, a tenant, a public address) may make.

The last minute is counted in Valkey, by Valkey's clock, in slots of a second, so that all servers share it. A limit is
no reason to fail: while Valkey is away or slow, requests pass at once, and they are counted.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import redis
import structlog
from django.conf import settings
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.retry import Retry

from contract.problems import RateLimited

logger = structlog.get_logger(__name__)

UNAVAILABLE = Counter(
    "traceway_rate_limit_unavailable",
    "Requests that passed without their rate limit being checked, because Valkey was away or slow.",
)

_SECONDS: Final = 60
_PATIENCE: Final = 0.25
"""Seconds that a request waits for Valkey at most, for a connection and for an answer."""

# A bucket is a hash of hits by second. Nothing is counted anywhere unless every bucket has room; the answer is the
# clock and, for each bucket, what it holds now, its oldest second, and the second by which a place will be free.
_SCRIPT: Final = """
local clock = redis.call('TIME')
local now, window = tonumber(clock[1]), tonumber(ARGV[1])
local answers, room = {}, true
for i, key in ipairs(KEYS) do
    local limit, total, seconds, hits = tonumber(ARGV[i + 1]), 0, {}, {}
    local slots = redis.call('HGETALL', key)
    for n = 1, #slots, 2 do
        local second, count = tonumber(slots[n]), tonumber(slots[n + 1])
        if second > now - window then
            total = total + count
            seconds[#seconds + 1], hits[second] = second, count
        else
            redis.call('HDEL', key, slots[n])
        end
    end
    table.sort(seconds)
    local left, free = total, now
    for _, second in ipairs(seconds) do
        if left < limit then break end
        left, free = left - hits[second], second + window
    end
    room = room and total < limit
    answers[i] = {total, seconds[1] or now, free}
end
if room then
    for i, key in ipairs(KEYS) do
        redis.call('HINCRBY', key, now, 1)
        redis.call('EXPIRE', key, window)
        answers[i][1] = answers[i][1] + 1
    end
end
return {now, tonumber(clock[2]), room and 1 or 0, answers}
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted together, under a name that nobody else uses, and how many a minute there may be."""

    name: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a bucket stands; `reset` is the Unix second at which its oldest hit is forgotten."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """As an answer tells it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


def take(*buckets: Bucket) -> Standing | None:
    """Count one request in every bucket; the standing of the one with the least left.

    None: no bucket was given, or Valkey does not answer and the request passes. Raises RateLimited, with Retry-After
    and the headers of the standing, where a bucket is full; then none has counted it.
    """
    return _valkey().take(buckets) if buckets else None


class Limiter:
    """The buckets of one Valkey. Once it did not answer, no request waits for it until a thread has seen it answer."""

    def __init__(self, client: redis.Redis, pause: float = 1.0) -> None:
        self._client = client
        self._script = client.register_script(_SCRIPT)
        self._pause = pause
        self._lock = threading.Lock()
        self._away = False

    def take(self, buckets: tuple[Bucket, ...]) -> Standing | None:
        """As the function take() says."""
        answer = None if self._away else self._ask(buckets)
        if answer is None:
            UNAVAILABLE.inc()
            return None
        return _judged(buckets, answer)

    def _ask(self, buckets: tuple[Bucket, ...]) -> Any:
        try:
            return self._script(
                keys=[f"traceway:rate:{bucket.name}" for bucket in buckets],
                args=[_SECONDS, *(bucket.per_minute for bucket in buckets)],
            )
        except redis.RedisError as error:
            self._is_away(error)
            return None

    def _is_away(self, error: redis.RedisError) -> None:
        with self._lock:
            if self._away:
                return
            self._away = True
        logger.warning("rate_limits_unavailable", error=str(error))
        threading.Thread(target=self._wait_until_back, name="rate-limits", daemon=True).start()

    def _wait_until_back(self) -> None:
        while not self._answers():
            time.sleep(self._pause)
        self._away = False
        logger.info("rate_limits_available")

    def _answers(self) -> bool:
        try:
            self._client.ping()
        except redis.RedisError:
            return False
        return True


def _judged(buckets: tuple[Bucket, ...], answer: Any) -> Standing:
    seconds, microseconds, room, told = answer
    rows = list(zip(buckets, told, strict=True))
    standings = [
        Standing(bucket.per_minute, max(0, bucket.per_minute - total), oldest + _SECONDS)
        for bucket, (total, oldest, _) in rows
    ]
    tightest = min(standings, key=lambda standing: standing.remaining)
    if room:
        return tightest
    wait = max(free for _, (_, _, free) in rows) - seconds - microseconds / 1_000_000
    headers = {"Retry-After": str(max(1, math.ceil(wait))), **tightest.headers}
    raise RateLimited(f"the rate limit of {tightest.limit} a minute is reached", headers=headers)


def impatient(url: str) -> redis.Redis:
    """A client that gives up soon and does not try again."""
    patience = {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
    return redis.Redis.from_url(url, **patience, retry=Retry(NoBackoff(), 0))


@cache
def _valkey() -> Limiter:
    return Limiter(impatient(settings.REDIS_URL))
