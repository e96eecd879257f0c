"""/.well-known/jwks.json: the public keys that receipts are checked with, of now and of before."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from config.readable import readable
from contract.answers import Answers, Success, Wrapping
from contract.schema import TEXT, listed, record, words
from executions.receipts import keys

_KEY = record(
    {
        "alg": words("EdDSA"),
        "crv": words("Ed25519"),
        "kid": {**TEXT, "description": "The thumbprint of the key (RFC 7638)."},
        "kty": words("OKP"),
        "use": words("sig"),
        "x": TEXT,
    }
)
_CACHED = {"Cache-Control": "public, max-age=300"}


@readable(
    Answers(
        (Success(200, record({"keys": listed(_KEY)}), "A JSON Web Key Set.", Wrapping.NONE, {"Cache-Control": TEXT}),)
    )
)
def jwks(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """The public keys that receipts are checked with, the newest first"""
    return JsonResponse(keys.published(), headers=_CACHED)
