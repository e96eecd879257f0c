"""What every test shares: how hard hypothesis tries. tests/unit needs no server and no Django at all."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "traceway",
    deadline=None,  # a shared machine stops now and then, which says nothing about the code
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("traceway")
