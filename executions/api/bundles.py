"""GET /v1/executions/{id}/bundle: all that is on record of an execution, in one file that anyone can verify."""

from __future__ import annotations

from typing import Final

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from contract.answers import Answers, Success, Wrapping
from contract.schema import TEXT
from executions.provenance.bundle import MEDIA_TYPE, bundle_of, file_name
from executions.reading import execution_of
from tenants.door import Door, takes

BUNDLE: Final = Success(
    200,
    {**TEXT, "contentMediaType": MEDIA_TYPE},
    "A zip, as docs/provenance.md describes it; what did not change gives the same bytes.",
    Wrapping.NONE,
    {"Content-Disposition": {**TEXT, "description": "The name to save it under."}},
    media_type=MEDIA_TYPE,
)


class BundleDoor(Door):
    """Bundles of executions of the caller's tenant."""

    @takes("executions:read", answers=Answers((BUNDLE,)))
    def show(self, execution_id: str) -> HttpResponseBase:
        """All that is on record of it. One that goes on has no receipt yet."""
        execution = execution_of(self.tenant, execution_id)
        headers = {"Content-Disposition": f'attachment; filename="{file_name(execution.id)}"'}
        with bundle_of(execution.id) as file:
            return HttpResponse(file.read(), content_type=MEDIA_TYPE, headers=headers)
