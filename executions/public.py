"""What a client token opens: one execution, for whoever holds the token, until 30 days after its end."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest

from contract.identifiers import parse_id
from contract.problems import Unauthenticated
from executions.client_tokens import client_token, is_client_token
from executions.models import Execution

TOKEN_PARAMETER = "token"  # noqa: S105 - the parameter's name
TOKEN_HEADER = "X-Client-Token"  # noqa: S105 - the header's name
VALID_FOR = timedelta(days=30)
"""How long a token is good once its execution has ended."""

_NOBODY = UUID(int=0)


def token_of(execution_id: UUID) -> str:
    """The client token of an execution, made with today's key."""
    return client_token(settings.SECRET_KEY, execution_id)


def opened_by(request: HttpRequest, execution_id: str) -> Execution:
    """The execution that the request's token opens, with what was asked for and what it costs.

    Raises Unauthenticated, alike whether the execution is unknown, the token missing, wrong, another's or expired.
    """
    given = set(request.GET.getlist(TOKEN_PARAMETER))
    if TOKEN_HEADER in request.headers:
        given.add(request.headers[TOKEN_HEADER])
    return execution_opened(execution_id, given.pop() if len(given) == 1 else None)


def execution_opened(execution_id: str, token: str | None) -> Execution:
    """As opened_by, for a token at hand; asks the database only where the token is right."""
    identifier = parse_id(execution_id)
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    right = is_client_token(token or "", secrets, identifier or _NOBODY) and identifier is not None
    found = _still_open(identifier) if right and identifier else None
    if found is None:
        message = "a client token of this execution is required"
        raise Unauthenticated(message, headers={"WWW-Authenticate": 'ClientToken realm="traceway"'})
    return found


def _still_open(execution_id: UUID) -> Execution | None:
    lately = Q(finished_at__isnull=True) | Q(finished_at__gt=Now() - VALID_FOR)
    return Execution.objects.select_related("submission", "payment").filter(lately, id=execution_id).first()
