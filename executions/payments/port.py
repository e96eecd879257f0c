"""The port to payment providers: what one is asked for, and what it says, in our words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from executions.payments.words import RefundStatus


class ProviderUnreachable(Exception):
    """Nobody knows whether it did what it was asked for: it may be asked again, under the same key."""


class ProviderRefused(Exception):
    """It did not do it and will not; the message says why."""


class BadSignature(Exception):
    """The provider did not sign this."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be paid: `amount` in minor units, `title` what a payer reads, `back` where he is led afterwards.

    `checkout_session` is the provider's id of the checkout, once it was opened.
    """

    order_id: UUID
    amount: int
    currency: str
    title: str
    back: str
    checkout_session: str | None


@dataclass(frozen=True, slots=True)
class Paid:
    """Money has arrived for the order under the provider's `reference`: that much, in minor units."""

    order_id: UUID
    reference: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Processing:
    """The payer has done his part; whether the money arrives will be known later."""

    order_id: UUID


@dataclass(frozen=True, slots=True)
class Failed:
    """The order was not paid, and this checkout is over."""

    order_id: UUID


@dataclass(frozen=True, slots=True)
class Expired:
    """Nobody paid in time."""

    order_id: UUID


@dataclass(frozen=True, slots=True)
class RefundMoved:
    """Where the provider's refund `refund` of the charge `reference` stands; `ours` is our id of it, if it is ours."""

    reference: str
    refund: str
    amount: int
    currency: str
    status: RefundStatus
    ours: UUID | None = None
    reason: str | None = None


OrderNotice: TypeAlias = Paid | Processing | Failed | Expired
Notice: TypeAlias = OrderNotice | RefundMoved


@dataclass(frozen=True, slots=True)
class Message:
    """A provider's event whose signature is good; `notice` is None where it is not about an order of ours."""

    event_id: str
    type: str
    notice: Notice | None


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout of the provider: `url` while it can be paid there, `notice` what is known of it otherwise."""

    session: str
    url: str | None
    expires_at: datetime
    notice: OrderNotice | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A refund to be made of the charge `reference`. `refund_id` is the key under which it happens once;
    `again`: it may have been asked for before."""

    refund_id: UUID
    reference: str
    amount: int
    currency: str
    again: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a refund came out, so far; `reference` is the provider's."""

    status: RefundStatus
    reference: str | None = None
    error: str | None = None


class Provider(Protocol):
    """What every provider can do. None of its methods is called inside a transaction where it is `remote`."""

    remote: bool
    """Whether a network stands between."""

    def open_checkout(self, order: Order) -> Checkout | None:
        """The checkout of the order, opened now or before; None where our own page is all there is.

        Raises ProviderUnreachable, ProviderRefused.
        """

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Message:
        """What the provider tells. Raises BadSignature unless it has signed exactly these bytes, lately."""

    def refund(self, wanted: Wanted) -> Outcome:
        """Give money back, once for each refund id. Raises ProviderUnreachable."""
