"""Streams without a database: what is sent, and that everybody is given everything once, however it is read."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from executions.streaming import sse
from executions.streaming.following import (
    Follower,
    OfExecution,
    OfTenant,
    Place,
    Told,
    at_places,
    at_sequences,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
TENANTS = [UUID(int=number) for number in range(3)]


def told(tenant: UUID, place: Place, *, sequence: int = 1) -> Told:
    xid, number = place
    execution, workflow = UUID(int=tenant.int + 100), UUID(int=9)
    return Told(number, xid, execution, tenant, workflow, None, "r", sequence, "step.started", "s", "{}", START)


def show(event: Told) -> bytes:
    return f"{event.xid}.{event.id} ".encode()


def show_sequence(event: Told) -> bytes:
    return f"{event.sequence} ".encode()


class Inbox:
    """A follower, and what it has handed on."""

    def __init__(self, source: OfExecution | OfTenant, after: int | Place) -> None:
        self.rung = 0
        self.follower = Follower(source, after, self._ring)
        self.received = b""

    def _ring(self) -> None:
        self.rung += 1

    def take(self) -> None:
        self.received += self.follower.handed_on()


def test_an_event_is_sent_as_its_cursor_its_type_and_one_line_of_json() -> None:
    assert sse.frame("7", "step.started", '{"title":"Größe"}') == (
        'id: 7\nevent: step.started\ndata: {"title":"Größe"}\n\n'.encode()
    )


def test_what_is_no_event_is_a_comment() -> None:
    for part in (sse.OPENING, sse.HEARTBEAT):
        assert part.startswith(b":")
        assert part.endswith(b"\n\n")
        assert part.count(b"\n") == 2


def test_who_has_not_handed_on_what_he_was_given_is_given_nothing_more() -> None:
    inbox = Inbox(OfTenant(TENANTS[0], show), (0, 0))
    [group] = at_places([inbox.follower])
    group.give([told(TENANTS[0], (1, 1))], (1, 1), more=False)
    assert not inbox.follower.hungry
    inbox.take()
    assert inbox.follower.hungry
    assert (inbox.follower.after, inbox.received) == ((1, 1), b"1.1 ")


def test_a_look_that_found_nothing_for_him_moves_a_follower_on_without_a_ring() -> None:
    inbox = Inbox(OfTenant(TENANTS[0], show), (0, 0))
    [group] = at_places([inbox.follower])
    group.give([told(TENANTS[1], (5, 1))], (5, 1), more=True)
    assert (inbox.follower.after, inbox.rung, inbox.follower.hungry) == ((5, 1), 0, True)


def test_an_execution_that_has_ended_ends_its_stream_once_everything_was_handed_on() -> None:
    inbox = Inbox(OfExecution(UUID(int=100), show_sequence), 0)
    [group] = at_sequences([inbox.follower])
    group.give([told(TENANTS[0], (1, n), sequence=n) for n in (1, 2)], more=False, ended=True)
    assert (inbox.follower.after, inbox.follower.ended, inbox.follower.waiting) == (2, True, [b"1 ", b"2 "])
    inbox.take()
    assert not inbox.follower.hungry


def test_those_who_need_the_same_are_read_for_together() -> None:
    one, other = OfExecution(UUID(int=1), show), OfExecution(UUID(int=2), show)
    followers = [Inbox(source, after).follower for source, after in ((one, 0), (one, 0), (one, 3), (other, 0))]
    assert [len(group.followers) for group in at_sequences(followers)] == [2, 1, 1]
    tenants = [Inbox(OfTenant(tenant, show), place).follower for tenant in TENANTS for place in ((1, 1), (0, 5))]
    assert [(group.after, len(group.followers)) for group in at_places(tenants)] == [((0, 5), 3), ((1, 1), 3)]
    assert at_places(followers) == []
    assert at_sequences(tenants) == []


rounds = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4), st.sets(st.integers(0, 3))), max_size=12)
"""Of each: how many more events can be read, how many are read at once, which followers hand on what they have."""


@given(st.lists(st.sampled_from(TENANTS), max_size=25), rounds)
def test_every_follower_of_a_tenant_is_given_every_event_of_it_once_and_in_order(
    owners: list[UUID], looks: list[tuple[int, int, set[int]]]
) -> None:
    events = [told(tenant, (1 + number // 3, number)) for number, tenant in enumerate(owners)]
    inboxes = [Inbox(OfTenant(tenant, show), (0, 0)) for tenant in (*TENANTS, TENANTS[0])]
    visible = 0
    for more, most, takers in [*looks, *[(len(events), 4, {0, 1, 2, 3})] * (1 + len(events))]:
        visible += more
        for group in at_places(inbox.follower for inbox in inboxes if inbox.follower.hungry):
            found = [event for event in events[:visible] if event.place > group.after][:most]
            if found:
                wanted = [event for event in found if event.tenant_id in group.tenants]
                group.give(wanted, found[-1].place, more=len(found) == most)
        for taker in takers:
            inboxes[taker].take()
    for inbox, tenant in zip(inboxes, (*TENANTS, TENANTS[0]), strict=True):
        assert inbox.received == b"".join(show(event) for event in events if event.tenant_id == tenant)
