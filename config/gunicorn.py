"""Gunicorn's configuration: `gunicorn -c python:config.gunicorn config.asgi`.

One address for everything: requests are answered in threads, streams in the event loop of the same process.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from django.conf import settings

# Before anything imports prometheus_client: it then counts into files that all processes of this server share.
_counts = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="traceway-metrics-")

_address = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
bind = _address if settings.LISTENING_FD is None else f"fd://{settings.LISTENING_FD}"
worker_class = "config.server.Worker"
logger_class = "config.server.Log"
workers = 2
preload_app = True
worker_connections = 4_000
keepalive = 75
graceful_timeout = 10
timeout = 60
asgi_lifespan = "off"
asgi_loop = "asyncio"
control_socket_disable = True
logconfig_dict = {
    **settings.LOGGING,
    "loggers": {"gunicorn.error": {"handlers": [], "propagate": True}},
}


def on_exit(server: Any) -> None:  # noqa: ARG001
    """What was counted ends with the server."""
    shutil.rmtree(_counts, ignore_errors=True)
