"""The paths of this room."""

from __future__ import annotations

from django.urls import path

from executions.api.commanding import CommandDoor, StepDoor
from executions.api.data_orchestration import ApplicationDoor, DataOrchestrationDoor, LogDoor
from executions.api.executions import ExecutionDoor
from executions.api.orchestrations import ExecuteDoor, OrchestrationDoor
from executions.api.payments import PaymentDoor

_ONE = "v1/executions/<str:execution_id>"
_STEP = f"{_ONE}/steps/<str:step>"
_APPLICATION = "api/v2/applications/<str:application_id>"

urlpatterns = [
    path("v1/executions", ExecutionDoor.as_view({"get": "index", "post": "create"})),
    path(_ONE, ExecutionDoor.as_view({"get": "show"})),
    path(f"{_ONE}/events", ExecutionDoor.as_view({"get": "events"})),
    path(f"{_ONE}/steps", ExecutionDoor.as_view({"get": "steps"})),
    path(f"{_ONE}/cancel", CommandDoor.as_view({"post": "cancel"})),
    path(f"{_ONE}/pause", CommandDoor.as_view({"post": "pause"})),
    path(f"{_ONE}/resume", CommandDoor.as_view({"post": "resume"})),
    path(f"{_ONE}/redrive", CommandDoor.as_view({"post": "redrive"})),
    path(f"{_ONE}/signals/<str:name>", CommandDoor.as_view({"post": "signal"})),
    path(f"{_STEP}/why-waiting", StepDoor.as_view({"get": "why_waiting"})),
    path(f"{_STEP}/approve", StepDoor.as_view({"post": "approve"})),
    path(f"{_STEP}/reject", StepDoor.as_view({"post": "reject"})),
    path(f"{_STEP}/skip", StepDoor.as_view({"post": "skip"})),
    path(f"{_STEP}/complete", StepDoor.as_view({"post": "complete"})),
    path(f"{_STEP}/resolve", StepDoor.as_view({"post": "resolve"})),
    path("v1/workflows/<str:workflow_id>/execute", ExecuteDoor.as_view({"post": "execute"})),
    path("v1/orchestrations/<str:orchestration_id>", OrchestrationDoor.as_view({"get": "show"})),
    path("v1/payments/<str:order_id>", PaymentDoor.as_view({"get": "show"})),
    path("v1/payments/<str:order_id>/confirm", PaymentDoor.as_view({"post": "confirm"})),
    path("api/v2/data_orchestration/execute", DataOrchestrationDoor.as_view({"post": "execute"})),
    path("api/v2/applications", ApplicationDoor.as_view({"get": "index", "post": "create"})),
    path(_APPLICATION, ApplicationDoor.as_view({"get": "show"})),
    path(f"{_APPLICATION}/data_orch", LogDoor.as_view({"get": "index"})),
    path(f"{_APPLICATION}/data_orch/<str:log_id>", LogDoor.as_view({"get": "show"})),
]
