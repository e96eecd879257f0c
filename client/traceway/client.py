"""The two clients: the same surface over the two drivers."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import httpx

from traceway.asking import ask, get
from traceway.configuration import Access, access
from traceway.drivers import Awaited, Direct, Settings
from traceway.effects import Program
from traceway.models import Me
from traceway.resources.account import ME, ApiKeys, Payments, Secrets
from traceway.resources.agents import Agents
from traceway.resources.data_orchestration import Applications, DataOrchestration, Templates
from traceway.resources.executions import Executions
from traceway.resources.webhooks import WebhookDeliveries, WebhookEndpoints
from traceway.resources.workflows import Orchestrations, Workflows
from traceway.retries import Retry
from traceway.surface import D, Resource, call

VERSION = "0.1.0"


class _Surface(Resource[D]):
    """What both clients have."""

    def __init__(self, driver: D) -> None:
        self._driver = driver
        self.executions: Executions[D] = Executions(driver)
        self.workflows: Workflows[D] = Workflows(driver)
        self.orchestrations: Orchestrations[D] = Orchestrations(driver)
        self.templates: Templates[D] = Templates(driver)
        self.applications: Applications[D] = Applications(driver)
        self.data_orchestration: DataOrchestration[D] = DataOrchestration(driver)
        self.payments: Payments[D] = Payments(driver)
        self.api_keys: ApiKeys[D] = ApiKeys(driver)
        self.secrets: Secrets[D] = Secrets(driver)
        self.agents: Agents[D] = Agents(driver)
        self.webhook_endpoints: WebhookEndpoints[D] = WebhookEndpoints(driver)
        self.webhook_deliveries: WebhookDeliveries[D] = WebhookDeliveries(driver)

    @call
    def me(self) -> Program[Me]:
        """Who the caller is, as the service sees it."""
        return ask(self._retry, get(ME), Me.of)


class Traceway(_Surface[Direct]):
    """The API at `url` for the tenant of `key`; left out, they are TRACEWAY_URL and TRACEWAY_API_KEY.

    Several threads may share one. Raises NotConfigured. Methods raise ApiError for what is refused, and Unreachable.
    `tenant` is its id or slug, where it is known already.
    """

    def __init__(
        self, url: str | None = None, key: str | None = None, *, tenant: str | None = None, retry: Retry | None = None
    ) -> None:
        http = httpx.Client(**_http(access(url, key)))
        super().__init__(Direct(http, Settings(retry or Retry(), tenant)))

    def close(self) -> None:
        """End the connections, and what waits in other threads to be sent again (with Closed)."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncTraceway(_Surface[Awaited]):
    """As Traceway: what is called there is awaited here, what is iterated there is iterated with `async for`."""

    def __init__(
        self, url: str | None = None, key: str | None = None, *, tenant: str | None = None, retry: Retry | None = None
    ) -> None:
        http = httpx.AsyncClient(**_http(access(url, key)))
        super().__init__(Awaited(http, Settings(retry or Retry(), tenant)))

    async def close(self) -> None:
        """End the connections."""
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _http(where: Access) -> dict[str, Any]:
    return {
        "base_url": where.url,
        "headers": {"Authorization": f"Bearer {where.key}", "User-Agent": f"traceway-python/{VERSION}"},
        "trust_env": not where.is_local,
    }
