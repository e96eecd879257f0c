"""/v1/public/executions/{id}/stream: one execution's events, as a stranger may see them."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.http.response import HttpResponseBase

from contract import json_values
from contract.answers import Answers
from contract.queries import parameters, text
from executions.api import public
from executions.api.public_answers import PUBLIC_EVENT
from executions.api.streams import MAX_SECONDS, OVER, RESUMING, execution_stream, rows_of, stream_of
from executions.public import opened_by
from executions.streaming import sse
from executions.streaming.following import Told
from executions.streaming.stream import Terms
from tenants.door import takes


class PublicStreamDoor(public.PublicExecutionDoor):
    """The same execution as a stream, for whoever holds its token."""

    @takes(
        None,
        query=parameters(token=text, max_seconds=MAX_SECONDS),
        headers={**RESUMING, **public.TOKEN},
        answers=Answers((stream_of(PUBLIC_EVENT), OVER), refusals=(401,)),
    )
    def of_execution(self, execution_id: str) -> HttpResponseBase:
        """Every event of it, up to its end."""
        request = self.request._request
        still_open = partial(opened_by, request, execution_id)
        terms = Terms(settings.STREAM_HEARTBEAT_SECONDS, still_open, self.query.get("max_seconds"))
        return execution_stream(request, self.execution, shown, terms)


def shown(told: Told) -> bytes:
    """An event as the public view has it: nothing that the workflow read, made or said."""
    _, event, runs = rows_of(told)
    return sse.frame(str(told.sequence), told.type, json_values.dump(public.show_event(event, runs)))
