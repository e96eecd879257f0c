"""Following an execution on the terminal: a live tree where there is one, a line for each event where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from traceway.cli import exits, words
from traceway.cli.command import Session
from traceway.cli.tree import Picture, event_line
from traceway.drivers import Direct
from traceway.models import Event
from traceway.resources.executions import Execution

REFRESH_A_SECOND = 8


def watch(session: Session, execution: Execution[Direct], title: str) -> int:
    """Show the execution until it has ended; the exit status says how."""
    try:
        ended = _live(session, execution, title) if session.output.for_people else _line_by_line(session, execution)
    except KeyboardInterrupt:
        session.output.say(f"nobody watches any more, it goes on: traceway watch {execution.id}")
        raise
    return conclude(session, ended)


def tell(session: Session, event: Event) -> None:
    """One event, as the output wants it."""
    output = session.output
    if output.json:
        output.line(words.as_json(event.raw, indent=None))
    elif output.quiet:
        return
    elif output.console.is_terminal:
        output.console.print(event_line(event), soft_wrap=True)
    else:
        output.line(event_line(event).plain.rstrip())


def conclude(session: Session, execution: Execution[Direct]) -> int:
    """What came of an execution that is over, beside what was shown already."""
    output = session.output
    if output.quiet:
        output.line(execution.id)
    elif not output.json and execution.succeeded:
        output.line(words.as_json(execution.response_payload))
    return exits.OK if execution.succeeded else exits.FAILED


def outcome(session: Session, execution: Execution[Direct]) -> int:
    """What came of an execution that nobody watched; the exit status says how."""
    output = session.output
    if output.json:
        output.line(words.as_json(execution.raw))
    else:
        line = words.badge(execution.status).append(
            f"  {words.took(execution.started_at, execution.finished_at)}", "dim"
        )
        output.say(line if execution.succeeded else Text.assemble(line, f"  {words.harmless(execution.status_reason)}"))
    if not execution.succeeded:
        for step in execution.steps():
            if step.status == "failed" and step.error:
                output.say(Text(f"  {words.harmless(step.name)}: {words.harmless(step.error.get('message'))}", "red"))
    return conclude(session, execution)


def pictured(execution: Execution[Direct], title: str) -> Picture:
    """The execution as it stands now."""
    picture = Picture(execution.id, title)
    picture.define(takewhile(lambda step: step.parent is None, execution.steps()))
    for event in execution.events():
        picture.apply(event)
    return picture


def _live(session: Session, execution: Execution[Direct], title: str) -> Execution[Direct]:
    picture, console = pictured(execution, title), session.output.console

    def draw() -> RenderableType:
        return picture.draw(max(5, console.height - 8))

    with Live(get_renderable=draw, console=console, refresh_per_second=REFRESH_A_SECOND, vertical_overflow="crop"):
        for event in _further(execution, picture):
            picture.apply(event)
    return execution.refresh()


def _line_by_line(session: Session, execution: Execution[Direct]) -> Execution[Direct]:
    for event in execution.stream():
        tell(session, event)
    return execution.refresh()


def _further(execution: Execution[Direct], picture: Picture) -> Iterator[Event]:
    if not execution.refresh().is_over:
        yield from execution.stream(after=picture.sequence)
