"""Workers that stay awake for a moment after the last that was due, and how one of them is rung without a message.

A ring is a hint, as a message is. Each waiting worker has a bell of its own, so that whoever was rung knows it.
"""

from __future__ import annotations

from functools import cache
from uuid import uuid4

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

PREFIX = "traceway:"
"""Of every key; kombu puts it before its own (config/settings.py)."""
WAITING = f"{PREFIX}waiting"
"""The bells of the workers that wait, by the moment (milliseconds, the broker's clock) at which they cease to."""
PATIENCE_SECONDS = 2.0
"""How long the broker may take to answer, the wait that it was asked for included."""
SHORTEST_SECONDS = 0.01


class Bell:
    """The bell of one worker process."""

    def __init__(self, url: str) -> None:
        self._client = _client(url, retries=0)
        self._name = f"{PREFIX}bell:{uuid4().hex}"

    def rung(self, seconds: float) -> bool:
        """Wait to be rung, at most so long: whether it was. False at once where the broker is away."""
        if seconds < SHORTEST_SECONDS:
            return False
        try:
            with self._client.pipeline(transaction=False) as asked:
                asked.eval(_WAIT, 1, WAITING, self._name, int(seconds * 1000))
                asked.blpop([self._name], timeout=seconds)
                if asked.execute()[1] is not None:
                    return True
                # In this order: who rings from here on finds nobody, who rang before has left it on the bell.
                asked.zrem(WAITING, self._name)
                asked.lpop(self._name)
                return asked.execute()[1] is not None
        except redis.RedisError:
            return False


def ring(wanted: int, queue: str) -> tuple[int, int]:
    """Ring so many workers that wait: how many did, and how many messages are in the queue. Raises RedisError."""
    rung, queued = _broker().eval(_RING, 2, WAITING, f"{PREFIX}{queue}", wanted)
    return rung, queued


@cache
def _broker() -> redis.Redis:
    return _client(settings.REDIS_URL, retries=1)


def _client(url: str, retries: int) -> redis.Redis:
    timeouts = {**settings.REDIS_TIMEOUTS, "socket_timeout": PATIENCE_SECONDS}
    return redis.Redis.from_url(url, **timeouts, retry=Retry(NoBackoff(), retries))


_WAIT = """
local now = redis.call('TIME')
redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2], ARGV[1])"""

# Who died while it waited is not rung once its time is over. A bell that nobody hears any more is gone soon.
_RING = """
local now = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now[1] * 1000 + math.floor(now[2] / 1000))
local found = redis.call('ZPOPMAX', KEYS[1], ARGV[1])
for i = 1, #found, 2 do
  redis.call('RPUSH', found[i], 1)
  redis.call('PEXPIRE', found[i], 5000)
end
return {#found / 2, redis.call('LLEN', KEYS[2])}"""
