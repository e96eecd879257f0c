"""Ids that hold the moment they were made: they sort by it, and a span of time is a span of ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contract.identifiers import first_id_at, id_at, last_id_at

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
MICROSECOND = timedelta(microseconds=1)


@given(MOMENTS)
def test_an_id_lies_between_the_first_and_the_last_of_its_moment(moment: datetime) -> None:
    assert first_id_at(moment) <= id_at(moment) <= last_id_at(moment)


@given(MOMENTS)
def test_the_ids_of_a_microsecond_come_before_those_of_the_next(moment: datetime) -> None:
    assert last_id_at(moment) < first_id_at(moment + MICROSECOND)


@given(MOMENTS)
def test_it_is_a_uuid_of_version_7_that_tells_its_millisecond(moment: datetime) -> None:
    made = id_at(moment)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def test_two_of_one_moment_differ() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert len({id_at(moment) for _ in range(1000)}) == 1000


def test_a_moment_before_1970_is_before_every_id() -> None:
    assert last_id_at(datetime(1, 1, 1, tzinfo=UTC)) < first_id_at(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
