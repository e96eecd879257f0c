"""`client.templates`, `client.applications` and `client.data_orchestration`. Data orchestration dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traceway.asking import ask, get, nothing, pages, path, post
from traceway.effects import Flow, Program
from traceway.models import Application, OrchestrationLog, Template
from traceway.surface import D, Resource, call, many

DATA_ORCHESTRATION = "/api/v2/data_orchestration"
TEMPLATES = DATA_ORCHESTRATION + "/templates"
APPLICATIONS = "/api/v2/applications"


class Templates(Resource[D]):
    """What binds workflows to applications. A `template` is {name, workflow_id, input, outcome, ...}."""

    @call
    def create(self, template: Mapping[str, Any], *, idempotency_key: str | None = None) -> Program[Template]:
        """A new one."""
        return ask(self._retry, post(TEMPLATES, template, key=idempotency_key), Template.of)

    @call
    def get(self, template_id: str) -> Program[Template]:
        """One, a draft too."""
        return ask(self._retry, get(_template(template_id)), Template.of)

    @many
    def list(self, *, limit: int | None = None) -> Flow[Template]:
        """The published ones, newest first."""
        return pages(self._retry, TEMPLATES, {}, Template.of, limit)

    @call
    def put(self, template_id: str, template: Mapping[str, Any]) -> Program[Template]:
        """The same one with other members."""
        return ask(self._retry, post(_template(template_id), template, method="PUT"), Template.of)

    @call
    def delete(self, template_id: str) -> Program[None]:
        """Out of use."""
        return ask(self._retry, post(_template(template_id), method="DELETE"), nothing)


class Applications(Resource[D]):
    """Records that data orchestrations are run for."""

    @call
    def create(
        self, data: Mapping[str, Any], *, external_ref: str | None = None, idempotency_key: str | None = None
    ) -> Program[Application]:
        """A new one."""
        body = {"external_ref": external_ref, "data": data}
        return ask(self._retry, post(APPLICATIONS, body, key=idempotency_key), Application.of)

    @call
    def get(self, application_id: str) -> Program[Application]:
        """One."""
        return ask(self._retry, get(_application(application_id)), Application.of)

    @many
    def list(self, *, external_ref: str | None = None, limit: int | None = None) -> Flow[Application]:
        """Newest first."""
        return pages(self._retry, APPLICATIONS, {"external_ref": external_ref}, Application.of, limit)


class DataOrchestration(Resource[D]):
    """Templates, run for applications."""

    @call
    def execute(
        self, template_id: str, application_id: str, *, wait: float = 0, idempotency_key: str | None = None
    ) -> Program[OrchestrationLog]:
        """A new run. With `wait` (1 to 30 seconds) the answer comes when it has ended, or the time is over."""
        body = {"template_id": template_id, "application_id": application_id}
        request = post(DATA_ORCHESTRATION + "/execute", body, key=idempotency_key, wait=wait)
        return ask(self._retry, request, OrchestrationLog.of)

    @call
    def log(self, application_id: str, log_id: str) -> Program[OrchestrationLog]:
        """How one run stands."""
        at = _application(application_id, "/data_orch/{log_id}", log_id=log_id)
        return ask(self._retry, get(at), OrchestrationLog.of)

    @many
    def logs(self, application_id: str, *, limit: int | None = None) -> Flow[OrchestrationLog]:
        """The runs for an application, newest first."""
        return pages(self._retry, _application(application_id, "/data_orch"), {}, OrchestrationLog.of, limit)

    @call
    def continue_pass(self, log_id: str, application_id: str, comment: str | None = None) -> Program[None]:
        """The outcome becomes and stays `pass`; open approvals are approved."""
        at = path(DATA_ORCHESTRATION + "/{log_id}/continue_pass", log_id=log_id)
        body = {"application_id": application_id, "comment": comment}
        return ask(self._retry, post(at, body, method="PUT"), nothing)


def _template(template_id: str) -> str:
    return path(TEMPLATES + "/{template_id}", template_id=template_id)


def _application(application_id: str, more: str = "", **parts: str) -> str:
    return path(APPLICATIONS + "/{application_id}" + more, application_id=application_id, **parts)
