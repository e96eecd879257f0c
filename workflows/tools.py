"""The port of tools: where Python functions register that tool_call steps name. The shipped tools stand elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contract.json_values import JSON
from workflows.effects import Effect
from workflows.schemas import Schema, compile_schema


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool is told beside its arguments. The key is the same for every attempt at the same effect.

    `cancelled` says whether the execution is to end: a tool that takes long asks it now and then, and stops.
    """

    attempt: int
    execution_id: str
    step: str
    idempotency_key: str
    cancelled: Callable[[], bool]


ToolFunction = Callable[[dict[str, JSON], ToolContext], JSON]


@dataclass(frozen=True, slots=True)
class Tool:
    """A registered function, called with (arguments, context); it returns JSON or raises.

    `version` stands on record with every attempt: raise it where the function comes to something else than before.
    """

    name: str
    function: ToolFunction
    arguments: Schema
    effect: Effect
    version: str = "1"


class ToolRegistry:
    """Tools by name."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def tool(
        self, name: str, *, arguments: JSON = True, effect: Effect = Effect.IDEMPOTENT, version: str = "1"
    ) -> Callable[[ToolFunction], ToolFunction]:
        """A decorator that registers a function; `arguments` is the JSON Schema of the object that it takes.

        Raises ValueError for a name that is taken or an effect that no tool has, SchemaInvalid for a bad schema.
        """
        if name in self._tools:
            raise ValueError(f"the tool {name!r} is registered already")
        if effect not in (Effect.IDEMPOTENT, Effect.AT_MOST_ONCE):
            raise ValueError(f"the tool {name!r} touches the world: its effect is idempotent or at_most_once")
        schema = compile_schema(arguments)

        def register(function: ToolFunction) -> ToolFunction:
            self._tools[name] = Tool(name, function, schema, effect, version)
            return function

        return register

    def get(self, name: str) -> Tool | None:
        return self._tools.get(name)

    def names(self) -> list[str]:
        return sorted(self._tools)


registry = ToolRegistry()
"""The tools of this process."""

tool = registry.tool
