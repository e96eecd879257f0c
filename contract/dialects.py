"""The three dialects: which path speaks which, and how each wraps what it answers. Errors: config/errors.py."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from contract.json_values import JSON
from contract.pages import MAX_LIMIT, Page
from contract.schema import COUNT, FLAG, TEXT, Schema, listed, maybe, record, whole

_WORKFLOW_PATHS = re.compile(r"/v1/(workflows|orchestrations|agents)(/|$)")
_DATA_PATHS = re.compile(r"/api/v2(/|$)")


class Dialect(Enum):
    """The path decides, for success and error alike."""

    EXECUTIONS = "executions"
    WORKFLOW = "workflow"
    DATA_ORCHESTRATION = "data_orchestration"

    @classmethod
    def of(cls, path: str) -> Dialect:
        """The dialect that `path` speaks."""
        if _WORKFLOW_PATHS.match(path):
            return cls.WORKFLOW
        if _DATA_PATHS.match(path):
            return cls.DATA_ORCHESTRATION
        return cls.EXECUTIONS

    def success(self, value: JSON, request_id: str) -> JSON:
        """`value` in the dialect's envelope."""
        if self is Dialect.WORKFLOW:
            return value
        if self is Dialect.DATA_ORCHESTRATION:
            return {"data": value}
        return {"code": 200, "message": "success", "data": value, "requestId": request_id}

    def page(self, page: Page[Any], request_id: str) -> JSON:
        """A page of a list, whose items are JSON already, in the dialect's envelope."""
        if self is Dialect.DATA_ORCHESTRATION:
            return {"data": page.items, "meta": {"next_cursor": page.next_cursor}}
        more, cursor = ("has_more", "next_cursor") if self is Dialect.WORKFLOW else ("hasMore", "nextCursor")
        listing = {
            "items": page.items,
            more: page.has_more,
            "limit": page.limit,
            "offset": page.offset,
            cursor: page.next_cursor,
        }
        return listing if self is Dialect.WORKFLOW else self.success(listing, request_id)

    def success_schema(self, value: Schema) -> Schema:
        """What `success` makes of what `value` describes."""
        if self is Dialect.WORKFLOW:
            return value
        if self is Dialect.DATA_ORCHESTRATION:
            return record({"data": value})
        return record({"code": {"const": 200}, "message": {"const": "success"}, "data": value, "requestId": TEXT})

    def page_schema(self, item: Schema) -> Schema:
        """What `page` makes of items that `item` describes."""
        items, cursor = listed(item, maxItems=MAX_LIMIT), maybe(TEXT)
        if self is Dialect.DATA_ORCHESTRATION:
            return record({"data": items, "meta": record({"next_cursor": cursor})})
        more, name = ("has_more", "next_cursor") if self is Dialect.WORKFLOW else ("hasMore", "nextCursor")
        window: dict[str, Schema] = {more: FLAG, "limit": whole(1, MAX_LIMIT), "offset": COUNT, name: cursor}
        listing = record({"items": items, **window})
        return listing if self is Dialect.WORKFLOW else self.success_schema(listing)
