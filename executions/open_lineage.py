"""Events of executions as run events of OpenLineage (openlineage.io, specification 2-0-2).

A run of an execution is a run of the job `<workflow>`, an attempt at a step one of the job `<workflow>.<step>`. What
goes in and comes out are datasets, `<workflow>.input`, `<workflow>.<step>.output` and so on, in the tenant's namespace;
their version is the digest of the payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid5

import attrs
from django.conf import settings
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    dataset_version_dataset,
    documentation_job,
    error_message_run,
    job_type_job,
    parent_run,
    processing_engine_run,
)
from openlineage.client.serde import Serde

from contract.json_values import JSON
from contract.timestamps import precise
from executions.models import Event, Execution
from executions.reading import runs_of
from executions.steps import index_named, spec_of
from executions.telling import body_of, event_message
from workflows.spec import StepSpec

STATES: Final[Mapping[str, RunState]] = {
    "execution.started": RunState.START,
    "execution.succeeded": RunState.COMPLETE,
    "execution.failed": RunState.FAIL,
    "execution.cancelled": RunState.ABORT,
    "step.started": RunState.START,
    "step.succeeded": RunState.COMPLETE,
    "step.completed": RunState.COMPLETE,
    "step.failed": RunState.FAIL,
    "step.retrying": RunState.FAIL,
    "step.cancelled": RunState.ABORT,
}
"""The transition that an event is; every other tells more of a run (OTHER)."""

_FAILURES = frozenset({RunState.FAIL, RunState.ABORT})


@attrs.define
class RecordRunFacet(RunFacet):
    """Where the event stands on record: whoever has it can look it up and check it."""

    execution: str
    sequence: int
    hash: str
    eventType: str  # noqa: N815 - the name on the wire
    data: dict[str, JSON]

    @staticmethod
    def _get_schema() -> str:
        return f"{settings.PUBLIC_URL}/openapi.json#/components/schemas/Event"


def run_event(event: Event) -> JSON:
    """The run event that tells of `event`, whose execution has its submission, workflow and version at hand."""
    execution, body = event.execution, body_of(event.body)
    state = STATES.get(event.type, RunState.OTHER)
    step = _step_of(execution, event.step)
    run, job = _of_execution(execution, event) if event.step is None else _of_step(execution, event, step, body)
    run.facets = {**(run.facets or {}), **_facets(event, state, body)}
    told = RunEvent(
        eventType=state,
        eventTime=precise(event.created_at),
        producer=settings.PUBLIC_URL,
        run=run,
        job=job,
        inputs=[InputDataset(*named) for named in _inputs(execution, step, event.step)],
        outputs=_outputs(execution, event, state, body),
    )
    made: JSON = Serde.to_dict(told)
    return made


def run_events(execution: Execution, events: Iterable[Event]) -> list[JSON]:
    """The run events of these events of the execution, in their order."""
    told = []
    for event in events:
        event.execution = execution
        told.append(run_event(event))
    return told


def _of_execution(execution: Execution, event: Event) -> tuple[Run, Job]:
    run_id = runs_of(execution, [event]).at(event.created_at) or execution.id
    version = execution.version
    facets: dict[str, JobFacet] = {"jobType": _job_type("WORKFLOW")}
    if version.description:
        facets["documentation"] = documentation_job.DocumentationJobFacet(version.description, producer=_producer())
    return Run(str(run_id)), Job(_namespace(execution), execution.workflow.name, facets)


def _of_step(execution: Execution, event: Event, step: StepSpec | None, body: JSON) -> tuple[Run, Job]:
    """The run of an attempt, or of the step where the event names none."""
    attempt = body["data"].get("attempt")
    run_id = uuid5(execution.id, f"{event.step}:{attempt}" if attempt else str(event.step))
    parent, above = _of_execution(execution, event)
    within = parent_run.ParentRunFacet(
        parent_run.Run(parent.runId), parent_run.Job(above.namespace, above.name), producer=_producer()
    )
    job_type = _job_type("STEP" if step is None else step.type.upper())
    job = Job(_namespace(execution), f"{execution.workflow.name}.{event.step}", {"jobType": job_type})
    return Run(str(run_id), {"parent": within}), job


def _facets(event: Event, state: RunState, body: JSON) -> dict[str, RunFacet]:
    data: dict[str, JSON] = body["data"]
    record = RecordRunFacet(
        str(event.execution_id), event.sequence, bytes(event.hash).hex(), event.type, data, producer=_producer()
    )
    engine = processing_engine_run.ProcessingEngineRunFacet(
        str(data.get("code") or settings.CODE_VERSION), "traceway", producer=_producer()
    )
    facets: dict[str, RunFacet] = {"traceway_record": record, "processing_engine": engine}
    if state in _FAILURES:
        message = event_message(event.type, body)
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message, "python", producer=_producer())
    return facets


def _inputs(execution: Execution, step: StepSpec | None, name: str | None) -> list[tuple[str, str]]:
    """The datasets that the step reads, or the execution: (namespace, name)."""
    namespace, workflow = _namespace(execution), execution.workflow.name
    if name is None:
        return [(namespace, f"{workflow}.input")]
    if step is None:
        return []
    roots = {reference.root for reference in step.references}
    read = [f"{workflow}.{root}" for root in ("input", "parameters", "application") if root in roots]
    spec = spec_of(execution)
    read += [f"{workflow}.{spec.step(index).name}.output" for index in step.reads.values()]
    return [(namespace, dataset) for dataset in read]


def _outputs(execution: Execution, event: Event, state: RunState, body: JSON) -> list[OutputDataset]:
    """What came out, at the digest that is on record."""
    digest = body["data"].get("output")
    if state is not RunState.COMPLETE or digest is None:
        return []
    owner = execution.workflow.name if event.step is None else f"{execution.workflow.name}.{event.step}"
    version = dataset_version_dataset.DatasetVersionDatasetFacet(digest, producer=_producer())
    return [OutputDataset(_namespace(execution), f"{owner}.output", facets={"version": version})]


def _step_of(execution: Execution, name: str | None) -> StepSpec | None:
    spec = spec_of(execution)
    index = None if name is None else index_named(spec, name)
    return None if index is None else spec.step(index)


def _job_type(kind: str) -> JobFacet:
    return job_type_job.JobTypeJobFacet("BATCH", "TRACEWAY", kind, producer=_producer())


def _namespace(execution: Execution) -> str:
    return f"traceway://{urlsplit(settings.PUBLIC_URL).netloc}/{execution.tenant.slug}"


def _producer() -> str:
    return str(settings.PUBLIC_URL)
