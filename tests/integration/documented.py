"""Whether an answer is one that the OpenAPI document tells: its status, its headers, its body to the last member."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
from django.urls import Resolver404, resolve

from config.openapi.document import document
from config.openapi.routes import templated


def assert_documented(answer: Any) -> None:
    """Fails for an answer of a documented operation that the document does not tell."""
    request = answer.wsgi_request
    method = "get" if request.method == "HEAD" else request.method.lower()
    path = path_of(request.path)
    if method not in document()["paths"].get(path, {}):
        return
    where = f"{request.method} {request.path} -> {answer.status_code} {getattr(answer, 'content', b'')[:300]!r}"
    told = response(path, method, answer.status_code)
    assert told is not None, f"{where}: the document does not tell this status"
    wanted = [name for name, header in told.get("headers", {}).items() if followed(header).get("required")]
    assert all(name in answer.headers for name in wanted), f"{where}: not all of {wanted} are there"
    if request.method != "HEAD":
        _assert_body(answer, path, method, told, where)


def path_of(path: str) -> str:
    """The path of the document that this one is an instance of; "" for none."""
    try:
        return "/" + templated(resolve(path).route)
    except Resolver404:
        return ""


def response(path: str, method: str, status: int) -> Any:
    """The response object of an operation; None where it has no such answer."""
    told = document()["paths"][path][method]["responses"].get(str(status))
    return None if told is None else followed(told)


def followed(value: Any) -> Any:
    """What a reference refers to; anything else itself."""
    while "$ref" in value:
        found: Any = document()
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value


def _assert_body(answer: Any, path: str, method: str, told: Any, where: str) -> None:
    content = told.get("content", {})
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if not content:
        assert answer.content == b"", f"{where}: the document tells of no body"
    elif kind != "application/json":
        assert kind in content, f"{where}: the document does not tell {kind}"
    else:
        problems = _validator(path, method, answer.status_code).iter_errors(answer.json())
        found = [f"/{'/'.join(map(str, problem.instance_path))}: {problem.message[:300]}" for problem in problems]
        assert not found, f"{where}: {found}"


@cache
def _validator(path: str, method: str, status: int) -> Any:
    schema = response(path, method, status)["content"]["application/json"]["schema"]
    whole = {**schema, "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
