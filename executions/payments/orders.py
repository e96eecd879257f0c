"""An order under its locks, the execution's first, then the payment's: what is decided about it is written once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from executions.change import Standing
from executions.events import Detail, Happening
from executions.models import Execution, Payment
from executions.rows import database_now, lock, standing_of, write
from executions.states import Status


@dataclass(slots=True)
class OpenOrder:
    """What is known under the locks, and what will be written: moves and `standing` of the execution, `happenings`.

    `unsettled`: whether the execution, once it has ended, may owe money back; None leaves that as it is.
    """

    execution: Execution
    payment: Payment
    now: datetime
    standing: Standing
    moves: list[str] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    unsettled: bool | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether the execution still waits for this payment."""
        return self.standing.status is Status.AWAITING_PAYMENT

    def tell(self, event: str, **data: Detail) -> None:
        """Put an event of the order on record."""
        self.happenings.append(Happening(event, {"order": str(self.payment.order_id), **data}))

    def _write(self) -> None:
        self.payment.save()
        if self.happenings:
            write(self.execution, self.standing, self.moves, self.happenings, self.now)
        if self.unsettled is not None:
            Execution.objects.filter(id=self.execution.id).update(unsettled=self.unsettled)


@contextmanager
def opened(execution_id: UUID) -> Iterator[OpenOrder]:
    """The order of an execution, locked; what was decided is written at the end, or nothing where something raises."""
    with transaction.atomic():
        execution = lock(execution_id)
        payment = Payment.objects.select_for_update(no_key=True).get(execution=execution)
        order = OpenOrder(execution, payment, database_now(), standing_of(execution))
        yield order
        order._write()


def hold_reference(tenant_id: UUID, reference: str) -> None:
    """Until this transaction ends, nobody else records a charge of this reference, or a refund that came before it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"charge:{tenant_id}:{reference}"])
