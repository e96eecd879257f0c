"""The command line, with no service behind it: places in files, the picture of an execution, profiles, exits."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.unit.client.answers import ID, event, execution, shown, wrapped
from tests.unit.client.wire import Asked, Say, wired
from traceway import Traceway, errors
from traceway.cli import exits, main, profiles, words
from traceway.cli.positions import NotJson, parse
from traceway.cli.tree import Picture
from traceway.configuration import Access
from traceway.models import Event, Step
from traceway.surface import Resource, call, many

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
ME = wrapped(
    {"tenant": {"id": "t", "slug": "acme", "name": "Acme"}, "credential": {"type": "api_key", "name": "laptop"}}
)


DOCS = Path(__file__).resolve().parents[3] / "docs" / "client.md"
PLAIN = {"activate", "confirm", "refund", "revoke", "rotate", "suspend"}
"""Methods that are named like their routes, and nothing more is to be said of them."""


def traceway(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, in an environment that knows no address and no key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACEWAY_")}
    return subprocess.run(
        [sys.executable, "-m", "traceway.cli.main", *arguments],
        input=stdin,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def pointers(value: Any, at: str = "") -> list[str]:
    if isinstance(value, dict):
        inner = [(str(name).replace("~", "~0").replace("/", "~1"), one) for name, one in value.items()]
    else:
        inner = [(str(index), one) for index, one in enumerate(value)] if isinstance(value, list) else []
    return [at, *(found for name, one in inner for found in pointers(one, f"{at}/{name}"))]


@given(VALUES, st.sampled_from([None, 2]))
def test_every_value_of_a_file_has_a_place(value: Any, indent: int | None) -> None:
    document = parse(json.dumps(value, indent=indent))
    assert document.value == value
    assert list(document.lines) == pointers(value)
    assert indent is not None or set(document.lines.values()) == {1}


def test_a_place_is_the_line_that_the_value_stands_on_or_would() -> None:
    document = parse('{\n  "steps": [\n    {"name": "a"},\n    {\n      "n/m": "b"\n    }\n  ]\n}')
    places = {
        "": 1,
        "/steps": 2,
        "/steps/0/name": 3,
        "/steps/1": 4,
        "/steps/1/n~1m": 5,
        "/steps/1/gone/deep": 4,
        "/x": 1,
    }
    assert {pointer: document.line(pointer) for pointer in places} == places


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "a": 1,\n  "a": 2}', "line 3: /a stands there twice, first on line 2"),
        ('{\n "a": }', "line 2, column 7"),
        ("NaN", "NaN is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("", "line 1, column 1"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(NotJson, match=said):
        parse(text)


def step(name: str, kind: str = "tool_call", after: tuple[str, ...] = ()) -> Step:
    return Step.of({"id": name, "name": name, "type": kind, "status": "pending", "dependsOn": list(after)})


def happened(sequence: int, kind: str, node: str | None = None, **told: Any) -> Event:
    message = told.pop("message", None)
    return Event.of(event(sequence, kind, nodeId=node, data=told, message=message))


def drawn(picture: Picture, rows: int = 40) -> list[str]:
    console = Console(width=100, color_system=None)
    with console.capture() as text:
        console.print(picture.draw(rows))
    return [line.rstrip() for line in text.get().splitlines()]


def picture_of(*events: Event) -> Picture:
    picture = Picture("the-id", "orders")
    picture.define([step("check"), step("pack", "map", ("check",)), step("sign", "wait", ("pack", "check"))])
    for one in events:
        picture.apply(one)
    return picture


def test_a_picture_shows_each_step_as_it_stands_with_its_parts() -> None:
    picture = picture_of(
        happened(1, "execution.created"),
        happened(2, "execution.queued"),
        happened(3, "execution.started"),
        happened(4, "step.started", "check", attempt=1),
        happened(5, "step.retrying", "check", attempt=1, message="the card was declined"),
        happened(6, "step.started", "check", attempt=2),
        happened(7, "step.succeeded", "check", attempt=2),
        happened(8, "step.started", "pack", attempt=1),
        happened(9, "step.waiting", "pack", attempt=1, parts=3),
        happened(10, "step.started", "pack[0]", attempt=1),
        happened(11, "step.failed", "pack[0]", attempt=1, message="no \x1b[31mbox"),
        happened(12, "step.started", "pack[1]", attempt=1),
        happened(13, "step.succeeded", "pack[1]", attempt=1),
        happened(14, "execution.failed", reason="too few boxes"),
    )
    assert drawn(picture) == [
        "✗ orders  failed  12.0 s  too few boxes",
        "the-id",
        "├── ✓ check  tool_call  3.0 s  attempt 2",
        *[line for line in drawn(picture) if "pack  map" in line],
        "│   ├── ✗ pack[0]  1.0 s",
        "│   │   no \\x1b[31mbox",
        "│   └── 2 of 3 parts ended, 1 failed",
        "└── · sign  wait  after pack, check",
    ]
    assert picture.sequence == 14


def test_a_picture_says_what_a_wait_is_for() -> None:
    waits = happened(2, "step.waiting", "sign", signal="paid", until="2026-11-23T00:00:00.000Z")
    assert "    waits for the signal paid or until 2026-11-23T00:00:00.000Z" in drawn(picture_of(waits))
    assert "    waits for an approval" in drawn(
        picture_of(happened(2, "step.waiting", "sign", signal=None, until=None))
    )


def test_a_step_that_was_reset_begins_anew() -> None:
    picture = picture_of(
        happened(1, "step.started", "check", attempt=1),
        happened(2, "step.failed", "check", attempt=1, message="broken"),
        happened(3, "execution.failed", reason="broken"),
        happened(4, "execution.redriven"),
        happened(5, "step.reset", "check"),
    )
    assert drawn(picture)[0].startswith("· orders  queued")
    assert drawn(picture)[2] == "├── · check  tool_call"


def test_of_many_steps_those_are_drawn_that_matter() -> None:
    picture = Picture("the-id", "wide")
    picture.define([step(f"s{number}") for number in range(100)])
    picture.apply(happened(1, "step.succeeded", "s0"))
    picture.apply(happened(2, "step.failed", "s1", message="broken"))
    assert [line for line in drawn(picture, rows=20) if "s" in line] == [
        "└── ✗ s1  tool_call",
        "and 1 succeeded, 98 pending",
    ]


def test_a_pause_shows_until_it_is_over() -> None:
    picture = picture_of(happened(1, "execution.started"), happened(2, "execution.paused"))
    assert "paused" in drawn(picture)[0]
    picture.apply(happened(3, "execution.resumed"))
    assert "running" in drawn(picture)[0]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0123, "12 ms"), (0.9999, "1.0 s"), (59.94, "59.9 s"), (61, "1 min 01 s"), (7260, "2 h 01 min")],
)
def test_durations_are_said_as_short_as_they_may(seconds: float, said: str) -> None:
    start = Event.of(event(1)).created_at
    assert words.took(start, start.fromtimestamp(start.timestamp() + seconds, start.tzinfo)) == said


def test_text_of_others_does_not_steer_the_terminal() -> None:
    assert words.harmless("a\x1b[2J\x9b\x07b\n") == "a\\x1b[2J\\x9b\\x07b\n"
    assert json.loads(words.as_json({"a": "\x9b\u2028ü"})) == {"a": "\x9b\u2028ü"}
    assert "\x9b" not in words.as_json("\x9b")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFound("m", status=404), 3),
        (errors.Unauthenticated("m", status=401), 4),
        (errors.Forbidden("m", status=403), 4),
        (errors.NotConfigured("m"), 4),
        (errors.InvalidRequest("m", status=400), 5),
        (errors.Conflict("m", status=409), 5),
        (errors.PaymentRequired("m", status=402), 5),
        (errors.RateLimited("m", status=429), 6),
        (errors.ServerError("m", status=500), 6),
        (errors.Unreachable("m"), 6),
        (errors.UnexpectedAnswer("m"), 6),
        (errors.WaitTimeout("m"), 7),
    ],
)
def test_every_error_has_its_exit_status(error: errors.TracewayError, status: int) -> None:
    assert exits.status_of(error) == status


def test_a_profile_is_kept_where_only_its_owner_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("TRACEWAY_URL", "TRACEWAY_API_KEY", "TRACEWAY_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    odd = 'a "b" \\ ü'
    where = profiles.Profiles(odd, {odd: Access("http://x", "k1"), "other": Access("http://y", "k2")}).write()
    assert where.stat().st_mode & 0o777 == 0o600
    assert where.parent.stat().st_mode & 0o077 == 0
    assert profiles.chosen(None) == Access("http://x", "k1")
    assert profiles.chosen("other") == Access("http://y", "k2")
    with pytest.raises(errors.NotConfigured, match="no profile third"):
        profiles.chosen("third")
    monkeypatch.setenv("TRACEWAY_API_KEY", "k3")
    with pytest.raises(errors.NotConfigured, match="TRACEWAY_URL"):
        profiles.chosen(None)
    monkeypatch.setenv("TRACEWAY_URL", "http://z")
    assert profiles.chosen(None) == Access("http://z", "k3")
    assert profiles.chosen("other") == Access("http://y", "k2")


def test_a_login_is_tried_remembered_and_never_shown(tmp_path: Path) -> None:
    with wired(lambda *_: Say(200, ME)) as wire:
        done = traceway("login", "--url", wire.url, stdin="tw_live_secret\n", XDG_CONFIG_HOME=str(tmp_path))
        assert done.returncode == 0, done.stderr
        after = traceway("me", XDG_CONFIG_HOME=str(tmp_path))
    assert "acme" in done.stdout
    assert "laptop" in after.stdout
    assert "secret" not in done.stdout + done.stderr + after.stdout + after.stderr
    assert [asked.headers["authorization"] for asked in wire.asked] == ["Bearer tw_live_secret"] * 2


def test_a_login_that_does_not_work_is_not_remembered(tmp_path: Path) -> None:
    with wired([Say(401, {"message": "a valid API key is required"})]) as wire:
        done = traceway("login", "--url", wire.url, stdin="wrong\n", XDG_CONFIG_HOME=str(tmp_path))
    assert done.returncode == 4
    assert not list(tmp_path.rglob("*.toml"))


def test_without_an_address_and_a_key_it_says_how_to_give_them(tmp_path: Path) -> None:
    done = traceway("list", "--json", XDG_CONFIG_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (4, "")
    assert "traceway login" in json.loads(done.stderr)["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run"],
        ["run", "w", "--wait", "--watch"],
        ["run", "w", "--param", "novalue"],
        ["run", "w", "--input", "[1]"],
        ["run", "w", "--input", "{,"],
        ["list", "--status", "nonsense"],
        ["publish", "no-such-file.json"],
    ],
)
def test_a_call_that_is_wrong_is_told_before_anything_is_sent(arguments: list[str]) -> None:
    with wired([]) as wire:
        done = traceway(*arguments, TRACEWAY_URL=wire.url, TRACEWAY_API_KEY="k")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert wire.asked == []


def test_parameters_are_json_where_they_are_any() -> None:
    def answer(asked: Asked, _: int) -> Say:
        assert asked.json["parameters"] == {"a": 1, "b": {"c": "d"}, "e": "plain", "f": ""}
        return Say(200, {"execution_id": ID, "workflow_id": "w", "status": "running", "run_id": "r"})

    parameters = [word for pair in ("a=1", 'b={"c": "d"}', "e=plain", "f=") for word in ("--param", pair)]
    with wired(answer) as wire:
        done = traceway("run", ID, *parameters, "-q", TRACEWAY_URL=wire.url, TRACEWAY_API_KEY="k")
    assert (done.returncode, done.stdout) == (0, f"{ID}\n")


def test_an_error_is_told_with_its_reason_and_the_request() -> None:
    body = {"code": 409, "message": "it has ended", "details": [{"field": "", "code": "already_ended", "message": "m"}]}
    refused = Say(409, body, headers={"X-Request-ID": "r-17"})
    with wired(lambda *_: refused) as wire:
        said = traceway("cancel", ID, TRACEWAY_URL=wire.url, TRACEWAY_API_KEY="k")
        parsed = traceway("cancel", ID, "--json", TRACEWAY_URL=wire.url, TRACEWAY_API_KEY="k")
    assert (said.returncode, said.stdout) == (5, "")
    assert said.stderr == "error: it has ended\n  reason already_ended, request r-17\n"
    error = json.loads(parsed.stderr)["error"]
    assert (error["status"], error["reason"], error["requestId"]) == (409, "already_ended", "r-17")


def test_every_command_and_every_exit_status_stands_in_the_docs() -> None:
    page = DOCS.read_text().partition("## On the command line")[2]
    told = set(re.findall(r"[`, ]([a-z]+)", page.partition("| exit status")[0]))
    assert set(main.traceway.commands) <= told
    statuses = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert {int(found) for found in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == statuses


def test_every_part_and_method_of_the_client_stands_in_the_docs() -> None:
    page = DOCS.read_text().partition("## On the command line")[0]
    with Traceway("http://127.0.0.1:1", "k") as client:
        parts = {name: part for name, part in vars(client).items() if isinstance(part, Resource)}
    methods = {
        method for part in parts.values() for method, how in vars(type(part)).items() if isinstance(how, call | many)
    }
    told = set(re.findall(r"[a-z_]+", page))
    assert (methods | parts.keys()) - told == PLAIN


def test_a_reader_that_has_gone_is_no_error() -> None:
    items = [execution(id=str(number)) for number in range(2000)]
    listing = Say(200, wrapped({"items": items, "nextCursor": None}))
    command = f"{sys.executable} -m traceway.cli.main list -n 2000 | head -1"
    with wired(lambda *_: listing) as wire:
        environment = {**os.environ, "TRACEWAY_URL": wire.url, "TRACEWAY_API_KEY": "k"}
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], env=environment, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_an_execution_that_failed_is_told_by_the_exit_status() -> None:
    steps = Say(200, wrapped({"items": [], "nextCursor": None}))
    run = Say(200, {"execution_id": ID, "workflow_id": "w", "status": "failed", "run_id": "r"})

    def answer(asked: Asked, _: int) -> Say:
        if asked.method == "POST":
            assert asked.headers["prefer"] == "wait=10"
            return run
        return steps if asked.path.endswith("limit=100") else shown("workflow_failed")

    with wired(answer) as wire:
        done = traceway("run", ID, "--wait", "--json", TRACEWAY_URL=wire.url, TRACEWAY_API_KEY="k")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "workflow_failed"
