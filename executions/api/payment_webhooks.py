"""/v1/payments/{provider}/webhook: what payment providers tell. Their signature over the body is the credential."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from contract.answers import shown
from contract.http import Answer, read_bytes
from contract.problems import NotFound
from contract.schema import FREE_OBJECT, TEXT, Component, record
from contract.shapes import nothing
from executions.payments.webhooks import receive
from executions.payments.words import PROVIDERS
from tenants.door import Door, takes

RECEIVED = Component("PaymentWebhookReceived", record({"received": {"const": True}}))
SIGNATURE = {"Stripe-Signature": {**TEXT, "description": "Of the provider `stripe`: by its own scheme."}}


class PaymentWebhookDoor(Door):
    """Where a payment provider tells what became of an order. It signs what it sends."""

    authentication_classes = ()  # type: ignore[assignment] # a tuple of none is one of any length

    @takes(
        None,
        body=nothing,
        shape=FREE_OBJECT,
        keyless=True,
        headers=SIGNATURE,
        answers=shown(RECEIVED, "It was taken in, or is not about an order here."),
    )
    def receive(self, provider: str) -> Answer:
        """Take in an event, once, in whatever order events come."""
        raise NotImplementedError

    def _answer(self, request: Request) -> HttpResponseBase:
        """As any door, but that the signature stands over the bytes, and each event has a transaction of its own."""
        if self.action != "receive":
            return super()._answer(request)
        self.rules = self.receive.rules  # type: ignore[attr-defined]
        provider = self.kwargs["provider"]
        if provider not in PROVIDERS:
            raise NotFound("there is no such provider")
        body = read_bytes(request._request, self.rules.limit)
        self.rules.query(request.query_params)
        receive(provider, body, request.headers)
        return self.ok({"received": True})
