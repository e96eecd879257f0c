"""A local server that speaks the few endpoints of Stripe that are used, with its idempotency keys and its errors."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

DAY = 86_400


@dataclass
class StripeServer:
    """What it was asked for and what it has. `down`: it answers 503. `loses_answers`: it does it, and answers 500.

    `refund_status` is that of refunds from now on; `refuses` the code with which it refuses any.
    """

    url: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    keyed: dict[str, dict[str, Any]] = field(default_factory=dict)
    down: bool = False
    loses_answers: bool = False
    refund_status: str = "succeeded"
    refuses: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def asked_for(self, method: str, path: str) -> int:
        """How often."""
        return sum((method, path) == (one[0], one[1]) for one in self.asked)

    def pay(self, session: str, *, settled: bool = True) -> dict[str, Any]:
        """The payer pays; the session as Stripe tells of it."""
        about = self.sessions[session]
        about |= {
            "status": "complete",
            "payment_status": "paid" if settled else "unpaid",
            "payment_intent": f"pi_{session}",
        }
        return about

    def answer(self, method: str, path: str, given: dict[str, str], key: str) -> tuple[int, dict[str, Any]]:
        with self.lock:
            self.asked.append((method, path, key))
            if self.down:
                return 503, {"error": {"type": "api_error", "message": "down"}}
            made = self.keyed.get(key) if key else None
            status, body = (200, made) if made else self._answer(method, path, given)
            if key and status == 200:
                self.keyed[key] = body
            if self.loses_answers and method == "POST":
                return 500, {"error": {"type": "api_error", "message": "the answer was lost"}}
            return status, body

    def _answer(self, method: str, path: str, given: dict[str, str]) -> tuple[int, dict[str, Any]]:
        match method, path.split("/")[2:]:
            case "POST", ["checkout", "sessions"]:
                return 200, self._open(given)
            case "GET", ["checkout", "sessions", session]:
                return 200, self.sessions[session]
            case "POST", ["refunds"]:
                return self._refund(given)
            case "GET", ["refunds"]:
                found = [one for one in self.refunds.values() if one["payment_intent"] == given["payment_intent"]]
                return 200, {"object": "list", "data": found, "has_more": False, "url": "/v1/refunds"}
        return 404, {"error": {"type": "invalid_request_error", "message": f"no such path {path}"}}

    def _open(self, given: dict[str, str]) -> dict[str, Any]:
        name = f"cs_{len(self.sessions) + 1}"
        self.sessions[name] = {
            "id": name,
            "object": "checkout.session",
            "url": f"https://checkout.example/{name}",
            "status": "open",
            "payment_status": "unpaid",
            "payment_intent": None,
            "amount_total": int(given["line_items[0][price_data][unit_amount]"]),
            "currency": given["line_items[0][price_data][currency]"],
            "client_reference_id": given["client_reference_id"],
            "metadata": {"traceway_order": given["metadata[traceway_order]"]},
            "success_url": given["success_url"],
            "expires_at": int(time.time()) + DAY,
        }
        return self.sessions[name]

    def _refund(self, given: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.refuses:
            return 400, {"error": {"type": "invalid_request_error", "code": self.refuses, "message": self.refuses}}
        name = f"re_{len(self.refunds) + 1}"
        self.refunds[name] = {
            "id": name,
            "object": "refund",
            "amount": int(given["amount"]),
            "currency": "eur",
            "payment_intent": given["payment_intent"],
            "status": self.refund_status,
            "metadata": {"traceway_refund": given["metadata[traceway_refund]"]},
        }
        return 200, self.refunds[name]


@contextmanager
def stripe_server() -> Iterator[StripeServer]:
    """One that listens, at `url`."""
    stripe = StripeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET", urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._answer("POST", self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def _answer(self, method: str, text: str) -> None:
            given = {name: values[0] for name, values in parse_qs(text).items()}
            key = self.headers.get("Idempotency-Key", "") if method == "POST" else ""
            status, body = stripe.answer(method, urlsplit(self.path).path, given, key)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stripe.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stripe
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
