"""config wires the rooms together: settings, addresses, the Celery app, the shape of errors, the stack of processes.

Nothing of the product's behaviour lives here.
"""

from __future__ import annotations

from config.celery import app as celery_app

__all__ = ["celery_app"]
