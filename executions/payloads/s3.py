"""Payloads as objects of an S3-compatible service; imported only where one is configured."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage


class Bucket(S3Storage):  # type: ignore[misc] # it has no types
    """django-storages' S3Storage, which is never waited for without end."""

    def __init__(self, **options: Any) -> None:
        timeouts = Config(connect_timeout=3, read_timeout=15, retries={"mode": "standard", "max_attempts": 3})
        super().__init__(client_config=timeouts, file_overwrite=True, default_acl=None, **options)
