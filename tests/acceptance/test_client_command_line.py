"""`traceway` as somebody at a terminal, or a script, uses it against a real stack."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.stack.running import Stack
from tests.waiting import eventually

GREETING = {
    "name": "greeting",
    "input_schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    "steps": [
        {"name": "greet", "type": "transform", "config": {"output": "Hello, ${{ input.name }}!"}},
        {"name": "count", "type": "tool_call", "depends_on": ["greet"], "config": {"tool": "noop", "arguments": {}}},
    ],
}
HELD = {"name": "held", "steps": [{"name": "hold", "type": "wait", "config": {"signal": "go", "approval": {}}}]}
BREAK = {"tool": "fail", "arguments": {"message": "the card was declined", "times": 1}}
BREAKING = {"name": "breaking", "steps": [{"name": "charge", "type": "tool_call", "config": BREAK}]}

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture(scope="module")
def environment(stack: Stack) -> dict[str, str]:
    """The environment of somebody who has a key, and whose workflows are published."""
    stack.manage("create_tenant", "terminal")
    key = stack.manage("create_api_key", "--tenant", "terminal", "--name", "laptop")
    return {**os.environ, "TRACEWAY_URL": stack.address, "TRACEWAY_API_KEY": key}


@pytest.fixture(scope="module")
def traceway(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the command line; the exit status is 0 unless another is expected."""

    def run(*arguments: str, status: int = 0, stdin: str = "") -> Done:
        done = subprocess.run(
            command(*arguments), env=environment, input=stdin, capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    for definition in (GREETING, HELD, BREAKING):
        file = tmp_path_factory.mktemp("definitions") / "definition.json"
        file.write_text(json.dumps(definition))
        run("publish", str(file))
    return run


def command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("traceway")), *arguments]


def begun(traceway: Run, workflow: str) -> str:
    """The id of a new execution, from stdout alone."""
    return traceway("run", workflow, "-q").stdout.strip()


def parsed(done: Done) -> Any:
    return json.loads(done.stdout)


def status_of(traceway: Run, execution_id: str) -> str:
    status: str = parsed(traceway("show", execution_id, "--json"))["execution"]["status"]
    return status


def test_a_definition_is_published_and_again_as_the_next_version(traceway: Run, tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_text(json.dumps({**GREETING, "name": "again"}))
    assert "again 1.0.0 is live" in traceway("publish", str(file)).stdout
    assert parsed(traceway("publish", "-", "--json", stdin=file.read_text()))["version"] == "1.0.1"
    rows = [line.split("\t") for line in traceway("workflows").stdout.splitlines()]
    assert [row[:3] for row in rows if row[1] == "again"] == [["published", "again", "1.0.1"]]


def test_every_problem_of_a_definition_is_told_with_its_line(traceway: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text(
        '{\n "name": "bad",\n "steps": [\n  {"name": "a", "type": "nonsense"},\n  {"name": "b",\n "prize": 1}\n ]\n}'
    )
    refused = traceway("publish", str(file), status=5)
    assert refused.stdout == ""
    assert "nothing was stored" in refused.stderr
    assert f"{file}:4  /steps/0/type" in refused.stderr
    assert f"{file}:6  /steps/1/prize" in refused.stderr
    errors = parsed(traceway("publish", str(file), "--json", status=5))["errors"]
    assert {("/steps/0/type", 4), ("/steps/1/prize", 6)} <= {(one["field"], one["line"]) for one in errors}
    traceway("run", "bad", status=3)


def test_a_run_that_is_waited_for_gives_its_output_alone(traceway: Run) -> None:
    done = traceway("run", "greeting", "--input", '{"name": "World"}', "--wait")
    assert parsed(done) == {"count": {}}
    assert "succeeded" in done.stderr
    execution = parsed(traceway("run", "greeting", "--input", "-", "--wait", "--json", stdin='{"name": "x"}'))
    assert execution["status"] == "workflow_succeeded"


def test_a_run_that_fails_has_status_1_and_says_which_step(traceway: Run) -> None:
    failed = traceway("run", "breaking", "--wait", status=1)
    assert failed.stdout == ""
    assert "charge: the card was declined" in failed.stderr
    assert parsed(traceway("run", "breaking", "--wait", "--json", status=1))["status"] == "workflow_failed"


def test_an_input_that_does_not_fit_is_refused_with_its_pointer(traceway: Run) -> None:
    assert "/input/name: " in traceway("run", "greeting", "--input", "{}", status=5).stderr


def test_a_dry_run_shows_the_plan_and_starts_nothing(traceway: Run) -> None:
    before = traceway("list", "--workflow", "greeting", "-q").stdout
    plan = traceway("run", "greeting", "--input", '{"name": "x"}', "--dry-run").stdout
    assert [line.split("\t")[1] for line in plan.splitlines()] == ["greet", "count"]
    assert traceway("list", "--workflow", "greeting", "-q").stdout == before


def test_the_same_key_starts_nothing_new(traceway: Run) -> None:
    first, second = (traceway("run", "held", "--key", "k-1", "-q").stdout for _ in range(2))
    assert first == second


def test_watching_in_a_pipe_prints_a_line_for_each_event(traceway: Run) -> None:
    lines = traceway("run", "greeting", "--input", '{"name": "x"}', "--watch").stdout.splitlines()
    assert [line.split()[1] for line in lines[:3]] == ["execution.created", "execution.queued", "execution.started"]
    execution_id = traceway("list", "--workflow", "greeting", "-q", "-n", "1").stdout.strip()
    events = [json.loads(line) for line in traceway("watch", execution_id, "--json").stdout.splitlines()]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["eventType"] == "execution.succeeded"


def test_watching_on_a_terminal_draws_the_tree(traceway: Run, environment: dict[str, str]) -> None:
    execution_id = begun(traceway, "held")
    ours, theirs = pty.openpty()
    watching = subprocess.Popen(
        command("watch", execution_id),
        env={**environment, "TERM": "xterm", "COLUMNS": "90"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = read_until(ours, b"waits for the signal go")
    traceway("signal", execution_id, "go", "--payload", '{"n": 1}')
    shown += read_until(ours, b'"payload"')
    assert watching.wait(60) == 0
    os.close(ours)
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode("utf-8", "replace")).rpartition("held  ")[2]
    assert last.startswith("succeeded")
    assert "✓ hold" in last


def read_until(terminal: int, wanted: bytes) -> bytes:
    """What a terminal shows, up to something; fails where it ends before that."""
    shown = b""
    while wanted not in shown:
        shown += os.read(terminal, 65536)
    return shown


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """A shell has what it starts in the background ignore them, and what is started from there inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_the_watching_and_not_the_execution(traceway: Run, environment: dict[str, str]) -> None:
    execution_id = begun(traceway, "held")
    with heeding_interrupts():
        watching = subprocess.Popen(
            command("watch", execution_id), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    assert watching.stdout is not None
    assert "execution.created" in watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=30)
    assert (watching.returncode, "Traceback" in said) == (130, False)
    assert "it goes on" in said
    assert status_of(traceway, execution_id) in {"workflow_running", "workflow_waiting"}


def test_what_waits_is_told_why_approved_or_cancelled(traceway: Run) -> None:
    first, second = begun(traceway, "held"), begun(traceway, "held")
    eventually(lambda: status_of(traceway, first) == "workflow_waiting")
    assert "signal" in traceway("why", first, "hold").stdout
    traceway("approve", first, "hold", "-m", "seen")
    traceway("cancel", second, "--reason", "not needed")
    eventually(
        lambda: (
            (status_of(traceway, first), status_of(traceway, second)) == ("workflow_succeeded", "workflow_cancelled")
        )
    )
    assert "already_ended" in traceway("cancel", second, status=5).stderr
    traceway("watch", second, status=1)


def test_waiting_no_longer_than_is_wanted_has_a_status_of_its_own(traceway: Run) -> None:
    assert "goes on" in traceway("run", "held", "--wait", "--timeout", "1", status=7).stderr


def test_what_failed_is_redriven_after_a_preview(traceway: Run) -> None:
    execution_id = begun(traceway, "breaking")
    traceway("watch", execution_id, status=1)
    assert "begins anew: charge" in traceway("redrive", execution_id, "--preview").stdout
    assert status_of(traceway, execution_id) == "workflow_failed"
    assert traceway("redrive", execution_id, "--watch").stdout.rstrip().endswith("}")
    assert status_of(traceway, execution_id) == "workflow_succeeded"
    assert "not_redrivable" in traceway("redrive", execution_id, status=5).stderr


def test_logs_tell_what_happened_and_follow_to_the_end(traceway: Run, environment: dict[str, str]) -> None:
    execution_id = begun(traceway, "held")
    with subprocess.Popen(
        command("logs", execution_id, "--follow", "--json"), env=environment, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout is not None
        heard = [json.loads(following.stdout.readline())]
        traceway("signal", execution_id, "go")
        heard += [json.loads(line) for line in following.stdout]
    assert following.returncode == 0
    assert [event["sequence"] for event in heard] == list(range(1, len(heard) + 1))
    lines = traceway("logs", execution_id).stdout.splitlines()
    assert [line.split()[1] for line in lines] == [event["eventType"] for event in heard]


def test_a_list_is_filtered_and_the_same_in_every_form(traceway: Run) -> None:
    execution_id = begun(traceway, "breaking")
    traceway("watch", execution_id, status=1)
    arguments = ("list", "--status", "failed", "--workflow", "breaking", "-n", "5")
    ids = traceway(*arguments, "-q").stdout.split()
    assert execution_id in ids
    assert [one["id"] for one in parsed(traceway(*arguments, "--json"))] == ids
    rows = [line.split("\t") for line in traceway(*arguments).stdout.splitlines()]
    assert [(row[0], row[1], row[2]) for row in rows] == [("failed", one, "breaking") for one in ids]


def test_exit_statuses_say_what_is_missing(traceway: Run, environment: dict[str, str]) -> None:
    traceway("show", "01a2034c-9949-77dc-ab16-1a0ece9a725b", status=3)
    traceway("run", "no-such-workflow", status=3)
    wrong = {**environment, "TRACEWAY_API_KEY": "tw_live_wrong"}
    denied = subprocess.run(command("me"), env=wrong, capture_output=True, text=True, check=False)
    assert (denied.returncode, "unauthenticated" in denied.stderr) == (4, True)
    assert "laptop" in traceway("me").stdout
