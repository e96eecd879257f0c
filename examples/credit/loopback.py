"""A small HTTP/1.1 server on loopback, run by threads of this process: what the bureau and the receiver stand on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What came in; the names of `headers` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out: an HTTP status and any JSON value."""

    status: int
    value: Any


Answer = Callable[[Request], Reply]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The address `http://127.0.0.1:<free port>` that `answer` serves, in threads, until the block ends."""
    server = _Server(("127.0.0.1", 0), _handler(answer))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def _handler(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body leave in one segment; sent apart, each answer would wait for a delayed ACK (40 ms).
        wbufsize = -1

        def do_GET(self) -> None:
            self._reply(answer(self._request(b"")))

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MAX_BODY:
                self.close_connection = True
                self._reply(Reply(413, {"message": f"a body needs a Content-Length of at most {MAX_BODY}"}))
                return
            self._reply(answer(self._request(self.rfile.read(int(length)))))

        def _request(self, body: bytes) -> Request:
            headers = {name.lower(): value for name, value in self.headers.items()}
            return Request(self.command, self.path, headers, body)

        def _reply(self, reply: Reply) -> None:
            body = json.dumps(reply.value).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the terminal belongs to the demo."""

    return Handler
