"""What /api/v2 answers about applications and their data orchestrations."""

from __future__ import annotations

from typing import Final

from contract.answers import Answers, Success, Wrapping
from contract.schema import ID, MOMENT, OBJECT, TEXT, Component, maybe, record, whole, words
from executions.states import Status

ORCHESTRATED: Final = Component(
    "DataOrchestration",
    record(
        {
            "id": ID,
            "outcome": maybe(TEXT),
            "internal_error": maybe(TEXT),
            "status": {
                **whole(1, 6),
                "description": "1 accepted, 2 running, 3 waiting, 4 succeeded, 5 failed, 6 cancelled.",
            },
            "created_at": MOMENT,
            "started_at": maybe(MOMENT),
            "finished_at": maybe(MOMENT),
            "master_status": words(*Status),
        }
    ),
)
APPLICATION: Final = Component(
    "Application", record({"id": ID, "external_ref": maybe(TEXT), "data": OBJECT, "created_at": MOMENT})
)
CONTINUED: Final = Answers((Success(202, record({}), "Its outcome is `pass` and stays so.", Wrapping.NONE),))
