"""The objects behind payloads, through Django's storages: `<tenant>/<execution>/<SHA-256>`."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from contract.away import Unreachable
from contract.identifiers import parse_id
from executions.payloads.contents import Place


class StoredObjects:
    """See contents.Objects; and what only the end of an execution's payloads asks for."""

    def put(self, place: Place, digest: str, content: bytes) -> None:
        try:
            self._storage.save(f"{_prefix(place)}/{digest}", ContentFile(content))
        except Exception as error:
            raise Unreachable("a payload could not be stored") from error

    def get(self, place: Place, digest: str) -> bytes | None:
        try:
            with self._storage.open(f"{_prefix(place)}/{digest}") as file:
                content: bytes = file.read()
                return content
        except FileNotFoundError:
            return None
        except Exception as error:
            raise Unreachable("a payload could not be fetched") from error

    def remove(self, place: Place) -> int:
        """Delete every object of the execution; how many there were. Raises Unreachable."""
        prefix = _prefix(place)
        try:
            names = self._under(prefix)[1]
            for name in names:
                self._storage.delete(f"{prefix}/{name}")
            self._storage.delete(prefix)
        except Exception as error:
            raise Unreachable("payloads could not be removed") from error
        return len(names)

    def places(self) -> Iterator[Place]:
        """Every execution that has objects. Raises Unreachable."""
        try:
            for tenant in self._ids(""):
                for execution in self._ids(str(tenant)):
                    yield Place(tenant, execution)
        except OSError as error:
            raise Unreachable("the payloads could not be listed") from error

    @property
    def _storage(self) -> Storage:
        return storages["payloads"]

    def _ids(self, prefix: str) -> list[UUID]:
        found = (parse_id(name) for name in self._under(prefix)[0])
        return [identifier for identifier in found if identifier is not None]

    def _under(self, prefix: str) -> tuple[list[str], list[str]]:
        try:
            return self._storage.listdir(prefix)
        except FileNotFoundError:
            return [], []


def _prefix(place: Place) -> str:
    return f"{place.tenant}/{place.execution}"
