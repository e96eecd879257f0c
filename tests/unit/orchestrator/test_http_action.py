"""The http step against real servers: what it sends, what it makes of answers, how it fails."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import BinaryIO

import pytest

from orchestrator.actions.http import HttpAction
from tenants.egress import client
from tests.unit.orchestrator.attempts import LOOPBACK, attempted, carried, failed, failing, request
from tests.unit.orchestrator.raw_server import Answer, Seen, answering, reply, serving

JSON_TYPE = "Content-Type: application/json"


def test_a_request_carries_what_the_step_says_and_its_idempotency_key() -> None:
    with serving(answering(reply(b"{}", 200, JSON_TYPE))) as server:
        carried(
            f"{server.address}/p?a=1",
            "POST",
            headers={"X-Name": " caf\xe9\t"},
            query={"b": ["2", "3"]},
            body={"n": 1},
        )

    seen = server.seen[0]
    assert (seen.method, seen.target, seen.body) == ("POST", "/p?a=1&b=2&b=3", b'{"n":1}')
    assert seen.headers["idempotency-key"] == "e1:call:1"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["x-name"] == "caf\xe9"


def test_a_body_of_text_is_sent_as_it_is() -> None:
    with serving(answering(reply())) as server:
        carried(server.address, "PUT", body="a=1", headers={"Content-Type": "text/x"})

    assert (server.seen[0].body, server.seen[0].headers["content-type"]) == (b"a=1", "text/x")


def test_the_output_is_status_headers_and_body_with_repeated_headers_joined() -> None:
    answer = reply(b'{"ok": true}', 201, "Content-Type: application/problem+json", "X-A: 1", "x-a: 2")
    with serving(answering(answer)) as server:
        output = carried(server.address)

    assert (output["status"], output["body"], output["headers"]["x-a"]) == (201, {"ok": True}, "1, 2")


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        ("Content-Type: text/plain", b"caf\xc3\xa9", "caf\xe9"),
        ("Content-Type: text/plain; charset=latin-1", b"caf\xe9", "caf\xe9"),
        ("Content-Type: text/plain; charset=utf-16", "caf\xe9".encode("utf-16"), "caf\xe9"),
        ("Content-Type: text/plain", b"\xff\x00\xfe", "\ufffd\ufffd\ufffd"),
        ("Content-Type: text/plain; charset=no-such", b"a", "a"),
        ("Content-Type: text/plain; charset=hex", b"a", "a"),
        ("Content-Type: text/plain; charset=unicode_escape", rb"\ud800", "?"),
        ("X-None: 1", b"bare", "bare"),
        (JSON_TYPE, b"", None),
        (JSON_TYPE, b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ("Content-Type: APPLICATION/JSON ; charset=utf-8", b"[1]", [1]),
    ],
)
def test_a_body_becomes_json_or_text_that_can_be_stored(head: str, body: bytes, expected: object) -> None:
    with serving(answering(reply(body, 200, head))) as server:
        assert carried(server.address)["body"] == expected


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"<html>", "Expecting value"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1, "a": 2}', "'a' is given twice"),
        (b'{"a": 9007199254740992}', "2^53"),
        (b"[" + b"9" * 5000 + b"]", "4300"),
        (b"[1e999]", "infinity"),
        (b'["\\ud800"]', "surrogate"),
        (b'["\\u0000"]', "NUL"),
        (b"\xff", "not UTF-8"),
        (b"[" * 20_000, "64 levels"),
    ],
)
def test_an_answer_that_calls_itself_json_but_is_not_fails_readably(body: bytes, word: str) -> None:
    with serving(answering(reply(body, 200, JSON_TYPE))) as server:
        error = failed(server.address)

    assert (error.kind, error.retryable) == ("invalid_output", True)
    assert word in error.message


def test_a_head_request_has_no_body_whatever_its_answer_announces() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n"
    )
    with serving(answering(answer)) as server:
        assert carried(server.address, "HEAD")["body"] is None


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (404, False), (408, True), (409, False), (425, True), (429, True), (500, True),
     (502, True), (503, True), (504, True), (302, False)],
)  # fmt: skip
def test_an_unexpected_status_fails_the_step_and_says_whether_trying_again_may_help(
    status: int, retryable: bool
) -> None:
    with serving(answering(reply(b"no\x00", status, JSON_TYPE))) as server:
        error = failed(f"{server.address}/p?key=hidden#part")

    assert (error.kind, error.retryable and not error.on_request) == ("http_status", retryable)
    assert error.message == f"GET {server.address}/p answered {status}"
    assert error.details == {"status": status, "body": "no\ufffd"}


def test_the_expected_statuses_are_those_the_step_names() -> None:
    with serving(answering(reply(b"", 404))) as server:
        assert carried(server.address, expected_status=[[200, 200], [404, 410]])["status"] == 404
    with serving(answering(reply(b"", 204))) as server:
        assert failed(server.address, expected_status=[[200, 200]]).kind == "http_status"


@pytest.mark.parametrize(
    ("status", "repeatable", "retryable"),
    [(500, False, False), (502, False, False), (504, False, False), (429, False, True), (503, False, True)],
)
def test_an_at_most_once_request_is_tried_again_only_if_nothing_was_done(
    status: int, repeatable: bool, retryable: bool
) -> None:
    with serving(answering(reply(b"", status))) as server:
        error = failed(server.address, "POST", attempt=attempted(repeatable=repeatable))
    assert (error.retryable and not error.on_request) is retryable


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("999999999", 86_400), ("9" * 4400, 86_400), ("-5", None), ("1.5", None), ("soon", None),
     ("\xb2", None), ("", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
     ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None), ("Wed, 21 Oct 2015 07:28:00 -0000", None)],
)  # fmt: skip
def test_retry_after_is_read_in_both_its_forms_and_bounded(header: str, seconds: float | None) -> None:
    with serving(answering(reply(b"", 429, f"Retry-After: {header}"))) as server:
        assert failed(server.address).retry_after == seconds


def test_retry_after_as_a_date_is_the_time_until_then() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    with serving(answering(reply(b"", 503, f"Retry-After: {later}"))) as server:
        assert failed(server.address).retry_after == pytest.approx(100, abs=5)


# Bounds


def test_an_answer_larger_than_the_bound_fails_and_is_not_read_to_its_end() -> None:
    written = []

    def endless(_seen: Seen, out: BinaryIO) -> bool:
        out.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(10_000):
            out.write(b"x" * 10_000)
            written.append(10_000)
        return False

    with serving(endless) as server:
        error = failed(server.address)

    assert (error.kind, error.retryable) == ("output_too_large", False)
    assert error.message == "the answer has more than 100,000 bytes"
    assert sum(written) < 50_000_000


def test_an_answer_as_large_as_the_bound_is_taken() -> None:
    with serving(answering(reply(b"x" * 100_000))) as server:
        assert len(carried(server.address)["body"]) == 100_000


def test_a_packed_answer_counts_as_what_it_unpacks_to_and_is_never_unpacked_whole() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(bomb.compress(bytes(1_000_000)) for _ in range(50)) + bomb.flush()
    with serving(answering(reply(packed, 200, "Content-Encoding: gzip"))) as server:
        tracemalloc.start()
        error = failed(server.address)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert len(packed) < 100_000
    assert error.kind == "output_too_large"
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("name", "pack"), [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_packed_answer_is_unpacked(name: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b'{"a": 1}')
    with serving(answering(reply(packed, 200, JSON_TYPE, f"Content-Encoding: {name}"))) as server:
        assert carried(server.address)["body"] == {"a": 1}
    assert server.seen[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("name", "body", "word"),
    [
        ("gzip", b"not packed", "not packed as it says"),
        ("gzip", gzip.compress(b"x" * 100, mtime=0)[:20], "cut off"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "not asked for"),
        ("br", b"x", "not asked for"),
    ],
)
def test_an_answer_packed_in_a_way_that_cannot_be_read_fails_readably(name: str, body: bytes, word: str) -> None:
    with serving(answering(reply(body, 200, f"Content-Encoding: {name}"))) as server:
        error = failed(server.address)
    assert error.kind == "invalid_output"
    assert word in error.message


# Time


@pytest.mark.parametrize(("repeatable", "retryable"), [(True, True), (False, False)])
def test_a_server_that_does_not_answer_is_a_timeout(repeatable: bool, retryable: bool) -> None:
    def silent(_seen: Seen, _out: BinaryIO) -> bool:
        server.ended.wait(10)
        return False

    with serving(silent) as server:
        error = failed(server.address, timeout_seconds=0.2, attempt=attempted(repeatable=repeatable))

    assert (error.kind, error.retryable) == ("timeout", retryable)
    assert error.message == "no answer in time from 127.0.0.1"


def test_a_body_that_drips_is_a_timeout_although_each_drop_comes_in_time() -> None:
    def dripping(_seen: Seen, out: BinaryIO) -> bool:
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not server.ended.wait(0.05):
            out.write(b"x")
        return False

    began = time.monotonic()
    with serving(dripping) as server:
        error = failed(server.address, timeout_seconds=0.4)

    assert error.kind == "timeout"
    assert 0.4 <= time.monotonic() - began < 3


# Connections


def test_a_refused_connection_is_told_without_the_address_s_query() -> None:
    with serving(answering(reply())) as server:
        closed = server.address
    error = failed(f"{closed}/p?key=hidden", attempt=attempted(repeatable=False))

    assert (error.kind, error.retryable) == ("connection_failed", True)
    assert "Connection refused" in error.message
    assert "hidden" not in error.message


def closing_after(count: int) -> Answer:
    """A server that answers `count` requests and says nothing to the next, on every connection alike."""
    left = [count]

    def answer(_seen: Seen, out: BinaryIO) -> bool:
        if left[0] == 0:
            left[0] = count
            return False
        left[0] -= 1
        out.write(reply(b"ok"))
        return True

    return answer


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_closed_under_a_waiting_request_does_not_fail_one_that_may_be_repeated(method: str) -> None:
    with serving(closing_after(1)) as server, client(LOOPBACK) as outbound:
        action = HttpAction(outbound)
        for _ in range(2):
            assert action(request(server.address, method, body="b"), attempted())["body"] == "ok"

    assert [seen.body for seen in server.seen] == [b"b"] * 3
    assert server.connections == 2


def test_a_connection_closed_under_an_at_most_once_request_fails_it_and_is_not_tried_again() -> None:
    with serving(closing_after(1)) as server, client(LOOPBACK) as outbound:
        action = HttpAction(outbound)
        action(request(server.address), attempted())
        with failing() as raised:
            action(request(server.address, "POST", body="b"), attempted(repeatable=False))

    assert (raised[0].kind, raised[0].retryable) == ("connection_failed", False)
    assert len(server.seen) == 2


def test_a_fresh_connection_that_is_closed_fails_the_request_at_once() -> None:
    with serving(lambda _seen, _out: False) as server:
        assert failed(server.address).kind == "connection_failed"
    assert len(server.seen) == 1


def test_connections_are_kept_and_cookies_are_not() -> None:
    with serving(answering(reply(b"", 200, "Set-Cookie: session=one; Path=/"))) as server, client(LOOPBACK) as outbound:
        action = HttpAction(outbound)
        action(request(server.address), attempted())
        action(request(server.address), attempted())

    assert server.connections == 1
    assert "cookie" not in server.seen[1].headers


def test_credentials_among_an_answer_s_headers_are_masked() -> None:
    with serving(answering(reply(b"", 200, "Set-Cookie: session=hidden", "X-Open: 1"))) as server:
        headers = carried(server.address)["headers"]
    assert (headers["set-cookie"], headers["x-open"]) == ("***", "1")


def test_an_answer_that_is_no_http_fails_readably() -> None:
    with serving(answering(b"\x00\x01 hello\r\n\r\n")) as server:
        error = failed(server.address)
    assert (error.kind, error.retryable) == ("connection_failed", True)


@pytest.mark.parametrize("url", ["http://[::1/", "http://a\x01b/", "http://\u2028/"])
def test_an_address_that_is_none_fails_for_good(url: str) -> None:
    error = failed(url)
    assert (error.kind, error.retryable) == ("invalid_request", False)


def test_a_header_that_http_does_not_take_is_refused_without_being_told() -> None:
    with serving(answering(reply())) as server:
        error = failed(server.address, headers={"Authorization": "hid\x0bden"})
    assert (error.kind, error.retryable) == ("invalid_request", False)
    assert "den" not in error.message


# Redirects


def redirecting(location: str, status: int = 302) -> Answer:
    def answer(seen: Seen, out: BinaryIO) -> bool:
        moved = reply(b"moved", status, f"Location: {location}")
        out.write(moved if seen.target.startswith("/from") else reply(b"here"))
        return True

    return answer


SECRETS = {"Authorization": "Bearer a", "X-API-Key": "b", "Cookie": "c=1", "X-Own": "d", "Accept": "text/plain"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_origin_is_followed_with_its_headers(method: str, status: int) -> None:
    with serving(redirecting("/to?x=1", status)) as server:
        assert carried(f"{server.address}/from", method, headers=SECRETS)["status"] == 200

    seen = server.seen[1]
    assert (seen.method, seen.target) == (method, "/to?x=1")
    assert (seen.headers["authorization"], seen.headers["x-own"]) == ("Bearer a", "d")


@pytest.mark.parametrize("host", ["localhost:{port}", "user:word@localhost:{port}"])
def test_a_redirect_to_another_origin_takes_no_credentials_along(host: str) -> None:
    with serving(answering(reply(b"there"))) as other:
        location = f"http://{host.format(port=other.host.split(':')[1])}/to"
        with serving(redirecting(location)) as server:
            output = carried(f"{server.address}/from", headers=SECRETS)

    assert output["body"] == "there"
    assert set(other.seen[0].headers) <= {"host", "accept", "accept-encoding", "user-agent", "authorization"}
    assert "Bearer" not in other.seen[0].headers.get("authorization", "")
    assert other.seen[0].headers["accept"] == "text/plain"
    assert other.seen[0].headers["host"] == f"localhost:{other.host.split(':')[1]}"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_what_changes_something_is_not_followed(method: str, status: int) -> None:
    with serving(redirecting("/to", status)) as server:
        error = failed(f"{server.address}/from", method, body="b")

    assert (error.kind, error.retryable and not error.on_request) == ("http_status", False)
    assert len(server.seen) == 1


def test_a_redirect_whose_status_is_expected_is_the_answer() -> None:
    with serving(redirecting("/to")) as server:
        output = carried(f"{server.address}/from", expected_status=[[302, 302]])
    assert (output["status"], output["headers"]["location"], len(server.seen)) == (302, "/to", 1)


def test_redirects_end() -> None:
    with serving(redirecting("/from")) as server:
        error = failed(f"{server.address}/from")
    assert (error.kind, error.retryable) == ("too_many_redirects", False)
    assert len(server.seen) == 6


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://169.254.169.254/latest/meta-data", "egress_refused"),
        ("http://[::1]:80/", "egress_refused"),
        ("http://0x7f.0.0.2/", "egress_refused"),
        ("file:///etc/passwd", "invalid_request"),
        ("ftp://127.0.0.1/", "invalid_request"),
        ("//[bad", "connection_failed"),
    ],
)
def test_a_redirect_may_lead_nowhere_that_a_request_may_not(location: str, kind: str) -> None:
    with serving(redirecting(location)) as server:
        assert failed(f"{server.address}/from").kind == kind


def test_the_actions_of_a_process_share_connections_but_nothing_of_an_attempt() -> None:
    first, second = attempted(idempotency_key="a:s:1"), attempted(idempotency_key="b:s:1")
    with serving(answering(reply())) as server, client(LOOPBACK) as outbound:
        for one in (first, second):
            HttpAction(outbound)(request(server.address, headers={"X-Of": one.idempotency_key}), one)

    assert [seen.headers["idempotency-key"] for seen in server.seen] == ["a:s:1", "b:s:1"]
    assert [seen.headers["x-of"] for seen in server.seen] == ["a:s:1", "b:s:1"]
