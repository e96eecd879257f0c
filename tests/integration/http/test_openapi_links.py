"""The links and request examples of the OpenAPI document, tried: each leads to an answer, none to nothing."""

from __future__ import annotations

from typing import Any

import pytest

from config.openapi import links
from contract.json_values import JSON
from tests.integration.config.openapi import operation, place_of
from tests.integration.http.arranging import EXECUTE, application, creation, published, template
from tests.integration.http_client import Caller

MADE_BY_EXAMPLE = (
    "workflows.create",
    "orchestrations.execute",
    "applications.create",
    "agents.create",
    "api_keys.create",
    "execution_webhooks.create",
)


def example(name: str) -> JSON:
    """The one example of an operation's body."""
    (found,) = operation(name)["requestBody"]["content"]["application/json"]["examples"].values()
    return found["value"]


def answer_of(alice: Caller, name: str) -> Any:
    """A good answer of the operation that links start from."""
    if name in MADE_BY_EXAMPLE:
        return alice.post(place_of(name)[1], example(name))
    if name.endswith(".list"):
        made = [published(alice) for _ in range(2)]
        _ = [alice.post("/v1/executions", creation(made[0])) for _ in range(2)]
        return alice.get(place_of(name)[1] + "?limit=1")
    workflow_id = published(alice)
    if name == "data_orchestration.templates.create":
        return alice.post(place_of(name)[1], {**example(name), "workflow_id": workflow_id})
    if name == "workflows.publish":
        alice.put(f"/v1/workflows/{workflow_id}", {"name": "again", "steps": [{"action": "noop"}]})
        return alice.post(f"/v1/workflows/{workflow_id}/publish")
    if name == "data_orchestration.execute":
        body = {"template_id": template(alice, workflow_id), "application_id": application(alice)}
        return alice.post(EXECUTE, body)
    path = {"executions.create": "/v1/executions", "workflows.execute": f"/v1/workflows/{workflow_id}/execute"}[name]
    return alice.post(path, creation(workflow_id) if name == "executions.create" else {})


def evaluated(expression: Any, body: JSON) -> Any:
    if not str(expression).startswith("$response.body#"):
        return expression
    for token in expression.partition("#/")[2].split("/"):
        body = body[token]
    return body


@pytest.mark.parametrize("name", sorted(links.followed()))
def test_every_link_can_be_followed(alice: Caller, name: str) -> None:
    answer = answer_of(alice, name)
    assert answer.status_code < 300, answer.content
    for link in operation_links(name).values():
        method, path = place_of(link["operationId"])
        query = []
        for parameter, expression in link.get("parameters", {}).items():
            value = evaluated(expression, answer.json())
            assert value is not None, link
            if "{" + parameter + "}" in path:
                path = path.replace("{" + parameter + "}", value)
            else:
                query.append(f"{parameter}={value}")
        body = {member: evaluated(value, answer.json()) for member, value in link.get("requestBody", {}).items()}
        followed = alice.send(method, path + ("?" + "&".join(query) if query else ""), body or None)
        refused_for_its_body = followed.status_code in {400, 422} and method != "GET" and not body
        assert followed.status_code in {200, 201, 202, 204, 409} or refused_for_its_body, (link, followed.content)


def operation_links(name: str) -> Any:
    return next(a["links"] for status, a in operation(name)["responses"].items() if status.startswith("2"))


@pytest.mark.parametrize("name", MADE_BY_EXAMPLE)
def test_every_example_of_something_new_makes_it(alice: Caller, name: str) -> None:
    assert answer_of(alice, name).status_code < 300
