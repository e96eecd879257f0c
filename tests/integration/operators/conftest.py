"""A tenant, an operator who may do everything, and one who may only look."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Tenant


@pytest.fixture
def alice(db: None) -> Tenant:
    # pytest reads this file before the one above it has set Django up, so it cannot import models at its top.
    made: Tenant = import_module("tenants.registry").create_tenant("alice", "Alice")
    return made


@pytest.fixture
def operator(db: None) -> Client:
    return logged_in("operator", is_superuser=True)


@pytest.fixture
def onlooker(db: None) -> Client:
    client = logged_in("onlooker", is_superuser=False)
    models = import_module("django.contrib.auth.models")
    user = models.User.objects.get(username="onlooker")
    user.user_permissions.set(models.Permission.objects.filter(codename__startswith="view_"))
    return client


def logged_in(name: str, *, is_superuser: bool) -> Client:
    """A browser in which this member of the staff is logged in."""
    client: Client = import_module("django.test").Client()
    users = import_module("django.contrib.auth.models").User.objects
    client.force_login(users.create_user(name, is_staff=True, is_superuser=is_superuser))
    return client
