"""`python -m examples.credit.demo`: the whole product on a fresh machine, at its main job, on real data.

Starts the stack and the two services, does the job over HTTP, shows what came of it, and stays up until Ctrl-C.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from config.stack.child import StackError
from config.stack.running import Stack
from examples.credit.bureau import bureau
from examples.credit.data import Case, cases
from examples.credit.loopback import serving
from examples.credit.receiver import Receiver, Tally
from examples.credit.report import Terminal
from examples.credit.scenario import Result, Scenario, Stalled
from examples.credit.workflow import definition, new_secret
from traceway import Retry, Traceway, TracewayError

INTERRUPTED = 130
PATIENCE_SECONDS = 120.0
"""How long one request is sent again while nobody answers it."""


def main() -> int:
    """The exit status: 0 only if every execution succeeded and every webhook arrived with a good signature."""
    signal.signal(signal.SIGTERM, _interrupt)
    terminal = Terminal()
    try:
        return _demo(terminal)
    except (StackError, Stalled, TracewayError, subprocess.CalledProcessError) as error:
        terminal.say(f"the demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        terminal.say("interrupted")
        return INTERRUPTED


def _demo(terminal: Terminal) -> int:
    secret = new_secret()
    people = cases()
    receiver = Receiver(secret)
    with serving(bureau(people)) as bureau_address, serving(receiver) as receiver_address:
        allowed = ",".join(address.removeprefix("http://") for address in (bureau_address, receiver_address))
        terminal.say(f"credit bureau on {bureau_address}, webhook receiver on {receiver_address}")
        with _running(Stack({"EGRESS_ALLOWED_HOSTS": allowed, "PAYMENTS_SANDBOX": "1"})) as stack:
            terminal.say(f"Traceway on {stack.address}")
            run = secrets.token_hex(4)
            key = _tenant_with_key(stack, f"demo-{run}")
            with Traceway(stack.address, key, retry=Retry(seconds=PATIENCE_SECONDS)) as client:
                scenario = Scenario(client, terminal, people, run)
                result = scenario.carry_out(definition(bureau_address, receiver_address, secret))
            status = _verdict(terminal, people, result, receiver.tally())
            if os.environ.get("DEMO_EXIT") != "1":
                _stay(terminal, stack.address, key, result)
            return status


@contextmanager
def _running(stack: Stack) -> Iterator[Stack]:
    """As `with stack`, but an interrupted start is ended in order too."""
    try:
        yield stack.start()
    finally:
        stack.stop()


def _tenant_with_key(stack: Stack, slug: str) -> str:
    stack.manage("create_tenant", slug, "--name", "The demo's bank")
    return stack.manage("create_api_key", "--tenant", slug, "--name", "demo")


def _verdict(terminal: Terminal, people: list[Case], result: Result, tally: Tally) -> int:
    terminal.outcomes(result.outcomes)
    terminal.statuses(result.statuses)
    terminal.complaints(result.complaints)
    terminal.speed(len(people), result.seconds, tally)
    terminal.steps(result.shown, result.steps)
    if result.went_well() and (tally.verified, tally.rejected) == (len(people), 0):
        return 0
    terminal.say("NOT everything went well, see above")
    return 1


def _stay(terminal: Terminal, address: str, key: str, result: Result) -> None:
    terminal.say("")
    terminal.say(f"Traceway stays up on {address} until Ctrl-C. To look at it:")
    terminal.say(f"  export TRACEWAY_URL={address} TRACEWAY_API_KEY={key}")
    terminal.say(f"  .venv/bin/traceway show {result.shown}")
    terminal.say(f"  {address}/admin/ (an account: .venv/bin/python manage.py createsuperuser)")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        terminal.say("ending")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
