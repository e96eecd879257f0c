"""What the routes of this room answer, and what they take where that is no Shape: workflows, versions, templates."""

from __future__ import annotations

from typing import Any, Final

from contract.answers import PROBLEM
from contract.schema import (
    ANYTHING,
    FLAG,
    FREE_OBJECT,
    ID,
    JSON_VALUE,
    MOMENT,
    OBJECT,
    SHA256,
    TEXT,
    Component,
    Schema,
    either,
    listed,
    maybe,
    record,
    text,
    whole,
    words,
)
from workflows.authoring import ANSWERED_ONLY
from workflows.currencies import CURRENCIES
from workflows.models import Template
from workflows.policies import YEAR
from workflows.spec import Refund, Visibility
from workflows.written import MAX_STEPS

PRICE: Final = record(
    {"amount": whole(1, 10**12), "currency": words(*sorted(CURRENCIES))},
    optional={"refund": maybe(words(*Refund))},
)
_CONCURRENCY: Final = record(
    {"key": text()},
    optional={"limit": maybe(whole(1, 1_000)), "scope": maybe(words("workflow", "tenant"))},
)
_SECONDS: Final[dict[str, Any]] = {"type": "number", "minimum": 0.001, "maximum": YEAR}
_STEP_MEMBERS: Final[dict[str, Schema]] = {
    "name": text(100),
    "type": text(255),
    "config": FREE_OBJECT,
    "action": text(255),
    "parameters": FREE_OBJECT,
    "agent_id": text(255),
    "depends_on": listed(text()),
    "when": text(),
    "join": either(words("all", "any"), whole(1), FREE_OBJECT),
    "on_failure": text(255),
    "retry": FREE_OBJECT,
    "timeout_seconds": _SECONDS,
    "compensate": FREE_OBJECT,
}
STEP: Final = Component(
    "Step",
    {
        **record({}, optional={name: maybe(schema) for name, schema in _STEP_MEMBERS.items()}),
        "description": "`{name, type, config}` or `{action, parameters}`; the docs tell each type's config.",
    },
)
_WRITTEN: Final[dict[str, Schema]] = {
    "description": text(10_000),
    "version": {**text(), "description": "A semantic version; 1.0.0 unless given."},
    "input_schema": {"anyOf": [FREE_OBJECT, FLAG]},
    "output": JSON_VALUE,
    "price": PRICE,
    "timeout_seconds": _SECONDS,
    "triggers": FREE_OBJECT,
    "visibility": words(*Visibility),
    "concurrency": _CONCURRENCY,
    "priority": whole(0, 9),
}
_REQUIRED: Final[dict[str, Schema]] = {"name": text(255, 1), "steps": listed(STEP, minItems=1, maxItems=MAX_STEPS)}
_OPTIONAL: Final[dict[str, Schema]] = {name: maybe(schema) for name, schema in _WRITTEN.items()}
DEFINITION: Final = Component("Definition", record(_REQUIRED, optional=_OPTIONAL))
PUT_DEFINITION: Final = Component(
    "DefinitionPut",
    record(_REQUIRED, optional={**_OPTIONAL, **dict.fromkeys(sorted(ANSWERED_ONLY), JSON_VALUE)}),
)

_DEFINED: Final[dict[str, Schema]] = {
    "steps": listed({**OBJECT, "description": "As written."}),
    "input_schema": ANYTHING,
    "output": ANYTHING,
    "price": maybe(PRICE),
    "timeout_seconds": maybe({"type": "number"}),
    "triggers": maybe(OBJECT),
    "visibility": words(*Visibility),
    "concurrency": maybe(_CONCURRENCY),
    "priority": maybe(whole(0, 9)),
}
_SUMMARY: Final[dict[str, Schema]] = {
    "id": ID,
    "workflow_id": ID,
    "name": TEXT,
    "description": maybe(TEXT),
    "version": TEXT,
    "status": words("draft", "published", "paused", "archived"),
    "digest": SHA256,
    "draft_version": maybe(TEXT),
    "created_at": MOMENT,
    "published_at": maybe(MOMENT),
}
_VERSION: Final[dict[str, Schema]] = {
    **{name: schema for name, schema in _SUMMARY.items() if name != "draft_version"},
    "status": words("draft", "published"),
    "live": {**FLAG, "description": "Whether executions take it."},
}
WORKFLOW_SUMMARY: Final = Component("WorkflowSummary", record(_SUMMARY))
WORKFLOW: Final = Component("Workflow", record({**_DEFINED, **_SUMMARY}))
VERSION_SUMMARY: Final = Component("VersionSummary", record(_VERSION))
VERSION: Final = Component("Version", record({**_DEFINED, **_VERSION}))
VALIDITY: Final = Component("Validity", record({"valid": FLAG, "errors": listed(PROBLEM)}))

TEMPLATE: Final = Component(
    "Template",
    record(
        {
            "id": ID,
            "short_id": TEXT,
            "name": TEXT,
            "description": maybe(TEXT),
            "workflow_id": ID,
            "workflow": {**listed(TEXT, minItems=1, maxItems=1), "description": "The workflow's name."},
            "input": ANYTHING,
            "outcome": TEXT,
            "trigger": maybe(OBJECT),
            "status": {**whole(Template.DRAFT, Template.PUBLISHED), "description": "1 draft, 2 published."},
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "deleted_at": maybe(MOMENT),
        }
    ),
)
