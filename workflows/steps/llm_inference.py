"""llm_inference: what a chat completion may be asked. Asking an endpoint for it is the orchestrator's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from contract.json_values import JSON
from workflows.effects import Effect
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.programs import EffectfulProgram
from workflows.reading import Members
from workflows.schemas import Schema
from workflows.secret_references import hidden
from workflows.steps.addresses import MASK, may_be_address, read_url
from workflows.templating import OPEN, Template
from workflows.tools import ToolRegistry

HOTTEST = 2
MOST_TOKENS = 10_000_000


class ChatCompletion(EffectfulProgram):
    """Resolves to {base_url, model, messages, temperature, max_tokens, api_key, schema}, null for what is not given."""

    effect = Effect.IDEMPOTENT

    def __init__(self, parts: Mapping[str, Template], schema: Schema | None) -> None:
        self._parts = parts
        self._schema = None if schema is None else schema.raw

    def resolve(self, scope: Scope) -> dict[str, JSON]:
        resolved: dict[str, JSON] = dict.fromkeys(_RULES)
        for name, part in self._parts.items():
            resolved[name] = part.resolve(scope)
        return self.checked({**resolved, "schema": self._schema})

    def checked(self, config: dict[str, JSON]) -> dict[str, JSON]:
        for name in self._parts:
            holds, says = _RULES[name]
            if not holds(config[name]):
                raise StepFailed("invalid_request", f"`{name}` {says}")
        return config

    def credentials(self, config: dict[str, JSON]) -> list[str]:
        return [config["api_key"]] if config["api_key"] else []

    def recorded(self, resolved: dict[str, JSON]) -> dict[str, JSON]:
        shown: dict[str, JSON] = hidden({**resolved, "api_key": resolved["api_key"] and MASK})
        return shown


def compile_config(config: Members, _tools: ToolRegistry) -> ChatCompletion | None:
    known = len(config.notes.problems)
    parts = {
        "base_url": read_url(config, "base_url", required=False),
        "model": config.template("model", required=True, kind=str),
        "messages": config.template("messages", required=True),
        "temperature": config.template("temperature"),
        "max_tokens": config.template("max_tokens"),
        "api_key": config.template("api_key", kind=str),
    }
    given = {name: part for name, part in parts.items() if part is not None}
    schema = config.schema("schema")
    for name in given.keys() - {"base_url"}:
        holds, says = _RULES[name]
        if not (_is_expression(given[name].raw) or holds(given[name].raw)):
            config.report(name, "invalid", f"`{name}` {says}")
    config.refuse_others()
    return ChatCompletion(given, schema) if len(config.notes.problems) == known else None


def _is_expression(written: JSON) -> bool:
    return isinstance(written, str) and OPEN in written


def _is_base_url(value: JSON) -> bool:
    return isinstance(value, str) and may_be_address(value)


def _is_name(value: JSON) -> bool:
    return isinstance(value, str) and value != ""


def _are_messages(value: JSON) -> bool:
    return isinstance(value, list) and value != [] and all(_is_message(item) for item in value)


def _is_message(item: JSON) -> bool:
    return isinstance(item, dict) and isinstance(item.get("role"), str) and item["role"] != ""


def _is_temperature(value: JSON) -> bool:
    return type(value) in (int, float) and 0 <= value <= HOTTEST


def _is_count(value: JSON) -> bool:
    return type(value) is int and 1 <= value <= MOST_TOKENS


def _is_key(value: JSON) -> bool:
    shown = hidden(value)
    return isinstance(shown, str) and shown != "" and shown.isascii() and shown.isprintable()


_RULES: Mapping[str, tuple[Callable[[JSON], bool], str]] = {
    "base_url": (_is_base_url, "is an absolute http or https address, without user and password"),
    "model": (_is_name, "is the name of a model"),
    "messages": (_are_messages, "is a list of one message or more, each an object with a `role`"),
    "temperature": (_is_temperature, f"is a number from 0 to {HOTTEST}"),
    "max_tokens": (_is_count, f"is a whole number from 1 to {MOST_TOKENS:,}"),
    "api_key": (_is_key, "is a single line of ASCII text"),
}
"""By member: whether a value will do, and what is wanted instead. A value is never told: it may be a secret."""
