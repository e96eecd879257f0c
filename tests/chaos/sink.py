"""Where the effects of the executions arrive: an HTTP server that writes down every Idempotency-Key it is sent."""

from __future__ import annotations

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

HOLD_SECONDS = 0.25
"""How long an effect takes, so that faults meet some that have come about and are not yet recorded."""


class Sink:
    """Serves on `address` (http://127.0.0.1:port) while the block runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, Counter[str]] = {}
        self._server = _Server(("127.0.0.1", 0), _handler(self._record))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def seen(self, path: str) -> Counter[str]:
        """How often each effect arrived at this path, by execution:step, whatever its key said beyond that."""
        with self._lock:
            return Counter(self._seen.get(path, {}))

    def _record(self, path: str, key: str) -> None:
        with self._lock:
            self._seen.setdefault(path, Counter())[key.rpartition(":")[0]] += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: that the caller is killed in the middle is what this is for."""


def _handler(record: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one segment

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            record(self.path, self.headers["Idempotency-Key"])
            time.sleep(HOLD_SECONDS)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing: the terminal belongs to the run."""

    return Handler
