"""Where a tenant's orders are paid: its account with a provider, whose keys are sealed at rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from contract.problems import Conflict, FieldProblem, InvalidInput
from executions.models import PaymentAccount
from executions.payments.by_hand import ByHand
from executions.payments.port import Provider, ProviderUnreachable
from executions.payments.stripe_checkout import Stripe
from executions.payments.words import CONFIRMABLE, MANUAL, SANDBOX, STRIPE
from tenants.models import Tenant
from tenants.sealing import Purpose, seal, unseal

API_KEY = "api_key"
WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - a name, no secret
_PREFIXES = {API_KEY: ("sk_", "rk_"), WEBHOOK_SECRET: ("whsec_",)}


def provider_for(tenant_id: UUID) -> str:
    """Where a new order of the tenant is paid: its active account, else the sandbox where it is on, else by hand."""
    active = PaymentAccount.objects.filter(tenant_id=tenant_id, active=True).values_list("provider", flat=True).first()
    return active or (SANDBOX if settings.PAYMENTS_SANDBOX else MANUAL)


def provider_of(tenant_id: UUID, name: str) -> Provider:
    """The tenant's provider of that name. Raises ProviderUnreachable where it has no account there."""
    if name in CONFIRMABLE:
        return ByHand()
    account = PaymentAccount.objects.filter(tenant_id=tenant_id, provider=name).first()
    if account is None:
        raise ProviderUnreachable(f"the tenant has no account at {name}")
    return _stripe(account)


def accounts_at(name: str) -> Iterator[tuple[UUID, Provider]]:
    """Every tenant with an account there, and its provider."""
    for account in PaymentAccount.objects.filter(provider=name).exclude(sealed="").order_by("id"):
        yield account.tenant_id, _stripe(account)


def use_stripe(tenant: Tenant, api_key: str, webhook_secret: str) -> PaymentAccount:
    """Have new orders of the tenant paid at Stripe; keys that it had are replaced, for earlier orders too.

    Raises InvalidInput for what is no key; Conflict where the secret is another tenant's.
    """
    keys = {API_KEY: api_key.strip(), WEBHOOK_SECRET: webhook_secret.strip()}
    problems = [
        FieldProblem(f"/{name}", "invalid", f"it begins with {' or '.join(_PREFIXES[name])}")
        for name, key in keys.items()
        if not (key.startswith(_PREFIXES[name]) and key.isascii() and key.isprintable())
    ]
    if problems:
        raise InvalidInput("; ".join(f"{one.field[1:]}: {one.message}" for one in problems), fields=problems)
    digest = hashlib.sha256(keys[WEBHOOK_SECRET].encode()).hexdigest()
    try:
        return _put(tenant, STRIPE, sealed=seal(keys, Purpose.PAYMENT_ACCOUNT), secret_hash=digest)
    except IntegrityError as error:
        raise Conflict("another tenant has this webhook secret", reason="secret_taken") from error


def use_by_hand(tenant: Tenant) -> PaymentAccount:
    """Have an operator confirm new orders of the tenant. Its account elsewhere is kept for the orders there."""
    return _put(tenant, MANUAL, sealed="", secret_hash=None)


@transaction.atomic
def _put(tenant: Tenant, provider: str, **columns: str | None) -> PaymentAccount:
    PaymentAccount.objects.filter(tenant=tenant).exclude(provider=provider).update(active=False)
    account, _ = PaymentAccount.objects.update_or_create(
        tenant=tenant,
        provider=provider,
        defaults={**columns, "active": True, "updated_at": Now()},
        create_defaults={**columns, "active": True, "updated_at": Now(), "created_at": Now()},
    )
    return account


def _stripe(account: PaymentAccount) -> Provider:
    return _opened(account.sealed)


@lru_cache(maxsize=1024)
def _opened(sealed: str) -> Stripe:
    """Unsealing costs more than checking a signature."""
    keys = unseal(sealed, Purpose.PAYMENT_ACCOUNT)
    return Stripe(keys[API_KEY], keys[WEBHOOK_SECRET])
