"""The admin's windows on executions: rows are looked at here; what changes one is a command, by an action.

Django finds the windows by importing this package.
"""

from __future__ import annotations

from executions.admin import execution, imports, money, receipts, retention, rows, webhooks

__all__ = ["execution", "imports", "money", "receipts", "retention", "rows", "webhooks"]
