"""webhook: a signed POST of an event. Signing and sending are the orchestrator's."""

from __future__ import annotations

from contract.json_values import JSON
from workflows.effects import Effect
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.programs import EffectfulProgram
from workflows.reading import Members
from workflows.secret_references import hidden
from workflows.steps.addresses import MASK, check_url, read_effect, read_url
from workflows.templating import Template
from workflows.tools import ToolRegistry


class WebhookPost(EffectfulProgram):
    """Resolves to {url, event, payload, secret}; `event` and `secret` are null when not given."""

    def __init__(self, parts: dict[str, Template], effect: Effect) -> None:
        self.effect = effect
        self._parts = parts

    def resolve(self, scope: Scope) -> dict[str, JSON]:
        resolved: dict[str, JSON] = {"event": None, "secret": None}
        return self.checked(resolved | {name: part.resolve(scope) for name, part in self._parts.items()})

    def checked(self, config: dict[str, JSON]) -> dict[str, JSON]:
        check_url(config["url"])
        for name in ("event", "secret"):
            if not isinstance(config[name], str | None):
                raise StepFailed("invalid_request", f"the {name} is no text")
        return config

    def credentials(self, config: dict[str, JSON]) -> list[str]:
        return [config["secret"]] if config["secret"] else []

    def recorded(self, resolved: dict[str, JSON]) -> dict[str, JSON]:
        shown: dict[str, JSON] = hidden({**resolved, "secret": resolved["secret"] and MASK})
        return shown


def compile_config(config: Members, _tools: ToolRegistry) -> WebhookPost | None:
    known = len(config.notes.problems)
    parts = {
        "url": read_url(config),
        "event": config.template("event", kind=str),
        "payload": config.template("payload", required=True),
        "secret": config.template("secret", kind=str),
    }
    effect = read_effect(config)
    config.refuse_others()
    if len(config.notes.problems) > known:
        return None
    return WebhookPost({name: part for name, part in parts.items() if part is not None}, effect)
