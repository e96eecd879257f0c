"""Amounts as Stripe wants them: its smallest unit is not ISO 4217's for every currency. Pure."""

from __future__ import annotations

from executions.payments.port import ProviderRefused

_HUNDREDTHS = frozenset({"ISK", "UGX"})
"""Without a minor unit, but told to Stripe in hundredths."""
_WHOLE = frozenset({"MGA"})
"""With a minor unit, but told to Stripe in whole units."""


def to_stripe(amount: int, currency: str) -> int:
    """`amount` minor units by ISO 4217 in Stripe's unit. Raises ProviderRefused for what it cannot say."""
    if currency in _HUNDREDTHS:
        return amount * 100
    if currency in _WHOLE and amount % 100:
        raise ProviderRefused(f"{currency} is paid in whole units only")
    return amount // 100 if currency in _WHOLE else amount


def from_stripe(amount: int, currency: str) -> int:
    """The minor units by ISO 4217 that Stripe's amount is."""
    if currency in _HUNDREDTHS:
        return amount // 100
    return amount * 100 if currency in _WHOLE else amount
