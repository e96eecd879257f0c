"""The ASGI application by itself: an answer that waits more than once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from config.asgi import Application, Message, Scope
from contract.http import Answer, JsonRenderer

SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "scheme": "http",
    "http_version": "1.1",
    "raw_path": b"/waits",
    "query_string": b"",
    "headers": [],
}


@dataclass
class Again:
    """Comes at once, and so many times to nothing."""

    times: int
    seconds: float = 5.0

    def settle(self) -> Answer:
        answer = Answer({"left": self.times})
        if self.times > 0:
            answer.wait = Again(self.times - 1)
        return answer

    def watch(self, wake: Callable[[], object]) -> Callable[[], None]:
        wake()
        return lambda: None


class Receiver:
    """As gunicorn's: once a receive was cancelled, the client counts as gone."""

    def __init__(self) -> None:
        self._begun = self._gone = False

    async def __call__(self) -> Message:
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        try:
            if not self._gone:
                await asyncio.Event().wait()
            return {"type": "http.disconnect"}
        finally:
            self._gone = True


def test_an_answer_that_waits_again_and_again_is_sent_once_it_is_there() -> None:
    sent: list[Message] = []

    def handler(_: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        answer = Answer({"left": "not settled"})
        rendered: Any = answer
        rendered.accepted_renderer, rendered.accepted_media_type = JsonRenderer(), JsonRenderer.media_type
        rendered.renderer_context = {}
        answer.render()
        answer.wait = Again(3)
        start("200 OK", list(answer.items()))
        return answer

    async def asked() -> None:
        async def send(message: Message) -> None:
            sent.append(message)

        await Application(handler)(dict(SCOPE), Receiver(), send)

    asyncio.run(asyncio.wait_for(asked(), 10))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert (sent[0]["status"], sent[1]["body"]) == (200, b'{"left":0}')
