"""Where a step's secrets come from: the rows of its execution's tenant, read each time, so that a new value counts."""

from __future__ import annotations

import time
from collections.abc import Collection
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from executions.models import Execution
from tenants import secrets
from tenants.sealing import InvalidToken
from workflows.failures import StepFailed

PAUSE_SECONDS = 0.5


def of_tenant(execution_id: UUID, names: Collection[str]) -> dict[str, str]:
    """The secrets of the execution's tenant, through any outage of the database that the step's time-out lets it wait.

    Raises StepFailed(secret_unreadable) where SECRET_KEY is not the one that sealed them.
    """
    while True:
        try:
            return secrets.opened(Execution.objects.filter(id=execution_id).values("tenant_id"), names)
        except InvalidToken as error:
            message = "the secrets cannot be read: neither SECRET_KEY nor one of SECRET_KEY_FALLBACKS sealed them"
            raise StepFailed("secret_unreadable", message) from error
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(PAUSE_SECONDS)
        except BaseException:
            # The time limit may interrupt a query: what is left of it is nobody's next answer.
            connection.close()
            raise
