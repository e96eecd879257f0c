"""Payloads as files: each is whole and on the disk before anybody knows its name."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.files.storage import FileSystemStorage


class Files(FileSystemStorage):
    """A file that is there already is replaced by its equal; nobody but the owner may read any."""

    def get_available_name(self, name: str, max_length: int | None = None) -> str:  # noqa: ARG002 - as Django calls it
        return name

    def _save(self, name: str, content: Any) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as partial:
            try:
                for chunk in content.chunks():
                    partial.write(chunk)
                partial.flush()
                os.fsync(partial.fileno())
                Path(partial.name).replace(path)
            except BaseException:
                Path(partial.name).unlink(missing_ok=True)
                raise
        _sync(path.parent)
        return name


def _sync(folder: Path) -> None:
    """Have the folder's entries on the disk, and those of the folders above that may be new."""
    for each in (folder, folder.parent, folder.parent.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
