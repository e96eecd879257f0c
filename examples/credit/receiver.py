"""The example's webhook receiver: believes a delivery only by its Standard Webhooks signature, counts each id once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from examples.credit.loopback import Reply, Request
from traceway import BadSignature, webhooks


@dataclass(frozen=True, slots=True)
class Tally:
    """`verified`: webhook-ids with a good signature; `repeated`: more copies of those; `rejected`: bad signatures."""

    verified: int
    repeated: int
    rejected: int


class Receiver:
    """An Answer for `POST` deliveries signed with `secret` (`whsec_...`); called from several threads."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._lock = threading.Lock()
        self._payloads: dict[str, Any] = {}
        self._repeated = 0
        self._rejected = 0

    def __call__(self, request: Request) -> Reply:
        try:
            payload = webhooks.verify(self._secret, request.headers, request.body)
        except BadSignature as error:
            with self._lock:
                self._rejected += 1
            return Reply(400, {"message": str(error)})
        with self._lock:
            identity = request.headers["webhook-id"]
            self._repeated += identity in self._payloads
            self._payloads.setdefault(identity, payload)
        return Reply(200, {"message": "thank you"})

    def tally(self) -> Tally:
        with self._lock:
            return Tally(len(self._payloads), self._repeated, self._rejected)

    def payloads(self) -> list[Any]:
        """The body of every verified delivery, once per webhook-id, in the order of their arrival."""
        with self._lock:
            return list(self._payloads.values())
