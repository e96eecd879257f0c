"""The words of money, each once: providers, where a refund stands and why it was asked for, accounts. Pure."""

from __future__ import annotations

from enum import StrEnum

MANUAL = "manual"
SANDBOX = "sandbox"
STRIPE = "stripe"
PROVIDERS = frozenset({MANUAL, SANDBOX, STRIPE})
CONFIRMABLE = frozenset({MANUAL, SANDBOX})
"""Providers whose payments an operator or the API may confirm: no network stands between us and them."""


class RefundStatus(StrEnum):
    """Where a refund stands. Each value says who moves it out."""

    PENDING = "pending"  # whoever asked for it, its provider's webhook, or the sweeper
    SUCCEEDED = "succeeded"  # the provider, where the money came back to it after all
    FAILED = "failed"  # nobody


class Cause(StrEnum):
    """Why money is given back."""

    ASKED = "asked"  # a caller or an operator
    POLICY = "policy"  # the execution failed or was cancelled
    STRAY = "stray"  # nothing awaited the payment
    PROVIDER = "provider"  # it was given back at the provider, not by us


class EventOutcome(StrEnum):
    """What became of a provider's event."""

    APPLIED = "applied"
    EARLY = "early"  # a refund of a payment that we have not heard of yet
    INCIDENT = "incident"  # it names an order of another tenant


class LedgerAccount(StrEnum):
    """The accounts of the ledger: what stands with the provider, what was sold, what is owed back, what it cost."""

    PROVIDER = "provider"
    SALES = "sales"
    REFUNDS_OWED = "refunds_owed"
    FEES = "fees"


class Posting(StrEnum):
    """What an entry of the ledger is for: its source is a charge (paid) or a refund (all others)."""

    PAID = "paid"
    REFUND_ASKED = "refund_asked"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    REFUND_CAME_BACK = "refund_came_back"
