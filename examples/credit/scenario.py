"""The main job, as anybody's program would do it with the client: publish, store, execute, wait, read back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from examples.credit.data import Case
from examples.credit.report import Terminal
from examples.credit.workflow import template
from traceway import Traceway
from traceway.drivers import Direct
from traceway.models import OrchestrationLog, Step
from traceway.resources.executions import Execution

T = TypeVar("T")
CONNECTIONS = 8
POLL_SECONDS = 0.5
STALL_SECONDS = 180.0
"""After so long without one execution ending, the demo gives up."""
OUTCOMES = frozenset({"pass", "refer", "fail"})


class Stalled(Exception):
    """Nothing moved for STALL_SECONDS."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. `outcomes` counts (outcome, verdict), `complaints` internal errors.

    `seconds` run from the first creation to the last end.
    """

    statuses: Counter[str]
    outcomes: Counter[tuple[str, str]]
    complaints: Counter[str]
    seconds: float
    shown: str
    steps: list[Step]

    def went_well(self) -> bool:
        """Every execution succeeded with an outcome of the workflow, every step of the shown one too."""
        return (
            set(self.statuses) == {"workflow_succeeded"}
            and {outcome for outcome, _ in self.outcomes} <= OUTCOMES
            and not self.complaints
            and all(step.status == "succeeded" for step in self.steps)
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run over `cases`; `run` is a word of its own that makes its Idempotency-Keys."""

    client: Traceway
    terminal: Terminal
    cases: Sequence[Case]
    run: str

    def carry_out(self, definition: Mapping[str, Any]) -> Result:
        """Do it all. Raises TracewayError when the API refuses or does not answer, Stalled when nothing ends."""
        workflow_id = self._publish(definition)
        template_id = self.client.templates.create(template(workflow_id), idempotency_key=self._key("template")).id
        with self.terminal.meters():
            applications = self._store()
            executions = self._execute(workflow_id, template_id, applications)
            logs = self._logs(applications, executions)
        statuses = Counter(execution.status for execution in executions.values())
        outcomes = Counter((str(logs[case.reference].outcome), case.verdict) for case in self.cases)
        complaints = Counter(log.internal_error for log in logs.values() if log.internal_error)
        shown = executions[self.cases[0].reference]
        return Result(statuses, outcomes, complaints, _seconds(executions.values()), shown.id, list(shown.steps()))

    def _publish(self, definition: Mapping[str, Any]) -> str:
        made = self.client.workflows.create(definition, idempotency_key=self._key("workflow"))
        published = self.client.workflows.publish(made.id)
        self.terminal.say(f"workflow {published.name} {published.version} published, digest {published.digest}")
        return published.id

    def _store(self) -> dict[str, str]:
        """Each reference's application id."""

        def store(case: Case) -> str:
            key = self._key(f"application-{case.reference}")
            stored = self.client.applications.create(case.application, external_ref=case.reference, idempotency_key=key)
            return stored.id

        return self._each("applications stored", store)

    def _execute(
        self, workflow_id: str, template_id: str, applications: Mapping[str, str]
    ) -> dict[str, Execution[Direct]]:
        """Each reference's execution as it ended."""

        def execute(case: Case) -> str:
            key = self._key(f"execute-{case.reference}")
            started = self.client.data_orchestration.execute(
                template_id, applications[case.reference], idempotency_key=key
            )
            return started.id

        posted = self.terminal.meter("executes posted", len(self.cases))
        finished = self.terminal.meter("executions finished", len(self.cases))
        ended: dict[str, Execution[Direct]] = {}
        with _pool() as pool:
            futures = {case.reference: pool.submit(execute, case) for case in self.cases}
            moved = time.monotonic()
            while len(ended) < len(self.cases):
                time.sleep(POLL_SECONDS)
                known = _results(futures)
                posted.at(len(known))
                fresh = self._ended(workflow_id, set(known.values()) - ended.keys())
                ended |= fresh
                finished.at(len(ended))
                moved = time.monotonic() if fresh else moved
                if time.monotonic() - moved > STALL_SECONDS:
                    raise Stalled(f"no execution ended in {STALL_SECONDS:.0f} s, {len(ended)} had until then")
        return {reference: ended[identity] for reference, identity in known.items()}

    def _ended(self, workflow_id: str, awaited: set[str]) -> dict[str, Execution[Direct]]:
        """Those of `awaited` that are over, by id. Reads the list, newest first, as far as any is still awaited."""
        unseen = set(awaited)
        ended: dict[str, Execution[Direct]] = {}
        if not unseen:
            return ended
        for execution in self.client.executions.list(workflow_id=workflow_id):
            if execution.id in unseen:
                unseen.remove(execution.id)
                if execution.is_over:
                    ended[execution.id] = execution
            if not unseen:
                break
        return ended

    def _logs(
        self, applications: Mapping[str, str], executions: Mapping[str, Execution[Direct]]
    ) -> dict[str, OrchestrationLog]:
        def log(case: Case) -> OrchestrationLog:
            return self.client.data_orchestration.log(applications[case.reference], executions[case.reference].id)

        return self._each("outcomes read", log)

    def _each(self, title: str, work: Callable[[Case], T]) -> dict[str, T]:
        """`work` on every case, a few at a time, counted on a meter; by reference."""
        meter = self.terminal.meter(title, len(self.cases))
        with _pool() as pool:
            futures = {case.reference: pool.submit(work, case) for case in self.cases}
            while len(known := _results(futures)) < len(futures):
                meter.at(len(known))
                time.sleep(POLL_SECONDS / 5)
        meter.at(len(known))
        return known

    def _key(self, name: str) -> str:
        return f"demo-{self.run}-{name}"


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for a few requests at a time; leaving early waits for none of them."""
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _results(futures: Mapping[str, Future[T]]) -> dict[str, T]:
    """The results there are by now. Raises what any of the futures raised."""
    return {name: future.result() for name, future in futures.items() if future.done()}


def _seconds(executions: Iterable[Execution[Direct]]) -> float:
    """From the first creation to the last end, by the database's clock."""
    spans = [(execution.created_at, execution.finished_at) for execution in executions]
    return (max(end for _, end in spans if end) - min(start for start, _ in spans)).total_seconds()
