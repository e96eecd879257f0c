"""How one description of a method becomes two: of a resource of Traceway it answers, of AsyncTraceway it is awaited.

class Things(Resource[D]):
    @call
    def get(self, thing_id: str) -> Program[Thing]: ...      # client.things.get("x"), await aclient.things.get("x")

    @many
    def list(self) -> Flow[Thing]: ...                       # for ... in, async for ... in
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from traceway.drivers import Awaited, Direct
from traceway.effects import Flow, Program
from traceway.retries import Retry

P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D", Direct, Awaited)


class Resource(Generic[D]):
    """Something with methods, bound to the driver of one client."""

    _driver: D

    def __init__(self, driver: D) -> None:
        self._driver = driver

    @property
    def _retry(self) -> Retry:
        return self._driver.settings.retry


class call(Generic[P, T]):  # noqa: N801 - it is read as a decorator
    """A method that comes to one result; `program` is the description itself, for other programs."""

    def __init__(self, program: Callable[Concatenate[Any, P], Program[T]]) -> None:
        self.program = program
        self.__doc__ = program.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Resource[Direct], owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Resource[Awaited], owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self

        @wraps(self.program)
        def run(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance._driver.run(self.program(instance, *args, **kwargs))

        return run


class many(Generic[P, T]):  # noqa: N801 - it is read as a decorator
    """A method that gives items, one after the other, as they are wanted."""

    def __init__(self, flow: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self.flow = flow
        self.__doc__ = flow.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Resource[Direct], owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: Resource[Awaited], owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self

        @wraps(self.flow)
        def iterate(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance._driver.iterate(self.flow(instance, *args, **kwargs))

        return iterate
