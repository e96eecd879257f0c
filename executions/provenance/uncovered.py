"""The columns of the record's tables that nothing is held against, each with its reason. docs/provenance.md has them.

Whoever adds a column to one of these tables has it verified, or writes it down here: a test asks for one of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NOT_ON_RECORD: Final[Mapping[str, str]] = {
    "execution.due_at": "when somebody looks next: a schedule, and no part of what happened",
    "execution.event_xid": "the database's own order of writes",
    "execution.quarantined_at": "that nobody looks for the time being: it is told to operators, and decides nothing",
    "execution.seq": "the guard of writes: how many there were",
    "execution.tries": "how often a look came to nothing",
    "execution.unsettled": "once a paid execution has ended: whether the sweep has yet to look at what is owed",
    "execution.updated_at": "when the row was last written, whatever for",
    "step.id": "a surrogate",
    "attempt.id": "a surrogate",
    "event.id": "a surrogate: with xid the order of the stream of all executions",
    "event.xid": "the database's own order of writes",
    "due_step.id": "a surrogate",
    "due_step.due_at": "when somebody looks next: a schedule",
    "payment.checkout_session_id": "the provider's name for a checkout, where there is one; money is told by events",
    "payment.expires_at": "of an order with such a checkout: until when the provider takes the money",
    "workflows_workflowversion.created_at": "of the workflow, not of the execution",
    "workflows_workflowversion.published_at": "of the workflow, not of the execution",
}
"""By table and column."""
