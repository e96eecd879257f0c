"""Fetching the key set that an issuer publishes, through the egress guard; when to is tenants/key_sets.py."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from contract import json_values
from tenants import egress, jwks
from tenants.jwks import Keys
from tenants.key_sets import PATIENCE, KeySets, NotFetched

LARGEST: Final = 256 * 1024
"""Bytes of a set."""


def check_address(url: str) -> None:
    """Raises ValueError unless a set may be fetched from `url`: by https, or from a host that the settings allow."""
    parts = urlsplit(url)
    plain = parts.scheme == "http" and not {parts.hostname, parts.netloc}.isdisjoint(settings.EGRESS_ALLOWED_HOSTS)
    if not parts.hostname or "@" in parts.netloc or not (parts.scheme == "https" or plain):
        raise ValueError("an address that begins with https:// and names no user is wanted")


def fetch(url: str) -> Keys:
    """The usable keys of the set at `url`, of at most LARGEST bytes. Raises NotFetched."""
    until = time.monotonic() + PATIENCE
    try:
        check_address(url)
        with egress.client(settings.EGRESS_ALLOWED_HOSTS) as client:
            return jwks.sifted(json_values.parse(_body(client, url, until)))
    except (httpx.HTTPError, httpx.InvalidURL, egress.EgressRefused, ValueError) as error:
        raise NotFetched(f"{type(error).__name__}: {error}") from error


def _body(client: httpx.Client, url: str, until: float) -> bytes:
    # Plain bytes are asked for: how large a compressed answer would become is not known before it is unpacked.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    body = bytearray()
    with client.stream("GET", url, headers=headers, timeout=PATIENCE) as response:
        if response.status_code != httpx.codes.OK or "Content-Encoding" in response.headers:
            raise NotFetched(f"the answer is {response.status_code}")
        for part in response.iter_raw():
            body += part
            if len(body) > LARGEST:
                raise NotFetched(f"the set has more than {LARGEST} bytes")
            if time.monotonic() > until:
                raise NotFetched(f"the set took more than {PATIENCE} s")
    return bytes(body)


KNOWN: Final = KeySets(fetch)
"""The sets that this process has seen."""
