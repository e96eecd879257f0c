from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.payload_storage import payload_storage


@pytest.fixture(autouse=True)
def _store_of_its_own(settings: Any, tmp_path: Path) -> None:
    settings.PAYLOAD_STORE = str(tmp_path)
    settings.STORAGES = settings.STORAGES | {"payloads": payload_storage(str(tmp_path), None)}
