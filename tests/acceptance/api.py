"""A caller of a running stack: what the acceptance tests speak over real HTTP."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import httpx

from config.stack.running import Stack

TERMINAL = {"workflow_succeeded", "workflow_failed", "workflow_cancelled"}


@dataclass
class Api:
    """Speaks for one tenant of one stack."""

    client: httpx.Client

    @classmethod
    def of_new_tenant(cls, stack: Stack, slug: str) -> Self:
        stack.manage("create_tenant", slug)
        key = stack.manage("create_api_key", "--tenant", slug)
        headers = {"Authorization": f"Bearer {key}"}
        return cls(httpx.Client(base_url=stack.address, headers=headers, timeout=30))

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.client.post(path, json={} if body is None else body)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.is_success, answer.text
        return answer.json()

    def publish(self, definition: dict[str, Any]) -> str:
        workflow = self.post("/v1/workflows", definition)
        self.post(f"/v1/workflows/{workflow['id']}/publish")
        return str(workflow["id"])

    def start(self, workflow_id: str, payload: dict[str, Any] | None = None) -> str:
        body: dict[str, Any] = {"workflowId": workflow_id, "sourceSystem": "tests", "sourceEntityType": "test"}
        body["requestPayload"] = payload or {}
        return str(self.post("/v1/executions", body)["data"]["execution"]["id"])

    def start_many(self, workflow_id: str, count: int) -> list[str]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda _: self.start(workflow_id), range(count)))

    def execution(self, execution_id: str) -> Any:
        return self.get(f"/v1/executions/{execution_id}")["data"]["execution"]

    def steps(self, execution_id: str) -> list[Any]:
        """Every step, page by page."""
        path, query, steps = f"/v1/executions/{execution_id}/steps", {"limit": 100}, []
        while True:
            page = self.get(path, **query)["data"]
            steps += page["items"]
            if page["nextCursor"] is None:
                return steps
            query["cursor"] = page["nextCursor"]

    def ended(self, execution_ids: list[str], seconds: float) -> Counter[str]:
        """The statuses once all have ended; fails when they have not within `seconds`."""
        until = time.monotonic() + seconds
        found: Counter[str] = Counter()
        for execution_id in execution_ids:
            while (status := self.execution(execution_id)["status"]) not in TERMINAL:
                assert time.monotonic() < until, f"{execution_id} is still {status}; so far {dict(found)}"
                time.sleep(0.05)
            found[status] += 1
        return found
