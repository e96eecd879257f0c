"""POST /rows stores a row and publishes a message; GET /rows says that the server is there."""

from __future__ import annotations

from celery import shared_task
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bench.bare.models import Row


@shared_task(name="bare.taken", ignore_result=True)
def taken(row: int) -> None:
    """Nobody carries it out: that would not be the view's work."""


class RowsView(APIView):
    """As small as a view of Django REST framework can be."""

    def get(self, request: Request) -> Response:  # noqa: ARG002 - as the framework calls it
        return Response({})

    def post(self, request: Request) -> Response:
        row = Row(payload=request.data)
        row.save(force_insert=True)
        taken.delay(row.pk)
        return Response({"id": row.pk})


urlpatterns = [path("rows", RowsView.as_view())]
