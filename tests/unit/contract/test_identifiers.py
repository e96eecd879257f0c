"""Identifiers and timestamps on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import timestamps
from contract.identifiers import AGENT, RUN, agent_name, new_id, parse_id, run_name


def test_a_new_id_is_a_uuid_of_version_7_and_sorts_after_the_one_before() -> None:
    ids = [new_id() for _ in range(1000)]
    assert {identifier.version for identifier in ids} == {7}
    assert ids == sorted(ids)


@given(st.uuids())
def test_a_name_spells_the_same_128_bits(identifier: UUID) -> None:
    assert parse_id(run_name(identifier), RUN) == identifier
    assert parse_id(agent_name(identifier), AGENT) == identifier
    assert parse_id(str(identifier), RUN) == parse_id(str(identifier).upper()) == identifier


def test_a_known_ulid_is_spelled_as_its_specification_says() -> None:
    identifier = UUID("01563e3a-b5d3-d676-4c61-efb99302bd5b")
    assert run_name(identifier) == "maip-orch:01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert parse_id("maip-orch:01arz3ndektsv4rrffq69g5fav", RUN) == identifier


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "maip-agent:01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "maip-orch:81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "maip-orch:01ARZ3NDEKTSV4RRFFQ69G5FA",
        "maip-orch:01ARZ3NDEKTSV4RRFFQ69G5FAÜ",
        "{01563e3a-b5d3-d676-4c61-efb99302bd5b}",
        "urn:uuid:01563e3a-b5d3-d676-4c61-efb99302bd5b",
        "01563e3ab5d3d6764c61efb99302bd5b",
        "01563e3a-b5d3-d676-4c61-efb99302bd5b\n",
        "\u06601563e3a-b5d3-d676-4c61-efb99302bd5b",
    ],
)
def test_whatever_else_is_no_id(text: str) -> None:
    assert parse_id(text, RUN) is None


def test_a_name_is_no_id_where_none_is_taken() -> None:
    assert parse_id("maip-orch:01ARZ3NDEKTSV4RRFFQ69G5FAV") is None


def test_a_timestamp_is_in_utc_with_milliseconds_cut_off() -> None:
    moment = datetime(2024, 5, 1, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert timestamps.wire(moment) == "2024-05-01T12:00:00.999Z"
    assert timestamps.wire(datetime(2024, 5, 1, tzinfo=UTC)) == "2024-05-01T00:00:00.000Z"
    assert timestamps.wire(None) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01T12:00:00Z", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("2024-05-01t12:00:00.5z", datetime(2024, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-05-01T14:00:00.123456+02:00", datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2024-05-01 12:00:00-00:30", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("2024-05-01T12:00:00.123456789Z", datetime(2024, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_an_rfc_3339_timestamp_is_read(text: str, moment: datetime) -> None:
    assert timestamps.parse(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2024-05-01",
        "2024-05-01T12:00:00",
        "2024-13-01T12:00:00Z",
        "2024-W18-3T12:00:00Z",
        "1714564800",
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_any_other_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        timestamps.parse(text)
