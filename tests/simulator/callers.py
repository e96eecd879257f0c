"""What callers and operators do to executions, each a transaction of its own as in executions/commands."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from contract import json_values
from contract.json_values import JSON
from executions.change import AttemptEnd, Change, DueRow, Standing
from executions.events import Happening, chain
from executions.redrive import Recorded, redrive
from executions.states import MOVES, STEP_MOVES, AttemptStatus, Intent, StepStatus, TaskStatus, target
from tests.simulator.memory import Fence, Kept
from workflows.effects import Effect

if TYPE_CHECKING:
    from tests.simulator.world import World

ACTOR = "operator"
LEASE = timedelta(seconds=6)
"""How long a worker of an agent may stay silent; shorter than it is, so that leases end in a world's time."""


class Callers:
    """Everybody outside, in one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._memory = world.memory

    def call(self) -> None:
        """Somebody does something to some execution that nobody has locked."""
        choose = self._world.random
        free = [kept for kept in self._memory.executions.values() if self._memory.is_free(kept.row.id)]
        if not free:
            return
        kept = choose.choice(free)
        what = choose.choices(_CALLS, _WEIGHTS)[0]
        getattr(self, f"_{what}")(kept)
        self._world.announce()

    def give_everything(self) -> None:
        """Whatever anybody has to give for an execution to go on."""
        for kept in list(self._memory.live()):
            if not self._memory.is_free(kept.row.id):
                continue
            if kept.standing.intent is Intent.PAUSE or kept.standing.quarantined_at is not None:
                self._resume(kept)
            if not self._memory.inboxes[kept.row.id] or all(a.kept for a in self._memory.inboxes[kept.row.id].values()):
                self._give_what_is_awaited(kept)
                self._resolve(self._memory.executions[kept.row.id])

    def _give_what_is_awaited(self, kept: Kept) -> None:
        for (index, number), attempt in kept.attempts.items():
            if attempt.status is AttemptStatus.WAITING:
                awaited = json_values.load(attempt.input or "{}")
                if awaited.get("signal"):
                    self._arrive(kept, "signal", {"payload": None}, awaited["signal"])
                elif awaited.get("approval"):
                    self._arrive(kept, "decision", _decision(index, number, approved=True))
                elif (index, number) in kept.tasks:
                    self._claim_one(kept, (index, number))
                    self._say(kept, (index, number), error=None)

    def _cancel(self, kept: Kept) -> None:
        if kept.is_live:
            self._arrive(kept, "cancel", {"reason": None})

    def _signal(self, kept: Kept) -> None:
        if kept.is_live:
            self._arrive(kept, "signal", {"payload": None}, self._world.random.choice(["go", "stop"]))

    def _decide(self, kept: Kept) -> None:
        for (index, number), attempt in kept.attempts.items():
            if attempt.status is AttemptStatus.WAITING and json_values.load(attempt.input or "{}").get("approval"):
                approved = self._world.random.random() < 0.7
                self._arrive(kept, "decision", _decision(index, number, approved=approved))
                return

    def _claim(self, kept: Kept) -> None:
        """A worker of the agent claims a task."""
        open_ = _standing_as(kept, TaskStatus.OPEN)
        if open_:
            self._claim_one(kept, self._world.random.choice(open_))

    def _claim_one(self, kept: Kept, fence: Fence) -> None:
        handed = kept.tasks[fence]
        if handed.status is TaskStatus.OPEN:
            until = self._memory.now + LEASE
            self._world.tell("claims", str(kept.row.id)[:8], *fence)
            kept.tasks[fence] = replace(handed, status=TaskStatus.CLAIMED, leased_until=until)

    def _work(self, kept: Kept) -> None:
        """A worker beats, or says what came of what it has claimed, which may have been withdrawn meanwhile."""
        choose = self._world.random
        claimed = _standing_as(kept, TaskStatus.CLAIMED)
        if not claimed:
            return
        fence, chance = choose.choice(claimed), choose.random()
        if kept.tasks[fence].leased_until <= self._memory.now:
            return
        if chance < 0.2:
            kept.tasks[fence] = replace(kept.tasks[fence], leased_until=self._memory.now + LEASE)
        elif chance < 0.75:
            self._say(kept, fence, error=None)
        else:
            retryable = choose.random() < 0.7
            self._say(kept, fence, {"kind": "flaky", "message": "no", "details": None, "retryable": retryable})

    def _say(self, kept: Kept, fence: Fence, error: JSON) -> None:
        handed = kept.tasks[fence]
        if handed.status is TaskStatus.CLAIMED:
            kept.tasks[fence] = replace(handed, status=TaskStatus.REPORTED)
            told = {"index": fence[0], "number": fence[1], "output": "done", "error": error}
            self._arrive(kept, "task_reported", told)

    def _deny(self, kept: Kept) -> None:
        """The agent may not carry a task out any more, says a sweep."""
        at_work = _standing_as(kept, TaskStatus.OPEN, TaskStatus.CLAIMED)
        if at_work:
            index, number = fence = self._world.random.choice(at_work)
            kept.tasks[fence] = replace(kept.tasks[fence], status=TaskStatus.WITHDRAWN)
            self._arrive(kept, "agent_denied", {"index": index, "number": number, "message": "it is suspended"})

    def _pause(self, kept: Kept) -> None:
        if kept.is_live and kept.standing.intent is Intent.RUN:
            _move_tasks(kept, TaskStatus.OPEN, TaskStatus.HELD)
            paused = kept.standing._replace(intent=Intent.PAUSE, status_reason="paused")
            self._write(kept, paused, [], [Happening("execution.paused", {"by": ACTOR})])

    def _resume(self, kept: Kept) -> None:
        standing = kept.standing
        if kept.is_live and (standing.intent is Intent.PAUSE or standing.quarantined_at is not None):
            intent = Intent.RUN if standing.intent is Intent.PAUSE else standing.intent
            resumed = standing._replace(intent=intent, status_reason=None, quarantined_at=None, due_at=self._memory.now)
            self._write(kept, resumed, [], [Happening("execution.resumed", {"by": ACTOR})])
            _move_tasks(self._memory.executions[kept.row.id], TaskStatus.HELD, TaskStatus.OPEN)

    def _skip(self, kept: Kept) -> None:
        self._overrule(kept, "skip", {"reason": "not needed"})

    def _complete(self, kept: Kept) -> None:
        self._overrule(kept, "complete", {"reason": "done by hand", "output": {"by": "hand"}})

    def _overrule(self, kept: Kept, kind: str, told: dict[str, JSON]) -> None:
        possible = STEP_MOVES[kind].sources
        open_ = [index for index, row in kept.steps.items() if row.state.status in possible]
        if kept.is_live and open_:
            self._arrive(kept, kind, {"index": self._world.random.choice(open_), **told})

    def _resolve(self, kept: Kept) -> None:
        unknown = [i for i, row in kept.steps.items() if row.state.status is StepStatus.OUTCOME_UNKNOWN]
        if not kept.is_live or not unknown:
            return
        index = self._world.random.choice(unknown)
        row = kept.steps[index]
        outcome = self._world.random.choice(["succeeded", "failed", "retry"])
        if outcome == "retry":
            self._world.effects.allowed[kept.row.id, index, row.generation] += 1
        told = {"index": index, "number": row.attempts, "outcome": outcome, "output": None, "reason": "looked"}
        self._arrive(kept, "resolve", told)

    def _redrive(self, kept: Kept) -> None:
        if kept.standing.status not in MOVES["redrive"].sources or not kept.standing.steps_made:
            return
        spec = self._world.pool.runnables[kept.row.version_id].spec
        recorded = {index: _recorded(kept, index) for index in kept.steps}
        from_step = self._world.random.choice([None, None, *range(len(spec.steps))])
        planned = redrive(spec, recorded, from_step)
        if from_step is not None and from_step not in planned.resets:
            return
        for repeat in planned.repeats:
            if repeat.same_key and spec.step(repeat.index).effect is Effect.AT_MOST_ONCE:
                generation = planned.steps[repeat.index].generation
                self._world.effects.allowed[kept.row.id, repeat.index, generation] += 1
        inbox = self._memory.inboxes[kept.row.id]
        for number in [n for n, arrived in inbox.items() if not arrived.kept and arrived.row.kind != "signal"]:
            del inbox[number]
        now = self._memory.now
        standing = Standing(
            status=target("redrive", kept.standing.status),
            intent=Intent.RUN,
            counters=planned.counters,
            steps_made=True,
            due_at=now,
            run_id=kept.row.id,
            queued_at=now,
        )
        happenings = [Happening(MOVES["redrive"].event, {"by": ACTOR})]
        happenings += [Happening(STEP_MOVES[m].event, {"by": ACTOR}, spec.step(i).name) for i, m in planned.moves]
        ends = [AttemptEnd(i, number, AttemptStatus.CANCELLED) for i, number in planned.open_attempts]
        due = [DueRow(index, now) for index in planned.due]
        self._write(kept, standing, ["redrive"], happenings, steps=planned.steps, ends=ends, due_new=due)

    def _arrive(self, kept: Kept, kind: str, payload: JSON, name: str | None = None) -> None:
        self._world.running = None
        self._world.tell("calls", kind, str(kept.row.id)[:8], payload, name or "")
        self._memory.arrive(kept.row.id, kind, payload, ACTOR, name)

    def _write(
        self, kept: Kept, standing: Standing, moves: list[str], happenings: list[Happening], **rows: object
    ) -> None:
        self._world.running = None
        row = kept.row
        events, _ = chain(str(row.id), row.event_sequence, row.chain_head, happenings, self._memory.now)
        change = Change(row, self._memory.now, standing._replace(tries=0), moves, events, **rows)  # type: ignore[arg-type]
        self._memory.write(change)


def _recorded(kept: Kept, index: int) -> Recorded:
    row = kept.steps[index]
    last = kept.attempts.get((index, row.attempts))
    kind = json_values.load(last.error)["kind"] if last is not None and last.error else None
    return Recorded(row, None if last is None else last.status, kind)


def _standing_as(kept: Kept, *statuses: TaskStatus) -> list[Fence]:
    return [fence for fence, handed in kept.tasks.items() if handed.status in statuses]


def _move_tasks(kept: Kept, source: TaskStatus, aim: TaskStatus) -> None:
    for fence in _standing_as(kept, source):
        kept.tasks[fence] = replace(kept.tasks[fence], status=aim)


def _decision(index: int, number: int, *, approved: bool) -> dict[str, JSON]:
    return {"index": index, "number": number, "approved": approved, "comment": None}


_TURNS = {
    "cancel": 2,
    "signal": 5,
    "decide": 5,
    "claim": 4,
    "work": 4,
    "deny": 0.3,
    "pause": 3,
    "resume": 4,
    "skip": 1.5,
    "complete": 1.5,
    "resolve": 4,
    "redrive": 2,
}
_CALLS, _WEIGHTS = list(_TURNS), list(_TURNS.values())
