"""The paths of this room."""

from __future__ import annotations

from django.urls import path

from executions.api.bundles import BundleDoor
from executions.api.commanding import CommandDoor, StepDoor
from executions.api.data_orchestration import ApplicationDoor, DataOrchestrationDoor, LogDoor
from executions.api.executions import ExecutionDoor
from executions.api.orchestrating import OrchestrationsDoor
from executions.api.orchestrations import ExecuteDoor, OrchestrationDoor
from executions.api.payment_webhooks import PaymentWebhookDoor
from executions.api.payments import PaymentDoor
from executions.api.provenance import ProvenanceDoor
from executions.api.public import PublicExecutionDoor, PublicWorkflowDoor
from executions.api.public_streams import PublicStreamDoor
from executions.api.receipts import ReceiptDoor
from executions.api.retention import PayloadDoor, RetentionDoor, WorkflowRetentionDoor
from executions.api.statistics import StatisticsDoor
from executions.api.streams import StreamDoor
from executions.api.tasks import ClaimDoor, TaskDoor
from executions.api.webhooks import DeliveryDoor, EndpointDoor

_ONE = "v1/executions/<str:execution_id>"
_STEP = f"{_ONE}/steps/<str:step>"
_TASKS = "v1/agents/<str:agent_id>/tasks"
_APPLICATION = "api/v2/applications/<str:application_id>"
_ENDPOINT = "v1/execution-webhooks/<str:endpoint_id>"
_DELIVERY = "v1/execution-webhooks/deliveries/<str:delivery_id>"

urlpatterns = [
    path("v1/executions", ExecutionDoor.as_view({"get": "index", "post": "create"})),
    path("v1/executions/stats", StatisticsDoor.as_view({"get": "show"})),
    path("v1/executions/stream", StreamDoor.as_view({"get": "of_tenant"})),
    path(_ONE, ExecutionDoor.as_view({"get": "show"})),
    path(f"{_ONE}/payloads", PayloadDoor.as_view({"delete": "destroy"})),
    path(f"{_ONE}/events", ExecutionDoor.as_view({"get": "events"})),
    path(f"{_ONE}/stream", StreamDoor.as_view({"get": "of_execution"})),
    path(f"{_ONE}/steps", ExecutionDoor.as_view({"get": "steps"})),
    path(f"{_ONE}/receipt", ReceiptDoor.as_view({"get": "show"})),
    path(f"{_ONE}/bundle", BundleDoor.as_view({"get": "show"})),
    path(f"{_ONE}/provenance", ProvenanceDoor.as_view({"get": "of_execution"})),
    path("v1/provenance/impact", ProvenanceDoor.as_view({"get": "impact"})),
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
    path("v1/orchestrations", OrchestrationsDoor.as_view({"get": "index"})),
    path("v1/orchestrations/execute", OrchestrationsDoor.as_view({"post": "execute"})),
    path("v1/orchestrations/<str:orchestration_id>/cancel", OrchestrationsDoor.as_view({"post": "cancel"})),
    path("v1/orchestrations/<str:orchestration_id>", OrchestrationDoor.as_view({"get": "show"})),
    path(f"{_TASKS}/claim", ClaimDoor.as_view({"post": "claim"})),
    path(f"{_TASKS}/<str:task_id>/heartbeat", TaskDoor.as_view({"post": "heartbeat"})),
    path(f"{_TASKS}/<str:task_id>/complete", TaskDoor.as_view({"post": "complete"})),
    path(f"{_TASKS}/<str:task_id>/fail", TaskDoor.as_view({"post": "fail"})),
    path("v1/public/workflows/<str:workflow_id>/executions", PublicWorkflowDoor.as_view({"post": "create"})),
    path("v1/public/executions/<str:execution_id>", PublicExecutionDoor.as_view({"get": "show"})),
    path("v1/public/executions/<str:execution_id>/stream", PublicStreamDoor.as_view({"get": "of_execution"})),
    path("v1/retention", RetentionDoor.as_view({"get": "show", "put": "write"})),
    path(
        "v1/workflows/<str:workflow_id>/retention",
        WorkflowRetentionDoor.as_view({"get": "show", "put": "write", "delete": "destroy"}),
    ),
    path("v1/payments/<str:order_id>", PaymentDoor.as_view({"get": "show"})),
    path("v1/payments/<str:order_id>/confirm", PaymentDoor.as_view({"post": "confirm"})),
    path("v1/payments/<str:order_id>/refund", PaymentDoor.as_view({"post": "refund"})),
    path("v1/payments/<str:provider>/webhook", PaymentWebhookDoor.as_view({"post": "receive"})),
    path("v1/execution-webhooks", EndpointDoor.as_view({"get": "index", "post": "create"})),
    path("v1/execution-webhooks/deliveries", DeliveryDoor.as_view({"get": "index"})),
    path(_DELIVERY, DeliveryDoor.as_view({"get": "show"})),
    path(f"{_DELIVERY}/retry", DeliveryDoor.as_view({"post": "retry"})),
    path(f"{_DELIVERY}/replay", DeliveryDoor.as_view({"post": "replay"})),
    path(_ENDPOINT, EndpointDoor.as_view({"get": "show", "delete": "destroy"})),
    path(f"{_ENDPOINT}/enable", EndpointDoor.as_view({"post": "enable"})),
    path(f"{_ENDPOINT}/disable", EndpointDoor.as_view({"post": "disable"})),
    path(f"{_ENDPOINT}/regenerate-secret", EndpointDoor.as_view({"post": "regenerate_secret"})),
    path("api/v2/data_orchestration/execute", DataOrchestrationDoor.as_view({"post": "execute"})),
    path(
        "api/v2/data_orchestration/<str:log_id>/continue_pass",
        DataOrchestrationDoor.as_view({"put": "continue_pass"}),
    ),
    path("api/v2/applications", ApplicationDoor.as_view({"get": "index", "post": "create"})),
    path(_APPLICATION, ApplicationDoor.as_view({"get": "show"})),
    path(f"{_APPLICATION}/data_orch", LogDoor.as_view({"get": "index"})),
    path(f"{_APPLICATION}/data_orch/<str:log_id>", LogDoor.as_view({"get": "show"})),
]
