"""The web process over raw sockets: what is no good HTTP, who is slow, who stays, and how it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from config.stack.running import Stack
from tests.acceptance.api import Api
from tests.acceptance.web import Web, read_all, web
from tests.waiting import eventually

KEEP_ALIVE_SECONDS = 2
MOST_CONNECTIONS = 20
SOON_SECONDS = 9
"""Less than gunicorn gives those who do not end by themselves."""
PLAIN = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
POST = b"POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(stack: Stack) -> Iterator[Web]:
    arguments = f"--keep-alive {KEEP_ALIVE_SECONDS} --worker-connections {MOST_CONNECTIONS}"
    with web(stack, "strict-web", arguments) as made:
        yield made


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[Api]:
    made = Api.of_new_tenant(stack, "serving")
    with made.client:
        yield made


def key(api: Api) -> bytes:
    return b"Authorization: " + api.client.headers["Authorization"].encode() + b"\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (POST + b"Content-Length: +2\r\n\r\n{}", 400),
        (PLAIN.replace(b"Host:", b"Host :"), 400),
        (PLAIN.replace(b"localhost", b"localhost\r\n folded"), 400),
        (PLAIN.replace(b"\r\n", b"\n"), 400),
        (PLAIN.replace(b"localhost", b"local\x00host"), 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (PLAIN.replace(b"/healthz", b"/" + b"x" * 5_000), 414),
        (PLAIN.replace(b"localhost", b"localhost\r\nX-Long: " + b"x" * 10_000), 431),
        (PLAIN.replace(b"localhost", b"localhost" + b"\r\nX-Many: x" * 200), 431),
    ],
    ids=lambda value: value if isinstance(value, int) else "",
)
def test_what_is_no_good_http_is_refused_and_what_stands_behind_it_never_answered(
    server: Web, request_: bytes, status: int
) -> None:
    answered = server.answers(request_ + PLAIN)
    head, _, body = answered.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert answered.count(b"HTTP/1.1") == 1
    refused = json.loads(body)
    assert (refused["code"], refused["details"][0]["code"]) == (status, "malformed_request")
    assert b"X-Request-ID: " + refused["requestId"].encode() in head


def test_requests_are_answered_one_after_the_other_on_one_connection(server: Web) -> None:
    assert server.answers(PLAIN * 3 + LAST).count(b"HTTP/1.1 200 OK") == 4


def test_the_target_may_be_a_whole_address(server: Web) -> None:
    answered = server.answers(LAST.replace(b"/healthz", b"http://localhost/healthz"))
    assert answered.startswith(b"HTTP/1.1 200 OK")


def test_a_header_with_an_underscore_is_no_credential(server: Web, api: Api) -> None:
    me = LAST.replace(b"/healthz", b"/v1/me")
    good = key(api).replace(b"Authorization: Bearer ", b"X-API-Key: ")
    assert server.answers(me.replace(b"Host:", good + b"Host:")).startswith(b"HTTP/1.1 200")
    spoofed = good.replace(b"X-API-Key", b"X_API_Key")
    assert server.answers(me.replace(b"Host:", spoofed + b"Host:")).startswith(b"HTTP/1.1 401")


def test_there_are_no_websockets(server: Web) -> None:
    shake = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    asked = PLAIN.replace(b"Host:", shake + b"dGhlIHNhbXBsZSBub25jZQ==\r\nHost:")
    assert server.answers(asked).startswith(b"HTTP/1.1 403")


def test_a_body_in_chunks_is_read_to_its_end(server: Web, api: Api) -> None:
    definition = {
        "name": "in chunks",
        "steps": [{"name": "a", "type": "transform", "config": {"output": "x" * 400_000}}],
    }
    body = json.dumps(definition).encode()
    chunks = (body[at : at + 10_000] for at in range(0, len(body), 10_000))
    headers = {"Authorization": api.client.headers["Authorization"], "Content-Type": "application/json"}
    answer = httpx.post(f"{server.address}/v1/workflows", headers=headers, content=chunks)
    assert answer.status_code == 201, answer.text
    assert answer.json()["steps"] == definition["steps"]


def test_a_body_that_is_too_large_is_refused_before_it_was_sent(server: Web, api: Api) -> None:
    with server.connected() as connection:
        connection.sendall(POST + key(api) + b"Content-Length: 50000000\r\n\r\n" + b" " * 2_000_000)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_an_answer_that_comes_before_the_end_of_the_body_says_that_the_connection_ends(server: Web) -> None:
    with server.connected() as connection:
        connection.sendall(POST + b"Content-Length: 50000000\r\n\r\n" + b" " * 2_000_000)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 401")
    assert b"\r\nConnection: close\r\n" in answer


def test_a_body_that_ends_too_early_is_refused_without_a_trace(server: Web, api: Api) -> None:
    before = api.get("/v1/executions")["data"]["items"]
    with server.connected() as connection:
        connection.sendall(POST + key(api) + b'Content-Length: 500\r\n\r\n{"workflowId"')
        connection.shutdown(1)
        assert b"HTTP/1.1 2" not in read_all(connection)
    assert len(api.get("/v1/executions")["data"]["items"]) == len(before)


def test_whoever_waits_for_leave_to_send_a_body_gets_it(server: Web, api: Api) -> None:
    with server.connected() as connection:
        connection.sendall(POST + key(api) + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize("sent", [b"", PLAIN[:20], PLAIN + PLAIN[:20], PLAIN], ids=["nothing", "half", "more", "all"])
def test_a_connection_on_which_no_whole_request_comes_is_closed(server: Web, sent: bytes) -> None:
    with server.connected() as connection:
        began = time.monotonic()
        connection.sendall(sent)
        read_all(connection)
        assert KEEP_ALIVE_SECONDS - 0.5 < time.monotonic() - began < KEEP_ALIVE_SECONDS + 5


def test_slow_senders_hold_no_thread(server: Web) -> None:
    slow = [server.connected() for _ in range(MOST_CONNECTIONS - 5)]
    for connection in slow:
        connection.sendall(POST + b"Content-Length: 10\r\n\r\n{")
    began = time.monotonic()
    assert server.answers(LAST).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - began < 2
    for connection in slow:
        connection.close()


def test_one_connection_too_many_is_not_taken(server: Web) -> None:
    many = [server.connected() for _ in range(MOST_CONNECTIONS)]
    eventually(lambda: len(server.serving.net_connections("tcp")) > MOST_CONNECTIONS)
    assert server.answers(PLAIN) == b""
    for connection in many:
        connection.close()
    eventually(lambda: server.answers(LAST).startswith(b"HTTP/1.1 200"))


def test_term_ends_streams_in_good_order_answers_what_runs_and_closes_the_rest(stack: Stack, api: Api) -> None:
    waits = {"name": "w", "type": "wait", "config": {"signal": "go"}}
    execution = api.start(api.publish({"name": "told to end", "steps": [waits]}))
    listens = PLAIN.replace(b"/healthz", f"/v1/executions/{execution}/stream".encode()).replace(
        b"Host:", key(api) + b"Host:"
    )
    with (
        web(stack, "ending-web") as ending,
        ending.connected() as stream,
        ending.connected() as idle,
        ending.connected() as sending,
    ):
        stream.sendall(listens)
        assert stream.recv(65536).startswith(b"HTTP/1.1 200 OK")
        idle.sendall(PLAIN)
        assert idle.recv(65536).startswith(b"HTTP/1.1 200 OK")
        sending.sendall(POST + key(api) + b"Content-Length: 2\r\n\r\n")
        assert ending.child.process is not None
        began = time.monotonic()
        ending.child.process.terminate()
        assert read_all(stream).endswith(b"0\r\n\r\n")
        sending.sendall(b"{}")
        assert read_all(sending).startswith(b"HTTP/1.1 400 Bad Request")
        assert read_all(idle) == b""
        assert ending.child.process.wait(20) == 0
        assert time.monotonic() - began < SOON_SECONDS


def test_term_answers_a_worker_that_waits_for_a_task_with_nothing(stack: Stack, api: Api) -> None:
    agent = api.get("/v1/agents")["items"][0]["id"]
    claim = POST.replace(b"/v1/executions", f"/v1/agents/{agent}/tasks/claim".encode()) + key(api)
    with web(stack, "claimed-web") as ending, ending.connected() as waiting:
        waiting.sendall(claim + b'Content-Length: 19\r\n\r\n{"wait_seconds":30}')
        waiting.settimeout(0.5)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        waiting.settimeout(30)
        assert ending.child.process is not None
        began = time.monotonic()
        ending.child.process.terminate()
        answer = read_all(waiting)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(b'{"items":[]}')
        assert ending.child.process.wait(20) == 0
        assert time.monotonic() - began < SOON_SECONDS
