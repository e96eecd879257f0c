"""Answers and refusals of all three dialects, read into Python; lists over their pages; deliveries believed or not."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

import traceway
from tests.unit.client.answers import created, event, execution, shown, wrapped
from tests.unit.client.wire import Asked, Say, wired
from traceway import AsyncTraceway, BadSignature, Retry, Traceway, errors, webhooks
from traceway.dialects import refusal
from traceway.drivers import Direct
from traceway.effects import Reply
from traceway.models import Event, Step
from traceway.resources.executions import Execution
from traceway.surface import Resource, call, many

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WORKFLOW = {
    "code": "CONFLICT",
    "message": "there is no draft",
    "http_status": 409,
    "details": {"reason": "no_draft", "errors": []},
    "request_id": "r1",
}
EXECUTIONS = {
    "code": 404,
    "message": "there is no such workflow",
    "details": [{"field": "/workflowId", "code": "not_found", "message": "there is no such workflow"}],
    "requestId": "r1",
}
DATA = {"message": "no", "errors": {"application_id": ["there is none"], "data.amount": ["a", "b"]}, "code": "x_y"}


def refused(status: int, body: Any) -> errors.ApiError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refusal(Reply(status, {"X-Request-ID": "r1"}, raw))


def test_a_refusal_of_the_workflow_dialect() -> None:
    error = refused(409, WORKFLOW)
    assert isinstance(error, errors.Conflict)
    assert (error.status, error.reason, error.message, error.request_id) == (409, "no_draft", "there is no draft", "r1")


def test_a_refusal_of_the_executions_dialect() -> None:
    error = refused(404, EXECUTIONS)
    assert isinstance(error, errors.NotFound)
    assert [(one.field, one.code) for one in error.problems] == [("/workflowId", "not_found")]
    whole = refused(409, {"message": "m", "details": [{"field": "", "code": "already_ended", "message": "m"}]})
    assert (whole.reason, whole.problems) == ("already_ended", ())


def test_a_refusal_of_data_orchestration() -> None:
    error = refused(422, DATA)
    assert isinstance(error, errors.InvalidRequest)
    assert error.reason == "x_y"
    assert [(one.field, one.message) for one in error.problems] == [
        ("/application_id", "there is none"),
        ("/data/amount", "a"),
        ("/data/amount", "b"),
    ]
    assert isinstance(refused(401, {"message": "Unauthenticated."}), errors.Unauthenticated)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidRequest),
        (401, errors.Unauthenticated),
        (402, errors.PaymentRequired),
        (403, errors.Forbidden),
        (413, errors.TooLarge),
        (418, errors.ApiError),
        (429, errors.RateLimited),
        (500, errors.ServerError),
        (504, errors.ServerError),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"details": 1, "errors": 2, "message": null}'])
def test_whatever_stands_in_its_body_a_refusal_has_the_class_of_its_status(
    status: int, kind: type[errors.ApiError], body: bytes
) -> None:
    assert type(refused(status, body)) is kind


def test_what_has_to_be_paid_first_is_told_apart_from_other_conflicts() -> None:
    body = {"message": "m", "details": [{"field": "", "code": "payment_required", "message": "m"}]}
    assert isinstance(refused(409, body), errors.PaymentRequired)


def test_an_answer_has_types_and_keeps_members_that_nobody_knew() -> None:
    answer = created(newMember={"a": 1}, finishedAt="2026-11-22T12:48:03Z")
    with wired([answer]) as wire, Traceway(wire.url, "k") as client:
        made = client.executions.create("w")
    assert made.finished_at == datetime(2026, 11, 22, 12, 48, 3, tzinfo=UTC)
    assert (made.status, made.workflow_id, made.run_id) == ("workflow_queued", "w", execution()["runId"])
    assert made.raw["newMember"] == {"a": 1}
    assert "ct_1_abc" not in repr(made)


def test_a_nested_answer_is_read_to_its_leaves() -> None:
    attempt = {"number": 1, "status": "failed", "startedAt": "2026-11-22T12:48:03.100Z", "durationMs": 5}
    step = Step.of({"id": "s", "name": "n", "type": "http", "status": "failed", "attempts": [attempt], "parts": None})
    assert step.attempts[0].duration_ms == 5
    assert step.attempts[0].started_at == datetime(2026, 11, 22, 12, 48, 3, 100_000, tzinfo=UTC)
    assert (step.depends_on, step.parts, step.error) == ([], None, None)


@pytest.mark.parametrize("raw", [None, [], "x", {"id": "e"}])
def test_an_answer_that_is_none_is_no_event(raw: Any) -> None:
    with pytest.raises(errors.UnexpectedAnswer):
        Event.of(raw)


@pytest.mark.parametrize("say", [Say(200), Say(200, []), Say(200, {"x": 1}), Say(200, chunks=[b"<html>"])])
def test_what_is_not_traceway_is_not_taken_for_it(say: Say) -> None:
    unexpected = pytest.raises(errors.UnexpectedAnswer)
    with wired([say]) as wire, Traceway(wire.url, "k", retry=Retry(seconds=0)) as client, unexpected:
        client.me()


def page(dialect: str, items: list[Any], following: str | None) -> Any:
    if dialect == "executions":
        return wrapped({"items": items, "hasMore": bool(following), "nextCursor": following})
    if dialect == "workflows":
        return {"items": items, "has_more": bool(following), "next_cursor": following}
    return {"data": items, "meta": {"next_cursor": following}}


@pytest.mark.parametrize(
    ("dialect", "items"),
    [
        ("executions", [execution(id=str(number)) for number in range(5)]),
        ("workflows", [{"id": str(n), "name": "n", "version": "1.0.0", "status": "draft"} for n in range(5)]),
        ("applications", [{"id": str(number), "data": {}} for number in range(5)]),
    ],
)
def test_a_list_goes_over_all_of_its_pages(dialect: str, items: list[Any]) -> None:
    pages = [
        Say(200, page(dialect, items[:2], "c1")),
        Say(200, page(dialect, items[2:4], "c 2")),
        Say(200, page(dialect, items[4:], None)),
    ]
    with wired(pages) as wire, Traceway(wire.url, "k") as client:
        assert [one.id for one in getattr(client, dialect).list()] == ["0", "1", "2", "3", "4"]
    assert [path.partition("?")[2] for path in wire.paths()] == [
        "limit=100",
        "limit=100&cursor=c1",
        "limit=100&cursor=c+2",
    ]


def test_a_list_asks_for_no_more_than_is_wanted() -> None:
    def answer(asked: Asked, _: int) -> Say:
        size = int(asked.path.partition("limit=")[2].partition("&")[0])
        return Say(200, page("executions", [execution()] * size, "more"))

    with wired(answer) as wire, Traceway(wire.url, "k") as client:
        assert len(list(client.executions.list(limit=130, status="workflow_failed"))) == 130
    assert wire.paths() == [
        "GET /v1/executions?status=workflow_failed&limit=100",
        "GET /v1/executions?status=workflow_failed&limit=30&cursor=more",
    ]


def test_events_are_read_to_the_last() -> None:
    many_events = [event(number) for number in range(1, 1003)]

    def answer(asked: Asked, _: int) -> Say:
        after = int(asked.path.partition("after=")[2].partition("&")[0])
        return Say(200, wrapped(many_events[after : after + 1000]))

    with wired(answer) as wire, Traceway(wire.url, "k") as client:
        assert [one.sequence for one in client.executions.events("x")] == list(range(1, 1003))
    assert len(wire.asked) == 2


def test_a_workflow_is_found_by_its_name_unless_it_is_archived() -> None:
    found = [
        {"id": str(n), "name": "a", "version": "1.0.0", "status": "archived" if n == 0 else "published"} for n in (0, 1)
    ]
    pages = [Say(200, page("workflows", found[:1], "c")), Say(200, page("workflows", found[1:], None))]
    with wired(pages * 2) as wire, Traceway(wire.url, "k") as client:
        assert client.workflows.named("a").id == "1"
        with pytest.raises(errors.NotFound, match="no workflow named b"):
            client.workflows.named("b")


def test_an_execution_can_be_asked_about_itself() -> None:
    with (
        wired([shown(), Say(200, wrapped(execution("workflow_cancelled")))]) as wire,
        Traceway(wire.url, "k") as client,
    ):
        assert client.executions.get("x").cancel("ordered twice").is_over
    assert wire.asked[1].json == {"reason": "ordered twice"}


def surface(client: type[Any]) -> set[str]:
    made = client("http://127.0.0.1:1", "k")
    parts = {name: part for name, part in vars(made).items() if isinstance(part, Resource)}
    return {
        f"{name}.{method}{inspect.signature(getattr(part, method))}"
        for name, part in parts.items()
        for method, how in vars(type(part)).items()
        if isinstance(how, call | many)
    }


def test_both_clients_have_the_same_surface() -> None:
    assert surface(Traceway) == surface(AsyncTraceway)
    assert len(surface(Traceway)) > 50


def test_every_method_says_what_it_does() -> None:
    resources: list[type[Any]] = [Execution[Direct].__origin__, *Resource.__subclasses__()]  # type: ignore[attr-defined]
    methods = [how for kind in resources for how in vars(kind).values() if isinstance(how, call | many)]
    assert methods
    assert [how for how in methods if not how.__doc__] == []


def test_everything_that_is_named_can_be_imported() -> None:
    assert [name for name in traceway.__all__ if not hasattr(traceway, name)] == []


def signed(body: bytes, at: datetime, secret: str = SECRET) -> dict[str, str]:
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", at, body.decode()),
    }


def test_a_delivery_with_a_good_signature_is_believed() -> None:
    body = '{"event": "credit.decided", "n": "ü"}'.encode()
    assert webhooks.verify(SECRET, signed(body, datetime.now(UTC)), body) == {"event": "credit.decided", "n": "ü"}


@pytest.mark.parametrize("wrong", ["body", "secret", "age", "missing", "nonsense", "bytes"])
def test_any_other_delivery_is_not(wrong: str) -> None:
    body, now = b'{"n": 1}', datetime.now(UTC)
    headers = signed(body, now)
    if wrong == "age":
        headers = signed(body, datetime(2026, 1, 1, tzinfo=UTC))
    elif wrong == "missing":
        del headers["Webhook-Id"]
    elif wrong == "nonsense":
        headers["Webhook-Signature"] = "v1"
    sent = {"body": b'{"n": 2}', "bytes": b"\xff\xfe"}.get(wrong, body)
    secret = "whsec_" + "A" * 32 if wrong == "secret" else SECRET
    with pytest.raises(BadSignature):
        webhooks.verify(secret, headers, sent)
