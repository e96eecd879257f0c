"""The main job, as any client of the HTTP API would do it: publish, store, execute, wait, read back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from examples.credit.api import CONNECTIONS, Api, Unanswered
from examples.credit.data import Case
from examples.credit.report import Terminal
from examples.credit.workflow import template

T = TypeVar("T")
TERMINAL = frozenset({"workflow_succeeded", "workflow_failed", "workflow_cancelled"})
POLL_SECONDS = 0.5
STALL_SECONDS = 180.0
"""After so long without one execution ending, the demo gives up."""
OUTCOMES = frozenset({"pass", "refer", "fail"})


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
    steps: list[dict[str, Any]]

    def went_well(self) -> bool:
        """Every execution succeeded with an outcome of the workflow, every step of the shown one too."""
        return (
            set(self.statuses) == {"workflow_succeeded"}
            and {outcome for outcome, _ in self.outcomes} <= OUTCOMES
            and not self.complaints
            and all(step["status"] == "succeeded" for step in self.steps)
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run over `cases`; `run` is a word of its own that makes its Idempotency-Keys."""

    api: Api
    terminal: Terminal
    cases: Sequence[Case]
    run: str

    def carry_out(self, definition: Mapping[str, Any]) -> Result:
        """Do it all. Raises Unanswered when the API refuses, or nothing moves for STALL_SECONDS."""
        workflow_id = self._publish(definition)
        template_id = self._bind(workflow_id)
        with self.terminal.meters():
            applications = self._store()
            executions = self._execute(workflow_id, template_id, applications)
            logs = self._logs(applications, executions)
        statuses = Counter(execution["status"] for execution in executions.values())
        outcomes = Counter((str(logs[case.reference]["outcome"]), case.verdict) for case in self.cases)
        complaints = Counter(log["internal_error"] for log in logs.values() if log["internal_error"])
        shown = executions[self.cases[0].reference]["id"]
        seconds = _seconds(executions.values())
        return Result(statuses, outcomes, complaints, seconds, shown, self._steps(shown))

    def _publish(self, definition: Mapping[str, Any]) -> str:
        workflow_id: str = self._post("/v1/workflows", definition, "workflow")["workflow_id"]
        published = self._post(f"/v1/workflows/{workflow_id}/publish", {}, "publish")
        self.terminal.say(
            f"workflow {published['name']} {published['version']} published, digest {published['digest']}"
        )
        return workflow_id

    def _bind(self, workflow_id: str) -> str:
        made = self._post("/api/v2/data_orchestration/templates", template(workflow_id), "template")
        identity: str = made["data"]["id"]
        return identity

    def _store(self) -> dict[str, str]:
        """Each reference's application id."""

        def store(case: Case) -> str:
            body = {"external_ref": case.reference, "data": case.application}
            identity: str = self._post("/api/v2/applications", body, f"application-{case.reference}")["data"]["id"]
            return identity

        return self._each("applications stored", store)

    def _execute(
        self, workflow_id: str, template_id: str, applications: Mapping[str, str]
    ) -> dict[str, dict[str, Any]]:
        """Each reference's execution as it ended, with its id, status and times."""

        def execute(case: Case) -> str:
            body = {"template_id": template_id, "application_id": applications[case.reference]}
            path = "/api/v2/data_orchestration/execute"
            identity: str = self._post(path, body, f"execute-{case.reference}")["data"]["id"]
            return identity

        posted = self.terminal.meter("executes posted", len(self.cases))
        finished = self.terminal.meter("executions finished", len(self.cases))
        ended: dict[str, dict[str, Any]] = {}
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
                    raise Unanswered(f"no execution ended in {STALL_SECONDS:.0f} s, {len(ended)} had until then")
        return {reference: ended[identity] for reference, identity in known.items()}

    def _ended(self, workflow_id: str, awaited: set[str]) -> dict[str, dict[str, Any]]:
        """Those of `awaited` that are over, by id. Reads the list, newest first, as far as any is still awaited."""
        unseen = set(awaited)
        ended: dict[str, dict[str, Any]] = {}
        cursor: dict[str, str] = {}
        while unseen:
            page = self.api.get("/v1/executions", workflowId=workflow_id, limit=100, **cursor)["data"]
            here = {item["id"]: item for item in page["items"] if item["id"] in unseen}
            ended |= {identity: item for identity, item in here.items() if item["status"] in TERMINAL}
            unseen -= here.keys()
            if not page["nextCursor"]:
                break
            cursor = {"cursor": page["nextCursor"]}
        return ended

    def _logs(self, applications: Mapping[str, str], executions: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        def log(case: Case) -> Any:
            orchestrations = f"/api/v2/applications/{applications[case.reference]}/data_orch"
            return self.api.get(f"{orchestrations}/{executions[case.reference]['id']}")["data"]

        return self._each("outcomes read", log)

    def _steps(self, execution_id: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.api.get(f"/v1/executions/{execution_id}/steps")["data"]["items"]
        return items

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

    def _post(self, path: str, body: Mapping[str, Any], name: str) -> Any:
        return self.api.post(path, body, f"demo-{self.run}-{name}")


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


def _seconds(executions: Iterable[Mapping[str, Any]]) -> float:
    """From the first creation to the last end, by the database's clock."""
    spans = [(_time(execution["createdAt"]), _time(execution["finishedAt"])) for execution in executions]
    return (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
