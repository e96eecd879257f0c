"""The payload store as Django's STORAGES wants it: files under a folder, or objects under a prefix of a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def payload_storage(store: str, endpoint_url: str | None) -> dict[str, Any]:
    """The storage that PAYLOAD_STORE names. Raises ImproperlyConfigured."""
    address = urlsplit(store)
    if address.scheme == "s3" and address.netloc:
        options = {"bucket_name": address.netloc, "location": address.path.strip("/"), "endpoint_url": endpoint_url}
        return {"BACKEND": "executions.payloads.s3.Bucket", "OPTIONS": options}
    if address.scheme or not Path(store).is_absolute():
        raise ImproperlyConfigured(f"PAYLOAD_STORE is an absolute folder or s3://bucket/prefix, not {store!r}")
    return {
        "BACKEND": "executions.payloads.files.Files",
        "OPTIONS": {"location": store, "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
    }
