"""/api/v2: run a template for an application and read its log, in the data-orchestration dialect."""

from __future__ import annotations

from functools import lru_cache

from contract import json_values
from contract.answers import PAYMENT_LINK, created, pages, shown
from contract.http import Answer
from contract.json_values import JSON
from contract.problems import FieldProblem, InvalidContent, NotFound, UnknownReference
from contract.queries import listing, text
from contract.shapes import ABSENT, FreeObject, Shape, Text
from contract.timestamps import wire
from executions import commands
from executions.agents import agent_of, check_agents
from executions.api.data_answers import APPLICATION, CONTINUED, ORCHESTRATED
from executions.api.executions import payment_link
from executions.api.origins import origin_at
from executions.api.waiting import PREFER, WaitingDoor
from executions.creation import Orchestrated, Request, create_execution
from executions.listing import keys_of_application
from executions.models import Application, Execution
from executions.reading import application_of, applications_of, execution_of, executions_of
from executions.rows import database_now
from executions.states import Status
from tenants.door import Door, takes
from tenants.models import Tenant
from workflows import catalog, templating
from workflows.bindings import compile_input
from workflows.failures import StepFailed
from workflows.models import Template, WorkflowVersion

STATUS = {
    Status.AWAITING_PAYMENT: 1,
    Status.PAYMENT_CONFIRMED: 1,
    Status.QUEUED: 1,
    Status.RUNNING: 2,
    Status.WAITING: 3,
    Status.SUCCEEDED: 4,
    Status.FAILED: 5,
    Status.CANCELLED: 6,
}


class Execute(Shape):
    """The body of POST /api/v2/data_orchestration/execute."""

    template_id = Text()
    application_id = Text()


class ContinuePass(Shape):
    """The body of PUT /api/v2/data_orchestration/{log_id}/continue_pass."""

    application_id = Text()
    comment = Text(required=False, empty=ABSENT, longest=1000)


class CreateApplication(Shape):
    """The body of POST /api/v2/applications."""

    external_ref = Text(required=False, empty=ABSENT)
    data = FreeObject()  # type: ignore[assignment] # DRF takes declared fields off the class


class DataOrchestrationDoor(WaitingDoor):
    """Runs templates for applications."""

    @takes(
        "executions:write",
        body=Execute.read,
        headers=PREFER,
        answers=shown(ORCHESTRATED, "It was accepted.", headers=PAYMENT_LINK),
    )
    def execute(self) -> Answer:
        """Accepted: the log routes tell how it goes on."""
        template, version, application = self._named()
        agent = agent_of(self.tenant, version.workflow)
        check_agents(self.tenant, agent, catalog.spec_of(version.id))
        request = Request(
            version=version,
            origin=origin_at(self, "data_orchestration", "application", str(application.id), application.external_ref),
            input=mapped_input(template, application),
            input_at="/application_id",
            agent=agent,
            orchestrated=Orchestrated(template, application),
        )
        return self.reached(create_execution(self.tenant, request))

    def made(self, body: JSON) -> str | None:
        """The execution's id."""
        made: str = body["data"]["id"]
        return made

    def reached(self, execution: Execution) -> Answer:
        """The execution as it stands."""
        return self.ok(show(execution), headers=payment_link(execution))

    @takes("executions:write", body=ContinuePass.read, answers=CONTINUED)
    def continue_pass(self, log_id: str) -> Answer:
        """Its outcome is `pass` from now on, and what it waits to have approved is approved."""
        execution = execution_of(self.tenant, log_id)
        application = named_application(self.tenant, self.input["application_id"])
        if execution.submission.application_id != application.id:
            message = "the data orchestration is one of another application"
            problem = FieldProblem("/application_id", "other_application", message)
            raise InvalidContent(message, reason="other_application", fields=[problem])
        commands.continue_pass(execution.id, self.input.get("comment"), self.credential.actor)
        return Answer({}, 202)

    def _named(self) -> tuple[Template, WorkflowVersion, Application]:
        """What the body names. Raises UnknownReference, for both members where both are wrong."""
        try:
            template, version = catalog.executable_template(self.tenant, self.input["template_id"])
        except UnknownReference as refusal:
            try:
                named_application(self.tenant, self.input["application_id"])
            except UnknownReference as other:
                refusal.fields += other.fields
            raise
        return template, version, named_application(self.tenant, self.input["application_id"])


class ApplicationDoor(Door):
    """Applications of the caller's tenant."""

    @takes("applications:read", query=listing(external_ref=text), answers=pages(APPLICATION))
    def index(self) -> Answer:
        """Newest first."""
        rows = applications_of(self.tenant).filter(**self.query.filters)
        return self.page(self.newest_first(rows, self.query.window), show_application)

    @takes("applications:write", body=CreateApplication.read, answers=created(APPLICATION))
    def create(self) -> Answer:
        """A new one."""
        application = Application.objects.create(
            tenant=self.tenant,
            external_ref=self.input.get("external_ref"),
            data=json_values.stored(self.input["data"]),
            created_at=database_now(),
        )
        return self.created(show_application(application), f"/api/v2/applications/{application.id}")

    @takes("applications:read", answers=shown(APPLICATION))
    def show(self, application_id: str) -> Answer:
        """One."""
        return self.ok(show_application(application_of(self.tenant, application_id)))


class LogDoor(Door):
    """The data orchestrations of one application."""

    @takes("executions:read", query=listing(), answers=pages(ORCHESTRATED))
    def index(self, application_id: str) -> Answer:
        """Newest first."""
        application = application_of(self.tenant, application_id)
        rows, among = executions_of(self.tenant), keys_of_application(application)
        return self.page(self.newest_first(rows, self.query.window, among=among), show)

    @takes("executions:read", answers=shown(ORCHESTRATED))
    def show(self, application_id: str, log_id: str) -> Answer:
        """One."""
        application = application_of(self.tenant, application_id)
        execution = execution_of(self.tenant, log_id)
        if execution.submission.application_id != application.id:
            raise NotFound("there is no such execution")
        return self.ok(show(execution))


def named_application(tenant: Tenant, application_id: str) -> Application:
    """The application that a body names. Raises UnknownReference."""
    try:
        return application_of(tenant, application_id)
    except NotFound as refusal:
        problem = FieldProblem("/application_id", refusal.reason, refusal.message)
        raise UnknownReference(refusal.message, fields=[problem]) from refusal


def mapped_input(template: Template, application: Application) -> dict[str, JSON]:
    """The workflow's input for this application. Raises InvalidContent where the template cannot make one of it."""
    try:
        made = _compiled(template.input).resolve({"application": json_values.load(application.data)})
        json_values.check(made)
    except StepFailed as failed:
        raise _no_input("/application_id", failed.message) from failed
    except json_values.InvalidJson as error:
        raise _no_input("/application_id", f"{error.pointer or 'the input'}: {error}") from error
    if not isinstance(made, dict):
        raise _no_input("/template_id", "the template's input is no object")
    return made


@lru_cache(maxsize=256)
def _compiled(text: str) -> templating.Template:
    """A template's stored input, which was checked when it was written, and so has no problems."""
    return compile_input(json_values.load(text), "", [])


def _no_input(field: str, message: str) -> InvalidContent:
    problem = FieldProblem(field, "input_not_made", message)
    return InvalidContent("the template makes no input of this application", fields=[problem])


def show(execution: Execution) -> JSON:
    failed = execution.status_reason if execution.status == Status.FAILED else None
    return {
        "id": str(execution.id),
        "outcome": execution.outcome,
        "internal_error": failed or execution.outcome_error,
        "status": STATUS[Status(execution.status)],
        "created_at": wire(execution.created_at),
        "started_at": wire(execution.started_at),
        "finished_at": wire(execution.finished_at),
        "master_status": execution.status,
    }


def show_application(application: Application) -> JSON:
    return {
        "id": str(application.id),
        "external_ref": application.external_ref,
        "data": json_values.load(application.data),
        "created_at": wire(application.created_at),
    }
