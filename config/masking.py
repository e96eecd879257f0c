"""What no log line shows: client tokens, the query of a request, where one may stand, and secrets that are in use."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from tenants.masking import hide

_TOKEN = re.compile(r"\bct_[0-9a-f]{8}_[A-Za-z0-9_-]+|(?<=token=)[^&\s\"'\\<>]+", re.IGNORECASE)


def name_request(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    """The request that Django hands to its log lines, by its id, method and path: as text it would show its query.

    What Django says of an answer comes when the request is over, and its id bound no more.
    """
    request = event.get("request")
    if request is not None:
        if name := getattr(request, "request_id", ""):
            event["request_id"] = name
        event["request"] = f"{getattr(request, 'method', '')} {getattr(request, 'path', '')}".strip()
    return event


def mask_tokens(logger: Any, method: str, line: Any) -> Any:  # noqa: ARG001
    """The whole line, as it is about to be written, with `***` for every client token."""
    return _TOKEN.sub("***", line) if isinstance(line, str) else line


def mask_secrets(logger: Any, method: str, line: Any) -> Any:  # noqa: ARG001
    """The whole line, with `***` for every secret of the step that this process carries out."""
    return hide(line) if isinstance(line, str) else line
