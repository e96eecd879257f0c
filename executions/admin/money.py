"""The windows on money: payments, charges, refunds, the ledger, providers' events, and tenants' accounts with them."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from contract.identifiers import parse_id
from executions import commands
from executions.admin import panels
from executions.admin.acting import CONFIRM
from executions.admin.operating import Question, ask_and_act
from executions.admin.windows import EngineAdmin, OfExecutionAdmin
from executions.models import Charge, LedgerEntry, Payment, PaymentAccount, PaymentEvent, Refund
from executions.money import formatted
from executions.payments.settling import send
from executions.payments.words import RefundStatus


class AmountField(forms.IntegerField):
    """Minor units of the currency; nothing written is all that is left."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            min_value=1,
            widget=UnfoldAdminTextInputWidget(),
            help_text="In minor units (cents). Empty: all that is left.",
        )


REFUND = Question(
    "refund", "Give the payment back", "reason", 1000, "Give the money back", others={"amount": AmountField}
)


class OfOrderAdmin(EngineAdmin):
    """Rows that belong to an order: searched by its id or its execution's, newest first."""

    search_fields = ("payment",)
    search_help_text = "the order's id or the execution's"
    ordering = ("-id",)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        rows: QuerySet[Any],
        term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Those of one order."""
        if not term:
            return rows, False
        identifier = parse_id(term.strip())
        order = orders_named(Payment.objects.all(), identifier).first() if identifier else None
        return (rows.filter(payment=order) if order else rows.none()), False

    @admin.display(description="order")
    def of_order(self, row: Any) -> SafeString | str:
        """A link, without reading the order."""
        return panels.page_of(Payment(order_id=row.payment_id)) if row.payment_id else "-"

    @admin.display(description="amount")
    def price(self, row: Any) -> str:
        """As people write it."""
        return formatted(row.amount, row.currency)


def orders_named(rows: QuerySet[Payment], identifier: Any) -> QuerySet[Payment]:
    """The order with this id, else that of the execution with this id."""
    orders = rows.filter(order_id=identifier)
    return orders if orders.exists() else rows.filter(execution=identifier)


@admin.register(Payment)
class PaymentAdmin(OfExecutionAdmin):
    """Payments; one that an operator sees to is confirmed here, and any is given back here."""

    list_display = ("order_id", "coloured", "price", "provider", "tenant", "reference", "created_at", "of_execution")
    list_filter = ("status", "tenant")
    list_select_related = ("tenant",)
    search_help_text = "the order's id or the execution's"
    actions = ("confirm", "refund")
    change_form_after_template = "executions/payment_page.html"
    fields = (
        ("order_id", "coloured", "price"), "of_execution", ("provider", "reference", "checkout_session_id"),
        ("refund_policy", "given_back", "tenant"), ("created_at", "paid_at", "expires_at"),
    )  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:  # noqa: ARG002
        """Newest first."""
        return ("-order_id",)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        rows: QuerySet[Payment],
        term: str,
    ) -> tuple[QuerySet[Payment], bool]:
        """By the order's id, else by the execution's."""
        identifier = parse_id(term.strip())
        if not term:
            return rows, False
        return (orders_named(rows, identifier) if identifier else rows.none()), False

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **members: Any) -> HttpResponse:
        """With the tables of what came in, what was given back, and what the ledger says."""
        if (payment := members.get("obj")) is not None:
            context |= {"charges": charges_table(payment), "refunds": refunds_table(payment)}
            context |= {"ledger": ledger_table(payment)}
        return super().render_change_form(request, context, **members)  # type: ignore[no-any-return]

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        """Those who may change payments."""
        return request.user.has_perm("executions.change_payment")

    @admin.action(description="Confirm the chosen payments", permissions=("confirm",))
    def confirm(self, request: HttpRequest, rows: QuerySet[Payment]) -> HttpResponse | None:
        """Asks for a reference."""
        return ask_and_act(self, request, rows, CONFIRM, commands.confirm_payment, back=request.get_full_path())

    @admin.action(description="Give the chosen payments back", permissions=("confirm",))
    def refund(self, request: HttpRequest, rows: QuerySet[Payment]) -> HttpResponse | None:
        """Asks for an amount and a reason."""
        return ask_and_act(self, request, rows, REFUND, _refund, back=request.get_full_path())

    @admin.display(description="price")
    def price(self, row: Payment) -> str:
        """As people write it."""
        return formatted(row.amount, row.currency)

    @admin.display(description="given back")
    def given_back(self, row: Payment) -> str:
        """As people write it."""
        return formatted(row.refunded_amount, row.currency)


def _refund(row: Payment, reason: str, actor: str, *, amount: int | None) -> None:
    _, refund = commands.refund_payment(row, amount, reason, actor)
    if refund.status == RefundStatus.PENDING:
        transaction.on_commit(partial(send, refund.id))


def charges_table(payment: Payment) -> panels.Table:
    """Money that came in for an order."""
    rows = [
        [charge.reference, formatted(charge.amount, charge.currency), "paid it" if charge.main else "stray",
         formatted(charge.refunded_amount, charge.currency), panels.moment(charge.received_at)]
        for charge in payment.charges.order_by("id")
    ]  # fmt: skip
    return {"headers": ["reference", "amount", "", "given back", "received"], "rows": rows}


def refunds_table(payment: Payment) -> panels.Table:
    """Money that was given back, or is about to be."""
    rows = [
        [panels.page_of(refund), panels.badge(refund.status), formatted(refund.amount, refund.currency), refund.reason,
         refund.actor, panels.moment(refund.created_at), refund.error or "-"]
        for refund in payment.refunds.order_by("id")
    ]  # fmt: skip
    return {"headers": ["refund", "status", "amount", "reason", "by", "created", "error"], "rows": rows}


def ledger_table(payment: Payment) -> panels.Table:
    """The lines of the ledger that an order has."""
    rows = [
        [panels.moment(one.created_at), one.posting.replace("_", " "), one.account.replace("_", " "),
         formatted(one.amount, one.currency)]
        for one in payment.entries.order_by("id")
    ]  # fmt: skip
    return {"headers": ["when", "posting", "account", "amount"], "rows": rows}


@admin.register(Charge)
class ChargeAdmin(OfOrderAdmin):
    """Money that arrived."""

    list_display = ("id", "price", "provider", "reference", "main", "received_at", "of_order")


@admin.register(Refund)
class RefundAdmin(OfOrderAdmin):
    """Money that is given back."""

    list_display = ("id", "coloured", "price", "cause", "reason", "actor", "created_at", "tries", "of_order")

    @admin.display(description="status")
    def coloured(self, row: Refund) -> SafeString:
        """The status in its colour."""
        return panels.badge(row.status)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(OfOrderAdmin):
    """The lines of the ledger."""

    list_display = ("id", "created_at", "posting", "account", "price", "source", "of_order")


@admin.register(PaymentEvent)
class PaymentEventAdmin(OfOrderAdmin):
    """What providers told."""

    list_display = ("id", "received_at", "provider", "type", "outcome", "event_id", "of_order")
    fields = (
        ("provider", "type", "outcome"), ("event_id", "reference"), "of_order", ("tenant", "received_at"),
        "readable_notice",
    )  # fmt: skip

    @admin.display(description="understood as")
    def readable_notice(self, row: PaymentEvent) -> SafeString | str:
        """Indented."""
        return panels.pretty(row.notice)


@admin.register(PaymentAccount)
class PaymentAccountAdmin(EngineAdmin):
    """Where tenants' orders are paid. `manage.py set_payment_account` sets one; its keys are shown to nobody."""

    list_display = ("tenant", "provider", "active", "created_at", "updated_at")
    list_select_related = ("tenant",)
    exclude = ("secret_hash",)
