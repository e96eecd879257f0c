"""The Celery app. Its messages are only hints to look into the database: any may be lost, doubled or reordered.

Its settings stand in config/settings.py under CELERY_.
"""

from __future__ import annotations

import os

from celery import Celery

from config.hearing import Hearing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("traceway")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["consumer"].add(Hearing)
