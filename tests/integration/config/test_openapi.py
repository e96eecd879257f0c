"""The OpenAPI document: valid, whole, and true to what the routes declare."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import URLResolver, get_resolver
from openapi_spec_validator import OpenAPIV31SpecValidator

from config.openapi import links
from config.openapi.document import document
from config.openapi.routes import Route, routes
from contract.dialects import Dialect
from tenants.scopes import SINGLE
from tests.integration.config.openapi import operation, operations
from tests.integration.documented import followed

FOR_PEOPLE = ("admin/", "pay/")


def schema_of(content: Any) -> Any:
    return content["application/json"]["schema"]


def validator(schema: Any) -> Any:
    whole = {**schema, "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def resolved(patterns: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route of the resolver that is not a page for people."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if path.startswith(FOR_PEOPLE):
            continue
        if isinstance(pattern, URLResolver):
            yield from resolved(pattern.url_patterns, path)
        else:
            view: Any = pattern.callback
            methods = {method.upper() for method in view.actions} - {"HEAD"}
            yield from ((method, "/" + re.sub(r"<[a-z]+:(\w+)>", r"{\1}", path)) for method in methods)


def test_it_is_a_valid_document_of_openapi_3_1() -> None:
    assert document()["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_is_in_the_document_and_back() -> None:
    told = {(method.upper(), path) for path, method, _ in operations()}
    assert told == set(resolved(get_resolver().url_patterns))
    assert len(told) > 60


@pytest.mark.parametrize("route", list(routes()), ids=lambda route: route.operation_id)
def test_every_action_declares_what_it_takes_and_what_it_answers(route: Route) -> None:
    assert route.summary
    assert not route.is_mutation or route.rules.body_schema() is not None
    statuses = {int(status) for status in document()["paths"][route.path][route.method]["responses"]}
    assert any(status < 300 for status in statuses)
    assert 500 in statuses


def test_every_operation_has_a_name_of_its_own() -> None:
    names = Counter(found["operationId"] for _, _, found in operations())
    assert [name for name, count in names.items() if count > 1] == []


def test_the_scope_of_a_route_is_the_one_that_its_action_declares() -> None:
    for route in routes():
        told = document()["paths"][route.path][route.method]
        wanted = [] if route.rules.scope is None else [route.rules.scope]
        assert set(wanted) <= SINGLE
        assert all(list(scheme.values()) == [wanted] for scheme in told["security"]), route.operation_id
        assert bool(told["security"]) is not route.is_public
    assert operation("payments.confirm")["security"][0] == {"apiKey": ["payments:write"]}
    assert operation("healthz")["security"] == []


@pytest.mark.parametrize("dialect", Dialect)
def test_every_refusal_has_the_body_of_its_dialect(dialect: Dialect) -> None:
    members = {
        Dialect.EXECUTIONS: {"code", "message", "details", "requestId"},
        Dialect.WORKFLOW: {"code", "message", "http_status", "details", "request_id"},
        Dialect.DATA_ORCHESTRATION: {"message", "errors", "code"},
    }[dialect]
    found = [route for route in routes() if route.dialect is dialect and not route.is_plain]
    for route in found:
        for status, told in document()["paths"][route.path][route.method]["responses"].items():
            if int(status) < 400 or (status == "401" and dialect is Dialect.DATA_ORCHESTRATION):
                continue
            schema = followed(schema_of(followed(told)["content"]))
            assert set(schema["required"]) == members, (route.operation_id, status)
            assert schema["additionalProperties"] is False


def test_a_body_may_hold_its_own_members_only_and_null_for_an_optional_one() -> None:
    body = validator(schema_of(operation("executions.create")["requestBody"]["content"]))
    good = {"workflowId": "w", "sourceSystem": "crm", "sourceEntityType": "lead"}
    assert body.is_valid(good)
    for more in ({"externalRef": None}, {"externalRef": ""}, {"requestPayload": {"any": [1, None]}}):
        assert body.is_valid({**good, **more}), more
    for wrong in ({"surprise": 1}, {"workflowId": ""}, {"workflowId": None}, {"externalRef": "x" * 256}):
        assert not body.is_valid({**good, **wrong}), wrong
    assert not body.is_valid({**good, "requestPayload": {"n": ["\0"]}})


def test_query_parameters_are_told_with_their_bounds() -> None:
    told = {found["name"]: found["schema"] for found in operation("executions.list")["parameters"] if "name" in found}
    assert (told["limit"]["minimum"], told["limit"]["maximum"]) == (1, 100)
    assert told["status"]["enum"][0] == "awaiting_payment"
    assert told["createdAfter"]["format"] == "date-time"


def test_every_example_is_what_the_operation_takes_and_answers() -> None:
    count = 0
    for _, _, told in operations():
        contents = [told["requestBody"]["content"]] if "requestBody" in told else []
        contents += [followed(answer).get("content", {}) for answer in told["responses"].values()]
        for content in contents:
            for kind in content.values():
                examples = [example["value"] for example in kind.get("examples", {}).values()]
                for example in [*examples, *([kind["example"]] if "example" in kind else [])]:
                    count += 1
                    problems = [problem.message for problem in validator(kind["schema"]).iter_errors(example)]
                    assert not problems, (told["operationId"], problems)
    assert count > 6


@pytest.mark.parametrize("name", sorted(links.followed()))
def test_every_link_leads_from_a_member_of_the_answer_to_a_parameter(name: str) -> None:
    success = next(answer for status, answer in operation(name)["responses"].items() if status.startswith("2"))
    for link in success["links"].values():
        target = operation(link["operationId"])
        given = {followed(found)["name"] for found in target["parameters"]}
        assert set(link.get("parameters", {})) <= given, link
        for expression in [*link.get("parameters", {}).values(), *link.get("requestBody", {}).values()]:
            if str(expression).startswith("$response.body#"):
                assert_member(schema_of(success["content"]), expression.partition("#")[2])


def assert_member(schema: Any, pointer: str) -> None:
    for name in pointer.split("/")[1:]:
        schema = followed(schema)
        schema = followed(schema["anyOf"][0]) if "anyOf" in schema else schema
        assert name in schema["properties"], pointer
        schema = schema["properties"][name]


def test_it_is_served_to_anyone_and_once_only_where_it_did_not_change(client: Client) -> None:
    first = client.get("/openapi.json")
    assert first.status_code == 200
    assert first.json() == document()
    assert first.json()["servers"] == [{"url": settings.PUBLIC_URL}]
    again = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/openapi.json", headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_page_asks_nobody_but_us(client: Client) -> None:
    answer = client.get("/docs")
    page = answer.content.decode()
    addresses = re.findall(r'(?:src|href|data-document)="([^"]+)"', page)
    assert len(addresses) == 6
    assert all(address.startswith("/") and not address.startswith("//") for address in addresses)
    assert all(
        finders.find(address.removeprefix(settings.STATIC_URL))
        for address in addresses
        if address.startswith(settings.STATIC_URL)
    )
    assert "<script>" not in page
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_what_anyone_may_read_takes_no_other_method(client: Client, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "TRACE"):
        answer = client.generic(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        assert answer.json()["code"] == 405
    assert client.generic("OPTIONS", path).status_code == 204
