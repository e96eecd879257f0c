"""Gunicorn's configuration: `gunicorn -c python:config.gunicorn config.wsgi`.

Threads, because a request mostly waits for the database.
"""

from __future__ import annotations

from django.conf import settings

_address = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
bind = _address if settings.LISTENING_FD is None else f"fd://{settings.LISTENING_FD}"
worker_class = "gthread"
workers = 2
preload_app = True
threads = 32
keepalive = 75
graceful_timeout = 10
timeout = 60
control_socket_disable = True
logconfig_dict = {
    **settings.LOGGING,
    "loggers": {"gunicorn.error": {"handlers": [], "propagate": True}},
}
