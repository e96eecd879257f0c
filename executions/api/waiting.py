"""Answers that wait. `Prefer: wait=N` (RFC 7240): a door that answers with the state that an execution has reached."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse

from contract.http import WAITS_LATER, Answer
from contract.json_values import JSON
from contract.schema import TEXT
from executions.awaiting import Lookout, ends
from executions.models import Execution
from executions.reading import execution_of
from tenants.door import Door
from tenants.idempotency import REPLAYED

logger = structlog.get_logger(__name__)

LONGEST_WAIT = 30
PREFER = {"Prefer": {**TEXT, "description": "`wait=N`: answer when it has ended, or N (1 to 30) seconds are over."}}
"""The header as the OpenAPI document has it."""

_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')


@dataclass(frozen=True, slots=True)
class Wait:
    """What a server that can do so waits for before it sends an answer (contract/http.py)."""

    lookout: Lookout
    watched: UUID
    seconds: float
    settle: Callable[[], HttpResponse]

    def watch(self, wake: Callable[[], object]) -> Callable[[], None]:
        """Have `wake` called once it has come; what is returned ends the watch."""
        return self.lookout.watch(self.watched, wake)


class WaitingDoor(Door):
    """A door whose mutation creates an execution. A wait begins when that is committed, for a replay too."""

    def made(self, body: JSON) -> str | None:
        """The id of the execution that an answer's body tells of; None where none was made."""
        raise NotImplementedError

    def reached(self, execution: Execution) -> Answer:
        """The same answer, with where the execution stands now."""
        raise NotImplementedError

    def after_commit(self, answer: Answer) -> Answer:
        """The answer, after the wait that the request prefers, or with that wait for the server."""
        seconds = preferred_wait(self.request.headers.get("Prefer", ""))
        made = None if seconds is None else self.made(answer.data)
        if seconds is None or made is None:
            return answer
        try:
            execution = execution_of(self.tenant, made)
        except (OperationalError, InterfaceError) as error:
            return _as_committed(answer, error)
        settle = partial(self._settled, answer, execution.id, seconds)
        if self.request.META.get(WAITS_LATER):
            answer.wait = Wait(ends, execution.id, seconds, settle)
            return answer
        ends.await_it(execution.id, seconds)
        return settle()

    def _settled(self, answer: Answer, execution_id: UUID, seconds: int) -> Answer:
        try:
            reached = self.reached(execution_of(self.tenant, str(execution_id)))
        except (OperationalError, InterfaceError) as error:
            return _as_committed(answer, error)
        reached["Preference-Applied"] = f"wait={seconds}"
        if REPLAYED in answer:
            reached[REPLAYED] = answer[REPLAYED]
        return reached


def preferred_wait(prefer: str) -> int | None:
    """The whole seconds, 1 to 30, of the first `wait` of a Prefer header; None for none, and for any other."""
    for preference in _PREFERENCE.findall(prefer):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            text = value.strip().strip('"')
            return int(text) if re.fullmatch("[0-9]{1,2}", text) and 1 <= int(text) <= LONGEST_WAIT else None
    return None


def _as_committed(answer: Answer, error: Exception) -> Answer:
    """What was committed is answered, even if nobody can say how it goes on."""
    logger.warning("wait_failed", error=str(error))
    return answer
