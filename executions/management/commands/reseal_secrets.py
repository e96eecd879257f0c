"""`manage.py reseal_secrets`: everything that is sealed is sealed anew with the SECRET_KEY of now.

After that SECRET_KEY_FALLBACKS opens nothing that is stored. May run at any time, and again.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model

from executions.models import PaymentAccount, SigningKey, WebhookEndpoint
from tenants.models import Secret
from tenants.sealing import InvalidToken, Purpose, reseal
from workflows.models import WorkflowVersion

SEALED: Final[dict[type[Model], Purpose]] = {
    Secret: Purpose.TENANT,
    WorkflowVersion: Purpose.DEFINITION,
    WebhookEndpoint: Purpose.WEBHOOK_ENDPOINT,
    PaymentAccount: Purpose.PAYMENT_ACCOUNT,
    SigningKey: Purpose.SIGNING_KEY,
}
"""Every table with a column `sealed`."""


class Command(BaseCommand):
    """Seals anew what is sealed."""

    help = "Seal all stored secrets with the SECRET_KEY of now, so that SECRET_KEY_FALLBACKS may be dropped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints how many rows of each table; ends with an error, when all was tried, if some cannot be opened."""
        unreadable = 0
        for model, purpose in SEALED.items():
            done, left = _sealed_anew(model, purpose)
            unreadable += left
            self.stdout.write(f"{model._meta.verbose_name}: {done} sealed anew, {left} unreadable")
        if unreadable:
            raise CommandError(f"{unreadable} were sealed with a key that is neither SECRET_KEY nor a fallback")


def _sealed_anew(model: type[Model], purpose: Purpose) -> tuple[int, int]:
    """How many rows were sealed anew, and how many nobody can open; one that changes meanwhile is sealed with it."""
    done = left = 0
    rows: Any = model._default_manager
    for key, sealed in rows.exclude(sealed="").order_by("id").values_list("id", "sealed").iterator():
        try:
            done += rows.filter(id=key, sealed=sealed).update(sealed=reseal(sealed, purpose))
        except InvalidToken:
            left += 1
    return done, left
