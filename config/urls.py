"""Every path; the rooms bring their own. No trailing slashes."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from config import errors, health, metrics, signing_keys
from config.openapi import pages
from executions.checkout import pay

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.unknown_path
handler500 = errors.failure

# Tried in this order: what is asked for most comes first.
urlpatterns = [
    path("", include("executions.urls")),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("openapi.json", pages.openapi, name="openapi"),
    path("docs", pages.docs),
    path("metrics", metrics.metrics),
    path(".well-known/jwks.json", signing_keys.jwks),
    path("admin/", admin.site.urls),
    path("pay/<str:order_id>", pay),
    path("", include("tenants.urls")),
    path("", include("workflows.urls")),
]
