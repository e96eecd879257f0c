"""Routes that anyone may read, outside of every envelope: health, metrics, the document. Each has a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from config import errors
from contract.answers import Answers
from contract.problems import MethodNotAllowed
from tenants.door import Rules

View = Callable[[HttpRequest], HttpResponse]
ALLOW: Final = {"Allow": "GET, HEAD, OPTIONS"}


def readable(answers: Answers) -> Callable[[View], View]:
    """Makes a view a documented route of GET and HEAD; any other method is 405."""

    def declare(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest) -> HttpResponse:
            if request.method == "OPTIONS":
                return HttpResponse(status=204, headers=ALLOW)
            if request.method not in {"GET", "HEAD"}:
                return errors.answer(request, MethodNotAllowed(f"{request.method} is not allowed here", headers=ALLOW))
            return view(request)

        made: Any = csrf_exempt(checked)
        made.rules, made.actions = Rules(None, answers, keyless=True), {"get": view.__name__}
        return cast("View", made)

    return declare
