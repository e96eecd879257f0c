"""Why an execution could not be decided on, and what is missing where it could be after all."""

from __future__ import annotations

from functools import partial
from typing import Protocol
from uuid import UUID

import psycopg

from contract.away import Away, Unreachable
from workflows.spec import Runnable


class Runnables(Protocol):
    """What a run of a version with these parameters (JSON text) carries out."""

    def kept(self, version_id: UUID, parameters: str) -> Runnable | None:
        """At hand, or None."""

    def load(self, version_id: UUID, parameters: str) -> None:
        """Have it at hand, which may take long: never called in a session."""


class Unloaded(Away):
    """The definition of an execution is not at hand: it is compiled with no execution locked."""

    def __init__(self, runnables: Runnables, version_id: UUID, parameters: str) -> None:
        super().__init__(f"version {version_id} is not loaded")
        self._load = partial(runnables.load, version_id, parameters)

    def bring(self) -> None:
        """Raises psycopg.OperationalError, and whatever compiling raises."""
        self._load()


class Undecided(Exception):
    """Deciding about an execution raised: nothing was staged for it, and it must not block what is due after it."""

    def __init__(self, execution_id: UUID, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}"[:500])
        self.execution_id = execution_id
        self.error = error


class Delayed(Undecided):
    """It could not be decided now because of what is about this installation, not about the execution."""


class Wanting(Away):
    """Something that the decision about an execution wants is not at hand: nothing was staged for it.

    Where that cannot be had, the execution is as one that cannot be decided on.
    """

    def __init__(self, execution_id: UUID, away: Away) -> None:
        super().__init__(str(away))
        self._execution_id = execution_id
        self._away = away

    @property
    def wanted(self) -> Away:
        return self._away

    def bring(self) -> None:
        """Raises psycopg.Error, Undecided."""
        try:
            self._away.bring()
        except psycopg.Error:
            raise
        except Unreachable as error:
            raise Delayed(self._execution_id, error) from error
        except Exception as error:
            raise Undecided(self._execution_id, error) from error
