"""The shell of the engine: take what is due, carry out what was claimed, record what came of it, and go on.

Every decision is made in advance.py; what happens to a transaction whose answer is lost is decided here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol
from uuid import UUID

import psycopg
import structlog

from contract.away import Away, at_hand
from executions.change import Change, Loaded, RunningAttempt
from executions.neighbourhood import ahead, reach
from executions.retry import Failure
from executions.states import Status
from executions.store import Session, Store, Superseded
from orchestrator.advance import Advance
from orchestrator.crowding import AVOID_SECONDS, NOWHERE, SHORT_SECONDS, Crowding, Mark
from orchestrator.held import Held
from orchestrator.look import AHEAD, NEIGHBOURHOOD, Look
from orchestrator.outcomes import Claim, Failed, Handed, Limits, NotBegun, Outcome, Succeeded
from orchestrator.undecided import Delayed, Runnables, Undecided, Unloaded, Wanting
from workflows.spec import Runnable, WaitProgram

log = structlog.get_logger(__name__)

OVERDUE_SECONDS = 5.0
"""Whoever takes something older than this first pushes it back, so that what kills or raises cannot block the head."""


class Announce(Protocol):
    """Tell other workers that something is due."""

    def __call__(self, after_seconds: float = 0.0) -> None:
        """Returns at once. What is to be told later is told once, so long after it was asked for last."""


CarryOut = Callable[[Claim], Succeeded | Failed | Handed]


@dataclass(slots=True)
class Engine:
    """One worker process's engine: one thread, one claim at a time."""

    store: Store
    runnables: Runnables
    carry_out: CarryOut
    announce: Announce
    limits: Limits
    held: Held = field(default_factory=Held)
    _uncertain: bool = False
    taken: int = 0
    """How many executions it found due so far."""
    crowding: Crowding = field(default_factory=Crowding)
    _known: Loaded | None = None
    _mark: Mark = NOWHERE
    _idle: bool = False

    def drain(self, seconds: float) -> int:
        """Carry out what is due until nothing is, or `seconds` are over; the number of attempts carried out."""
        if self._uncertain:
            self._reconcile(None)
        until = time.monotonic() + seconds
        carried, self._idle = 0, False
        while not self._idle and (claim := self._take(until)) is not None:
            while claim is not None:
                carried += 1
                claim = self._record(claim, self._carried_out(claim), until)
        if time.monotonic() >= until:
            self.announce()
        elif not carried and self.crowding.avoided(time.monotonic()):
            # It may have been called for what it keeps away from, and nobody else was.
            self.announce(AVOID_SECONDS)
        return carried

    def _carried_out(self, claim: Claim) -> Outcome:
        began = time.monotonic()
        result = self.carry_out(claim)
        self.crowding.last_seconds = time.monotonic() - began
        return Outcome(claim.execution_id, claim.step.index, claim.number, result)

    def _take(self, until: float) -> Claim | None:
        """Advance executions that are due until one gives something to carry out."""
        while time.monotonic() < until:
            try:
                found = self._take_once()
            except psycopg.Error:
                # What was perhaps claimed is not in hand: listed no more, it is recovered whatever this process does.
                self.held.keep(None)
                self._uncertain = True
                raise
            except Superseded:
                continue
            except Undecided as undecided:
                self._set_aside(undecided)
                continue
            if found is None:
                return None
            self.taken += 1
            if self._left(found) is not None:
                return found.claim
        return None

    def _take_once(self) -> _Found | None:
        """Advance the execution that has been due longest; None when nothing is due."""
        found = at_hand(self._take_in_time)
        if not isinstance(found, UUID):
            return found
        self.store.push_back(found, "it could not be advanced")
        return at_hand(lambda: self._take_again(found))

    def _take_in_time(self) -> _Found | UUID | None:
        """As _take_once; of one that is overdue, its id alone."""
        with self.store.session() as session:
            loaded = session.take(self.crowding.avoided(time.monotonic()))
            if loaded is None:
                return None
            return loaded.row.id if _overdue(loaded) else self._advance_taken(session, loaded)

    def _take_again(self, execution_id: UUID) -> _Found:
        with self.store.session() as session:
            loaded = session.lock(execution_id, ())
            if loaded is None or loaded.row.standing.due_at is None:
                return _NOTHING
            return self._advance_taken(session, loaded)

    def _advance_taken(self, session: Session, loaded: Loaded) -> _Found:
        found = self._decide(session, loaded, None, may_claim=True)
        self._commit(session, found.claim)
        return found

    def _record(self, claim: Claim, outcome: Outcome, until: float) -> Claim | None:
        """Record an outcome until it is known to be recorded; what was claimed in the same transaction."""
        try:
            return self._record_surely(claim, outcome, until)
        except BaseException:
            self._uncertain = True
            raise
        finally:
            # A lease that went on listing it would keep everybody else from recovering it.
            self.held.drop(claim.fence)

    def _record_surely(self, claim: Claim, outcome: Outcome, until: float) -> Claim | None:
        pause = 0.05
        while True:
            try:
                return at_hand(partial(self._record_once, claim, outcome, until))
            except (psycopg.OperationalError, psycopg.InterfaceError, Superseded, Delayed):
                log.warning("record_uncertain", execution_id=str(claim.execution_id), step=claim.step.name)
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
                if not self._reconcile(claim):
                    return None
            except Exception as error:
                if _is_unrecordable(outcome):
                    self._set_aside(Undecided(claim.execution_id, error))
                    return None
                log.exception("record_failed", execution_id=str(claim.execution_id), step=claim.step.name)
                outcome = _unrecordable(outcome, error)

    def _record_once(self, claim: Claim, outcome: Outcome, until: float) -> Claim | None:
        more = time.monotonic() < until
        found = self._record_known(claim, outcome, more) or self._record_locked(claim, outcome, more)
        self._idle = found.idle
        if found.aside is not None:
            self._set_aside(found.aside)
        return self._left(found)

    def _left(self, found: _Found) -> Claim | None:
        """Keep in mind how it was left, and tell others what is left for them."""
        self._known, self._mark = found.left, found.mark
        if found.told_after is not None:
            self.announce(found.told_after)
        return found.claim

    def _record_known(self, claim: Claim, outcome: Outcome, more: bool) -> _Found | None:
        """Going on with what this process knows of the execution; None where that does not do."""
        known = self._known
        if known is None or known.row.id != claim.execution_id:
            return None
        try:
            with self.store.session() as session:
                loaded = session.go_on(known)
                return None if loaded is None else self._record_in(session, loaded, claim, outcome, more)
        except (Superseded, Undecided):
            # What was read without the lock need not fit what was known, if somebody wrote meanwhile.
            self.held.keep(claim.fence)
            return None

    def _record_locked(self, claim: Claim, outcome: Outcome, more: bool) -> _Found:
        """What comes after is loaded with it for a process that was alone with the execution, and so may go on soon."""
        spec, index = claim.runnable.spec, claim.step.index
        around = reach(spec, index, NEIGHBOURHOOD) if self._known is None else ahead(spec, index, AHEAD)
        with self.store.session() as session:
            loaded = session.lock(claim.execution_id, around)
            return _NOTHING if loaded is None else self._record_in(session, loaded, claim, outcome, more)

    def _record_in(self, session: Session, loaded: Loaded, claim: Claim, outcome: Outcome, more: bool) -> _Found:
        found_as = Mark(loaded.row.seq, loaded.row.standing.counters.running)
        leaves = more and self.crowding.is_crowded(found_as, self._mark)
        found = self._decide(session, loaded, outcome, may_claim=more and not leaves, runnable=claim.runnable)
        if leaves:
            self.crowding.avoid(claim.execution_id, time.monotonic())
            found = replace(found, told_after=None)
        elif found.claim is not None and found.told_after is not None and self.crowding.is_short:
            found = replace(found, told_after=SHORT_SECONDS)
        if found.claim is None and more:
            found = self._with_another(session, found)
        self._commit(session, found.claim)
        return found

    def _with_another(self, session: Session, found: _Found) -> _Found:
        try:
            return self._take_along(session, found.told_after is not None)
        except Wanting:
            return _MORE
        except Undecided as undecided:
            return replace(found, aside=undecided)

    def _take_along(self, session: Session, more_due: bool) -> _Found:
        """Another execution in the same transaction, if one is due that needs no special care."""
        loaded = session.take(self.crowding.avoided(time.monotonic()))
        if loaded is None:
            return _MORE if more_due else _Found(None, idle=True)
        if _overdue(loaded) or _in_line(loaded):
            return _MORE
        found = self._decide(session, loaded, None, may_claim=True)
        return replace(found, told_after=0.0) if more_due else found

    def _decide(
        self,
        session: Session,
        loaded: Loaded,
        outcome: Outcome | None,
        *,
        may_claim: bool,
        runnable: Runnable | None = None,
    ) -> _Found:
        """What is decided, and staged. Raises Wanting, Undecided: then nothing is."""
        try:
            look = Look(session, loaded, runnable or self._runnable(session, loaded), self.limits)
            decided = Advance(look).decide(outcome, may_claim=may_claim)
            session.stage(decided.change, _searched(decided.change, look.runnable))
        except psycopg.Error:
            raise
        except Away as away:
            raise Wanting(loaded.row.id, away) from away
        except Exception as error:
            raise Undecided(loaded.row.id, error) from error
        told_after = 0.0 if decided.more_due else None
        change = decided.change
        mark = Mark(change.before.seq + 1, change.standing.counters.running)
        return _Found(decided.claim, told_after, look.left(change), mark)

    def _runnable(self, session: Session, loaded: Loaded) -> Runnable:
        version_id, parameters = loaded.row.version_id, session.text(loaded.row.id, loaded.row.asked.parameters)
        runnable = self.runnables.kept(version_id, parameters)
        if runnable is None:
            raise Unloaded(self.runnables, version_id, parameters)
        return runnable

    def _commit(self, session: Session, claim: Claim | None) -> None:
        """The lease must list a claim before anyone can see it."""
        if claim is not None:
            self.held.add(claim.fence)
        session.commit()

    def _set_aside(self, undecided: Undecided) -> None:
        log.error("advance_failed", execution_id=str(undecided.execution_id), exc_info=undecided.error)
        self.store.push_back(undecided.execution_id, str(undecided))

    def _reconcile(self, claim: Claim | None) -> bool:
        """After an uncertain commit: hand back what was claimed unseen; whether `claim` is still to be recorded."""
        self.held.keep(claim.fence if claim is not None else None)
        try:
            mine = self.store.held()
            for attempt in mine:
                if claim is None or not _same(attempt, claim):
                    self._hand_back(attempt)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            self._uncertain = True
            return claim is not None
        self._uncertain = False
        return claim is not None and any(_same(attempt, claim) for attempt in mine)

    def _hand_back(self, attempt: RunningAttempt) -> None:
        outcome = Outcome(attempt.execution_id, attempt.index, attempt.number, NotBegun())
        at_hand(partial(self._record_alone, outcome))
        self.announce()

    def _record_alone(self, outcome: Outcome) -> None:
        with self.store.session() as session:
            loaded = session.lock(outcome.execution_id, (outcome.index,))
            if loaded is not None:
                self._decide(session, loaded, outcome, may_claim=False)
                session.commit()


@dataclass(frozen=True, slots=True)
class _Found:
    """What was claimed, and how that leaves its execution: its mark and, as far as known, the rest.

    `told_after`: in how many seconds others are told that something is due, None if nothing is. `aside` could not be
    decided on. `idle`: nothing else was due.
    """

    claim: Claim | None
    told_after: float | None = None
    left: Loaded | None = None
    mark: Mark = NOWHERE
    aside: Undecided | None = None
    idle: bool = False


_NOTHING = _Found(None)
_MORE = _Found(None, told_after=0.0)


def _overdue(loaded: Loaded) -> bool:
    due_at = loaded.row.standing.due_at
    return due_at is not None and (loaded.now - due_at).total_seconds() > OVERDUE_SECONDS


def _searched(change: Change, runnable: Runnable) -> list[int]:
    begun = (row.index for row in change.attempts)
    return [index for index in begun if isinstance(runnable.spec.written(index).program, WaitProgram)]


def _in_line(loaded: Loaded) -> bool:
    """Whether it may start only in its turn: that is found out under a lock which nothing else may wait behind."""
    return loaded.row.concurrency_key is not None and loaded.row.standing.status is Status.QUEUED


def _same(attempt: RunningAttempt, claim: Claim) -> bool:
    return (attempt.execution_id, attempt.index, attempt.number) == (
        claim.execution_id,
        claim.step.index,
        claim.number,
    )


def _is_unrecordable(outcome: Outcome) -> bool:
    return isinstance(outcome.result, Failed) and outcome.result.failure.kind == "unrecordable"


def _unrecordable(outcome: Outcome, error: Exception) -> Outcome:
    """What is recorded instead of an outcome that could not be: the same attempt, failed, with a readable error."""
    message = f"the outcome could not be recorded: {type(error).__name__}"
    return replace(outcome, result=Failed(Failure("unrecordable", message, retryable=False)))
