"""wait: until a moment, a signal or an approval, whichever comes first. Waiting is the engine's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contract import timestamps
from contract.json_values import JSON, dump
from workflows.expressions import Scope
from workflows.failures import StepFailed
from workflows.names import NAME, NAME_RULE
from workflows.programs import Awaited, WaitProgram
from workflows.reading import Members
from workflows.schemas import Schema
from workflows.templating import OPEN, Template
from workflows.tools import ToolRegistry

LONGEST = 366 * 86_400
"""Seconds that a wait may last."""

_ENDS = ("seconds", "until", "signal", "approval")


@dataclass(frozen=True, slots=True)
class _Approval:
    approvers: tuple[str, ...] | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Wait(WaitProgram):
    """`at_most`: seconds that the step itself allows, beside what the config says."""

    signal: str | None
    schema: Schema | None
    seconds: Template | None
    until: Template | None
    timeout_seconds: Template | None
    approval: _Approval | None
    at_most: float | None = None

    def within(self, seconds: float) -> Wait:
        """The same wait, failing after so many seconds at the latest."""
        return replace(self, at_most=seconds)

    def resolve(self, scope: Scope, now: datetime) -> Awaited:
        fires = [_after(now, "seconds", self.seconds, scope), _moment(self.until, scope)]
        limits = [_after(now, "timeout_seconds", self.timeout_seconds, scope)]
        if self.at_most is not None:
            limits.append(now + timedelta(seconds=self.at_most))
        approval = self.approval or _Approval()
        return Awaited(
            fires_at=_earliest(fires),
            times_out_at=_earliest(limits),
            signal=self.signal,
            approval=self.approval is not None,
            approvers=approval.approvers,
            message=approval.message,
        )


def compile_config(config: Members, _tools: ToolRegistry) -> Wait | None:
    known = len(config.notes.problems)
    signal, schema = _signal(config)
    wait = Wait(
        signal,
        schema,
        seconds=_seconds(config, "seconds"),
        until=_until(config),
        timeout_seconds=_seconds(config, "timeout_seconds"),
        approval=_approval(config),
    )
    if not any(config.has(name) for name in _ENDS):
        config.report_here("missing", "a wait is for one or several of `seconds`, `until`, `signal` and `approval`")
    config.refuse_others()
    return wait if len(config.notes.problems) == known else None


def _seconds(config: Members, name: str) -> Template | None:
    template = config.template(name)
    if template is not None and _is_fixed(template) and not _is_duration(template.raw):
        config.report(name, "invalid", f"`{name}` is a number from 0 to {LONGEST:,}")
    return template


def _until(config: Members) -> Template | None:
    template = config.template("until", kind=str)
    if template is not None and _is_fixed(template):
        try:
            timestamps.parse(template.raw)
        except ValueError as error:
            config.report("until", "invalid", str(error))
    return template


def _signal(config: Members) -> tuple[str | None, Schema | None]:
    signal, schema = config.text("signal"), config.schema("schema")
    if signal is not None and not NAME.match(signal):
        config.report("signal", "invalid", f"`signal` is written out, and {NAME_RULE}")
    if config.has("schema") and not config.has("signal"):
        config.report("schema", "invalid", "`schema` is what the payload of a `signal` has to satisfy")
    return signal, schema


def _approval(config: Members) -> _Approval | None:
    if config.take("approval") is True:
        return _Approval()
    members = config.object("approval")
    if members is None:
        return None
    message = members.text("message", most=1_000)
    if message is not None and OPEN in message:
        members.report("message", "invalid", "`message` is written out: no expression is evaluated in it")
    approval = _Approval(_approvers(members), message)
    members.refuse_others()
    return approval


def _approvers(approval: Members) -> tuple[str, ...] | None:
    names = approval.typed("approvers", list)
    if names is None:
        return None
    if not 1 <= len(names) <= 100 or not all(_is_written_out(name) for name in names):
        message = "`approvers` are the names, 1 to 100 and written out, of those who may approve"
        approval.report("approvers", "invalid", message)
    return tuple(names)


def _is_written_out(name: JSON) -> bool:
    return isinstance(name, str) and 1 <= len(name) <= 255 and OPEN not in name


def _is_fixed(template: Template) -> bool:
    return not (isinstance(template.raw, str) and OPEN in template.raw)


def _is_duration(value: JSON) -> bool:
    return type(value) in (int, float) and 0 <= value <= LONGEST


def _after(now: datetime, name: str, template: Template | None, scope: Scope) -> datetime | None:
    if template is None:
        return None
    seconds = template.resolve(scope)
    if not _is_duration(seconds):
        raise StepFailed("invalid_wait", f"`{name}` is a number from 0 to {LONGEST:,}, not {dump(seconds)[:100]}")
    return now + timedelta(seconds=seconds)


def _moment(template: Template | None, scope: Scope) -> datetime | None:
    if template is None:
        return None
    text = template.resolve(scope)
    try:
        return timestamps.parse(text if isinstance(text, str) else "")
    except ValueError as error:
        raise StepFailed("invalid_wait", f"`until` cannot be {dump(text)[:100]}: {error}") from error


def _earliest(moments: list[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
