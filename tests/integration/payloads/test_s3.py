"""The same on an S3-compatible service: a real HTTP server with moto's buckets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from config.payload_storage import payload_storage
from contract.away import Unreachable
from executions.payloads.contents import Unavailable
from executions.payloads.dropping import REQUEST, drop_payloads
from executions.payloads.objects import StoredObjects
from executions.payloads.reading import contents, place_of, text_of
from tenants.models import Tenant
from tests.integration.engine.world import World, published, submitted, transform
from tests.integration.payloads.stored import large, objects

_numbers = count()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Any]:
    for variable, value in {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "DEFAULT_REGION": "eu-central-1"}.items():
        monkeypatch.setenv(f"AWS_{variable}", value)
    name = f"payloads-{next(_numbers)}"
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    made = boto3.resource("s3", endpoint_url=address).create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    settings.STORAGES = settings.STORAGES | {"payloads": payload_storage(f"s3://{name}/some/prefix", address)}
    yield made
    server.stop()


def test_payloads_stand_in_the_bucket_until_they_are_dropped(alice: Tenant, world: World, bucket: Any) -> None:
    steps = [transform("same", "${{ input.text }}"), transform("size", "${{ size(steps.same.output) }}", "same")]
    execution = submitted(alice, published(alice, steps), {"text": large()})
    contents()._kept.clear()
    world.drain()
    execution.refresh_from_db()

    assert execution.output == '{"size":307200}'
    keys = [each.key for each in bucket.objects.all()]
    assert keys
    assert all(key.startswith(f"some/prefix/{alice.id}/{execution.id}/") for key in keys)
    assert objects(execution) == []
    assert list(StoredObjects().places()) == [place_of(execution.id)]

    drop_payloads(execution.id, REQUEST, "key:k")
    assert list(bucket.objects.all()) == []


def test_an_object_that_is_missing_is_told_from_a_service_that_does_not_answer(
    alice: Tenant, bucket: Any, settings: Any
) -> None:
    execution = submitted(alice, published(alice, [transform("one", 1)]), {"text": large()})
    contents()._kept.clear()
    bucket.objects.all().delete()
    with pytest.raises(Unavailable, match="missing"):
        text_of(execution.submission.input, execution.id)

    settings.STORAGES = settings.STORAGES | {"payloads": payload_storage("s3://anything", "http://127.0.0.1:9")}
    with pytest.raises(Unreachable):
        text_of(execution.submission.input, execution.id)
