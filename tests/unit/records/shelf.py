"""Bundles of executions that went differently: each a function that writes a whole one."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.records.writing import ERROR, Book


def plain() -> Book:
    """Two steps, the second fed by input, a parameter, and the first."""
    book = Book().create("greet", "count", application={"id": 7}).start()
    given = {"name": "Wörld"}
    book.do("greet", given, {"n": [1, 2.5, {"ü": True}], "text": "Hello, Wörld"})
    book.derive(book.attempts[0], "/name", "Wörld", "input", ("/name", "Wörld"))
    count = {"a": {"ü": True}, "b": 1.5, "key": "Bearer ***", "text": "Hello, Wörld for 7"}
    attempt = book.begin("count", count)
    book.derive(attempt, "/a", {"ü": True}, "step", ("/n/2", {"ü": True}), name="greet", attempt=1)
    book.derive(attempt, "/b", 1.5, "parameter", ("/rate", 1.5))
    book.derive(attempt, "/key", "Bearer sesame", "secret", ("", None), name="TOKEN")
    book.derive(attempt, "/text", "Hello, Wörld for 7", "step", ("/text", "Hello, Wörld"), name="greet", attempt=1)
    book.derive(attempt, "/text", "Hello, Wörld for 7", "application", ("/id", 7))
    book.end(attempt, "step.succeeded", "succeeded", output={"count": 233})
    return book.finish("succeeded", output={"count": {"count": 233}}, outcome="pass").receive()


def retried() -> Book:
    """A step that failed, was lost and came about; one that an operator completed, one that was skipped."""
    book = Book().create("call", "sign", "rest").start()
    book.end(book.begin("call", {"url": "https://example.com"}), "step.retrying", "failed", error=ERROR)
    book.end(book.begin("call", {"url": "https://example.com"}), "step.retrying", "lost", error=ERROR)
    book.do("call", {"url": "https://example.com"}, {"status": 200})
    book.begin("sign", None, "step.completed", attempt_status="succeeded", by="operator:eve")
    book.attempts[-1] |= {"status": "succeeded", "finished_at": book.attempts[-1]["started_at"]}
    book.tell("step.skipped", "rest", reason="its condition is false")
    book.step("rest")["status"] = "skipped"
    return book.finish("succeeded", output={"call": {"status": 200}}, outcome_error="no such member").receive()


def waited() -> Book:
    """A wait for a child, a pause within it, and a continued outcome."""
    book = Book().create("child").start()
    attempt = book.begin("child", {"workflow": "other"})
    book.end(attempt, "step.waiting", "waiting", child="01a20372-4444-7658-b339-5d7139acb6ec")
    book.tell("execution.waiting")
    book.tell("execution.paused", by="operator:eve")
    book.tell("execution.resumed", by="operator:eve")
    book.tell("execution.continued", outcome="pass", comment=None, by="operator:eve")
    book.tell("execution.resumed")
    book.end(attempt, "step.failed", "failed", error=ERROR)
    return book.finish("failed", reason="step child failed: 503", outcome="pass").receive()


def mapped() -> Book:
    """A map of three parts; the last is never opened."""
    book = Book().create("each").start()
    outer = book.begin("each", {"items": 3})
    for number in range(3):
        book.part(f"each[{number}]", 10_000 + number, {"id": number})
    book.end(outer, "step.waiting", "waiting")
    for number in range(2):
        book.do(f"each[{number}]", {"id": number}, number * 2)
        book.derive(book.attempts[-1], "", {"id": number}, "item", ("", {"id": number}))
    book.end(outer, "step.cancelled", "cancelled", error=ERROR)
    return book.finish("cancelled", reason="ordered twice").receive()


def redriven() -> Book:
    """Failed, signed, redriven with other parameters, succeeded, signed again."""
    book = Book().create("try", "then").start()
    book.end(book.begin("try", {"rate": 1.5}), "step.failed", "failed", error=ERROR)
    book.derive(book.attempts[-1], "/rate", 1.5, "parameter", ("/rate", 1.5))
    book.finish("failed", reason="step try failed: 503").receive()
    book.redrive()
    book.tell("step.reset", "try", by="operator:eve")
    book.step("try")["status"] = "pending"
    book.start().do("try", {"rate": 2.0}, "done")
    book.derive(book.attempts[-1], "/rate", 2.0, "parameter", ("/rate", 2.0))
    return book.do("then", {}, None).finish("succeeded", output={"then": None}).receive()


def dropped() -> Book:
    """An input, an output and an application that retention removed after the end."""
    book = plain()
    book.drop(book.attempts[0]["output"])
    book.drop(book.submission["application_data"])
    return book.drop(book.submission["input"])


def running() -> Book:
    """Not yet at its end: nothing is signed."""
    book = Book().create("greet", "count").start()
    book.do("greet", {}, "hello")
    book.begin("count", {"of": "hello"})
    return book.derive(book.attempts[-1], "/of", "hello", "step", ("", "hello"), name="greet", attempt=1)


def paid() -> Book:
    """Paid for, failed, and then given back in part: events after the receipt."""
    book = Book().create("only", price=4950).pay().start()
    book.end(book.begin("only", {"a": []}), "step.failed", "failed", error=ERROR)
    return book.finish("failed", reason="step only failed: 503").receive().refund(1000)


SHELF: dict[str, Callable[[], Book]] = {
    one.__name__: one for one in (plain, retried, waited, mapped, redriven, dropped, running, paid)
}
