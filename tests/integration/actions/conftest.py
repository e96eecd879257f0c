from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from orchestrator.actions.action import Action
from orchestrator.actions.carrying import Carrier
from orchestrator.actions.http import HttpAction
from orchestrator.actions.llm_inference import LlmAction
from orchestrator.actions.tenant_secrets import of_tenant
from orchestrator.actions.tool_call import ToolCallAction
from orchestrator.actions.webhook import WebhookAction
from orchestrator.held import Held
from orchestrator.outcomes import Limits
from tenants.egress import client
from tenants.models import Tenant
from tests.integration.engine.world import World
from tests.unit.orchestrator.attempts import LOOPBACK
from workflows import tools


@pytest.fixture
def world(alice: Tenant) -> Iterator[World]:
    """A worker that may reach the servers of these tests, and whose connections end with the test."""
    with client(LOOPBACK) as outbound:
        actions: dict[str, Action] = {
            "http": HttpAction(outbound),
            "llm_inference": LlmAction(outbound, None),
            "tool_call": ToolCallAction(tools.registry),
            "webhook": WebhookAction(outbound),
        }
        made = World(carry_out=Carrier(actions, Limits(settings.OUTPUT_LIMIT_BYTES), Held(), of_tenant))
        yield made
        made.close()
