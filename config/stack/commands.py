"""The processes of an installation, as arguments of python in the checkout; docker-compose.yml names the same ones."""

from __future__ import annotations

MIGRATE = ("manage.py", "migrate", "--noinput")
WEB = ("-m", "gunicorn", "-c", "python:config.gunicorn", "config.asgi")
# Gossip, mingling and heartbeats are talk among workers; ours need to know nothing of each other.
_ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")
WORKER = ("-m", "celery", "-A", "config", "worker", "--loglevel", "INFO", "--pool", "prefork", *_ALONE)
SWEEPER = ("manage.py", "sweep")
