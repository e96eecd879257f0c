"""How things look in a terminal: statuses, times, durations, and text of others made harmless."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LOOKS = {
    "succeeded": ("✓", "green"),
    "completed": ("✓", "green"),
    "published": ("✓", "green"),
    "failed": ("✗", "red"),
    "timeout": ("✗", "red"),
    "cancelled": ("⊘", "yellow"),
    "archived": ("⊘", "dim"),
    "running": ("●", "blue"),
    "retrying": ("↻", "yellow"),
    "waiting": ("◷", "cyan"),
    "awaiting_payment": ("◷", "magenta"),
    "payment_confirmed": ("◷", "magenta"),
    "paused": ("◷", "yellow"),
    "queued": ("·", "dim"),
    "pending": ("·", "dim"),
    "draft": ("·", "dim"),
    "skipped": ("-", "dim"),
    "outcome_unknown": ("?", "magenta"),
}


def short(status: str) -> str:
    """`workflow_running` as `running`."""
    return status.removeprefix("workflow_")


def long(status: str) -> str:
    """The execution status that somebody means who writes `running`."""
    return status if status in {"awaiting_payment", "payment_confirmed"} else f"workflow_{short(status)}"


def look(status: str) -> tuple[str, str]:
    """The glyph and the style of a status."""
    return _LOOKS.get(short(status), ("•", ""))


def badge(status: str) -> Text:
    """A status with its glyph."""
    glyph, style = look(status)
    return Text(f"{glyph} {harmless(short(status))}", style)


def harmless(text: Any) -> str:
    """Text from elsewhere without characters that would steer the terminal."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", str(text))


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """JSON that is safe to print."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def took(start: datetime | None, end: datetime | None) -> str:
    """The time between two moments; "" where it did not begin. `end` left out: until now."""
    if start is None:
        return ""
    seconds = max(0.0, ((end or datetime.now(UTC)) - start).total_seconds())
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def ago(moment: datetime | None) -> str:
    """How long ago something was."""
    if moment is None:
        return ""
    seconds = max(0, (datetime.now(UTC) - moment).total_seconds())
    for size, word in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds / size:.0f} {word} ago"
    return "now"


def clock(moment: datetime) -> str:
    """The local time of day, to the millisecond."""
    return moment.astimezone().strftime("%H:%M:%S.%f")[:-3]
