"""The Django app of who is calling."""

from __future__ import annotations

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """`tenants` as an app."""

    name = "tenants"
