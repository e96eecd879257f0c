"""The callers: they post executions at a steady rate, each under a key of its own, and repeat what was not answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from random import Random
from uuid import UUID

import httpx

from tests.chaos.shapes import Shape

CANCELLED_SHARE = 0.06
_CALLERS = 16
_ANSWER_SECONDS = 10.0
_GIVE_UP_SECONDS = 60.0
_PAUSE_SECONDS = 0.2


@dataclass(slots=True)
class Order:
    """One execution as its caller knows it; times are Unix seconds, of the whole exchange with its repeats."""

    key: str
    cancel_after: float | None
    posted_at: float = 0.0
    answered_at: float | None = None
    execution_id: str | None = None
    repeats: int = 0
    replayed: bool = False
    refused: str | None = None


class Load:
    """Posts `rate` executions a second from start() to stop(); none while more than `most_live` are live.

    `clients` are one for each web server; what is posted again goes to the next.
    """

    def __init__(
        self,
        clients: Sequence[httpx.Client],
        workflows: Mapping[str, Shape],
        rng: Random,
        *,
        rate: float,
        live: Callable[[], int],
        most_live: int,
    ) -> None:
        self.orders: list[Order] = []
        self.held_back = 0
        self._clients = clients
        self._workflows, self._shares = list(workflows), [shape.share for shape in workflows.values()]
        self._rng, self._rate, self._live, self._most_live = rng, rate, live, most_live
        self._turns = count()
        self._over = threading.Event()
        self._callers = ThreadPoolExecutor(_CALLERS)
        self._thread = threading.Thread(target=self._post_steadily, name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Post nothing new, and return once everything posted is answered or given up."""
        self._over.set()
        self._thread.join()
        self._callers.shutdown()

    def _post_steadily(self) -> None:
        following = time.monotonic()
        while not self._over.wait(max(0.0, following - time.monotonic())):
            following += 1 / self._rate
            if self._live() > self._most_live:
                self.held_back += 1
                continue
            workflow_id = self._rng.choices(self._workflows, self._shares)[0]
            cancel = self._rng.uniform(0, 0.3) if self._rng.random() < CANCELLED_SHARE else None
            key = str(UUID(int=self._rng.getrandbits(128), version=4))
            order = Order(key, cancel)
            self.orders.append(order)
            self._callers.submit(self._place, order, workflow_id)

    def _place(self, order: Order, workflow_id: str) -> None:
        body = {
            "workflowId": workflow_id,
            "sourceSystem": "chaos",
            "sourceEntityType": "order",
            "externalRef": order.key,
        }
        order.posted_at = time.time()
        answer = self._insist(order, "/v1/executions", body, order.key)
        if answer is None:
            return
        order.answered_at = time.time()
        order.replayed = answer.headers.get("Idempotent-Replayed") == "true"
        order.execution_id = answer.json()["data"]["execution"]["id"]
        if order.cancel_after is not None:
            time.sleep(order.cancel_after)
            self._insist(order, f"/v1/executions/{order.execution_id}/cancel", {}, f"cancel-{order.key}")

    def _insist(self, order: Order, path: str, body: dict[str, str], key: str) -> httpx.Response | None:
        """Post until an answer settles it; None, with what was said, where it was refused or never answered."""
        until = time.monotonic() + _GIVE_UP_SECONDS
        for turn in count(next(self._turns)):
            client = self._clients[turn % len(self._clients)]
            answer, said = _post(client, path, body, key)
            if answer is not None and answer.is_success:
                return answer
            if not _may_be_repeated(answer) or time.monotonic() > until:
                break
            order.repeats += 1
            time.sleep(_PAUSE_SECONDS)
        if "already_ended" not in said:
            order.refused = f"{path}: {said}"
        return None


def _post(client: httpx.Client, path: str, body: dict[str, str], key: str) -> tuple[httpx.Response | None, str]:
    """The answer, None where there was none, and what it says in words."""
    try:
        answer = client.post(path, json=body, headers={"Idempotency-Key": key}, timeout=_ANSWER_SECONDS)
    except httpx.TransportError as error:
        return None, repr(error)
    return answer, f"{answer.status_code}: {answer.text[:300]}"


def _may_be_repeated(answer: httpx.Response | None) -> bool:
    """Whether it is unknown what came of a post: there is no answer, or one that does not settle it."""
    return answer is None or answer.status_code >= 500 or "idempotency_in_progress" in answer.text
