"""Door: the viewset every authenticated route is made of. It checks a request in exactly the contract's order.

    class ThingDoor(Door):
        @takes("things:read", query=listing(status=text), answers=pages(THING))  # query -> self.query; {} if left out
        def index(self) -> Answer:
            return self.page(self.newest_first(things.all_of(self.tenant), self.query.window), show)

        @takes("things:write", body=CreateThing.read, answers=created(THING))    # body -> self.input; {} if left out
        def create(self) -> Answer:
            thing = things.create(self.tenant, **self.input)     # already inside a transaction, at most once per key
            return self.created(show(thing), f"/v1/things/{thing.id}")

        @takes("things:write", answers=shown(THING, refuses=(409,)))             # what stands in the OpenAPI document
        def cancel(self, thing_id: str) -> Answer:               # an id of the path is looked up by the room, not here
            return self.ok(show(things.cancel(self.tenant, thing_id)))

    path("v1/things", ThingDoor.as_view({"get": "index", "post": "create"}))
    path("v1/things/<str:thing_id>/cancel", ThingDoor.as_view({"post": "cancel"}))

Refusals are raised (contract/problems.py); what they look like is config/errors.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, cast

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from contract.answers import Answers
from contract.away import at_hand
from contract.dialects import Dialect
from contract.http import BODY_LIMIT, Answer, JsonRegardless, JsonRenderer, absolute, read_json, request_id
from contract.json_values import JSON
from contract.pages import Keys, Page, Window, newest_first
from contract.problems import MethodNotAllowed
from contract.queries import Query, parameters
from contract.schema import Schema
from contract.shapes import Shape, nothing
from tenants import rate_limits
from tenants.authentication import Credential, KeyAuthentication, check_tenant_header
from tenants.idempotency import HEADER, Once, agreed_key, at_most_once, digest_of
from tenants.models import Tenant

M = TypeVar("M", bound=Model)
Action = TypeVar("Action", bound=Callable[..., HttpResponseBase])

_SAFE = frozenset({"GET", "HEAD"})
_NO_PARAMETERS = parameters()


@dataclass(frozen=True, slots=True)
class Rules:
    """What an action takes; see takes()."""

    scope: str | None
    answers: Answers
    body: Callable[[JSON], Any] = nothing
    shape: Schema | type[Shape] | None = None
    query: Query[Any] = _NO_PARAMETERS
    limit: int = BODY_LIMIT
    keyless: bool = False
    whole: bool = False
    headers: Mapping[str, Schema] = field(default_factory=dict)

    def body_schema(self) -> Schema | None:
        """What `body` takes, as a JSON Schema; None where nobody has said it."""
        shape = self.shape or getattr(self.body, "__self__", None)
        return shape().described() if isinstance(shape, type) else shape


def takes(
    scope: str | None,
    *,
    answers: Answers,
    body: Callable[[JSON], Any] = nothing,
    shape: Schema | type[Shape] | None = None,
    query: Query[Any] = _NO_PARAMETERS,
    limit: int = BODY_LIMIT,
    keyless: bool = False,
    whole: bool = False,
    headers: Mapping[str, Schema] = MappingProxyType({}),
) -> Callable[[Action], Action]:
    """Declares an action of a Door. Without this, a method of it answers nothing but a 500.

    `scope`: what the credential must have (None: any good one will do). `body`: the JSON of a mutation to self.input;
    `shape`: what it takes, where it is not the `read` of a Shape. `query`: the QueryDict to self.query. `limit`: the
    most bytes of the body. `keyless`: takes no idempotency key. `whole`: all that it writes it writes last, in one
    statement or in its own transaction, so that without a key none is opened around it. For the OpenAPI document:
    `headers` that the action reads, and its `answers`.
    """

    def declare(action: Action) -> Action:
        action.rules = Rules(scope, answers, body, shape, query, limit, keyless, whole, headers)  # type: ignore[attr-defined]
        return action

    return declare


class Door(ViewSet):
    """See the module. While an action runs, the attributes below are set; `body` and `input` for mutations only."""

    authentication_classes = (KeyAuthentication,)
    permission_classes = ()
    renderer_classes = (JsonRenderer,)
    content_negotiation_class = JsonRegardless

    key_member: ClassVar[str | None] = None
    """The body's member that is the same as the header Idempotency-Key."""

    credential: Credential
    tenant: Tenant
    body: JSON
    input: Any
    query: Any

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The answer of the action, or of the first check that fails."""
        self.args, self.kwargs = args, kwargs
        self.headers: dict[str, str] = {}
        self.request: Request = self.initialize_request(request, *args, **kwargs)
        try:
            answer: Any = self._answer(self.request)
        except Exception as error:  # noqa: BLE001 - config/errors.py has an answer for every exception
            answer = self.handle_exception(error)
        self.response = self.finalize_response(self.request, answer, *args, **kwargs)
        return self.response

    def check_headers(self) -> None:
        """What a mutation wants besides its rules, of its headers or of a scope that depends on its body; raises."""

    def idempotency_key(self) -> str | None:
        """The key under which this mutation happens at most once; None where there is none or none is taken."""
        if self.rules.keyless:
            return None
        member = self.body.get(self.key_member) if self.key_member else None
        return agreed_key(self.request.headers.get(HEADER), member or None, f"/{self.key_member}")

    def after_commit(self, answer: Answer) -> Answer:
        """The answer to a mutation that is done, or was before, by the time it is sent. No transaction is open here."""
        return answer

    def revive(self, body: JSON) -> JSON:
        """`body`, a stored answer, with what is not stored of it put back, where that can be derived again."""
        return body

    @property
    def dialect(self) -> Dialect:
        """The dialect of this path."""
        return Dialect.of(self.request.path)

    @property
    def request_id(self) -> str:
        """The request's id."""
        return request_id(self.request)

    def ok(self, value: JSON, *, unstored: tuple[str, ...] = (), headers: Mapping[str, str] | None = None) -> Answer:
        """200 with `value` in the dialect's envelope; `unstored` are pointers into `value`."""
        return self._wrapped(value, 200, unstored, headers or {})

    def created(
        self, value: JSON, path: str, *, unstored: tuple[str, ...] = (), headers: Mapping[str, str] | None = None
    ) -> Answer:
        """201 with the Location of `path`; in the executions dialect 200."""
        if self.dialect is Dialect.EXECUTIONS:
            return self.ok(value, unstored=unstored, headers=headers)
        return self._wrapped(value, 201, unstored, {"Location": absolute(path), **(headers or {})})

    def gone(self) -> Answer:
        """204."""
        return Answer(None, 204)

    def page(self, page: Page[Any], show: Callable[[Any], JSON]) -> Answer:
        """200 with a page of what `show` makes of each item."""
        return Answer(self.dialect.page(page.map(show), self.request_id))

    def newest_first(
        self, rows: QuerySet[M], window: Window, *, key: str = "id", among: Sequence[Keys] = ()
    ) -> Page[M]:
        """The page of `rows` that `window` asks for, its cursor bound to this tenant's list at this path, so filtered.

        `among`: where its keys are found, if not in `rows` (contract/pages.py).
        """
        filters = sorted(getattr(self.query, "filters", {}).items())
        binding = f"{self.tenant.id}{self.request.path}{filters or ''}"
        return newest_first(rows, window, binding=binding, key=key, among=among)

    def _answer(self, request: Request) -> HttpResponseBase:
        if request.method == "OPTIONS":
            return Answer(None, 204, headers={"Allow": self._allowed()})
        if self.action is None:
            raise MethodNotAllowed(f"{request.method} is not allowed here", headers={"Allow": self._allowed()})
        action = getattr(self, self.action)
        self.rules: Rules = action.rules
        self._admit(request)
        if request.method in _SAFE:
            self.query = self.rules.query(request.query_params)
            return cast("Answer", action(**self.kwargs))
        self.body = read_json(request._request, self.rules.limit)
        self.query = self.rules.query(request.query_params)
        self.input = self.rules.body(self.body)
        self.check_headers()
        return self.after_commit(at_hand(lambda: self._mutate(lambda: action(**self.kwargs))))

    def _admit(self, request: Request) -> None:
        self.credential = cast("Credential", request.auth)
        self.tenant = self.credential.tenant
        if standing := rate_limits.take(*self.credential.buckets):
            self.headers.update(standing.headers)
        check_tenant_header(request._request, self.tenant)
        if self.rules.scope:
            self.credential.require(self.rules.scope)

    def _mutate(self, act: Callable[[], Answer]) -> Answer:
        key = self.idempotency_key()
        if key is None:
            with nullcontext() if self.rules.whole else transaction.atomic():
                return act()
        field = f"header.{HEADER}" if HEADER in self.request.headers else f"/{self.key_member}"
        once = Once(self.tenant.id, str(self.request.method), self.request.path, key, self._body_digest(), field)
        return at_most_once(once, act, self.revive)

    def _body_digest(self) -> str:
        if not self.key_member:
            return digest_of(self.body)
        return digest_of({name: value for name, value in self.body.items() if name != self.key_member})

    def _allowed(self) -> str:
        return ", ".join(self.allowed_methods)

    def _wrapped(self, value: JSON, status: int, unstored: tuple[str, ...], headers: Mapping[str, str]) -> Answer:
        prefix = "" if self.dialect is Dialect.WORKFLOW else "/data"
        body = self.dialect.success(value, self.request_id)
        return Answer(body, status, headers=headers, unstored=[prefix + pointer for pointer in unstored])
