"""The Django app of the wiring; it registers the system checks and brings the command `up`."""

from __future__ import annotations

from django.apps import AppConfig

from config import checks


class WiringConfig(AppConfig):
    """`config` as an app."""

    name = "config"
    system_checks = checks
