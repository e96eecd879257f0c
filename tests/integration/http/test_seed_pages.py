"""The curl calls of the three published pages, ids and token replaced, answered as the contract says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integration.http.arranging import EXECUTE, application, created, creation, engine, executed, published, template
from tests.integration.http_client import Caller

pytestmark = pytest.mark.django_db(transaction=True)


def test_probe(alice: Caller) -> None:
    w = published(alice)
    print(created(alice, w))
    a = executed(alice, w, {"parameters": {}, "dry_run": False})
    print(a.json())
    print(executed(alice, w, {"parameters": {}, "dry_run": True}).json())
    t, p = template(alice, w), application(alice, a=1)
    print(alice.post(EXECUTE, {"template_id": t, "application_id": p}).json())
    with engine() as world:
        print(world.drain())
    print(alice.get(f"/v1/orchestrations/{a.json()['run_id']}").json())
    print(alice.get(f"/v1/executions/{a.json()['execution_id']}").json())
    print(alice.get(f"/v1/executions/{a.json()['execution_id']}/steps").json())
    assert 0
