"""`manage.py set_payment_account --tenant SLUG --provider stripe|manual`: where new orders of a tenant are paid.

The keys of stripe are read from standard input, so that they stand in no list of processes and no shell history.
"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from contract.problems import Refusal
from executions.models import PaymentAccount
from executions.payments import accounts
from executions.payments.words import MANUAL, STRIPE
from tenants import registry
from tenants.models import Tenant


class Command(BaseCommand):
    """Sets the payment account of a tenant."""

    help = (
        "Have new orders of a tenant paid at a provider. For stripe, standard input has the secret API key on its "
        "first line and the signing secret of the webhook endpoint on its second."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """--tenant and --provider."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        parser.add_argument("--provider", required=True, choices=[MANUAL, STRIPE])

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the id of the account, or ends with what is wrong."""
        try:
            tenant = registry.tenant_named(options["tenant"])
            account = accounts.use_by_hand(tenant) if options["provider"] == MANUAL else self._stripe(tenant)
        except Refusal as error:
            raise CommandError(error.message) from error
        self.stdout.write(str(account.id))

    def _stripe(self, tenant: Tenant) -> PaymentAccount:
        lines = [line.strip() for line in sys.stdin.read().splitlines() if line.strip()]
        if len(lines) != 2:
            raise CommandError("two lines are wanted on standard input: the API key and the webhook's signing secret")
        return accounts.use_stripe(tenant, *lines)
