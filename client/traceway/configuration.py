"""Where the API is and which key opens it: arguments, else the environment. The command line also has a file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from traceway.errors import NotConfigured

URL = "TRACEWAY_URL"
KEY = "TRACEWAY_API_KEY"


@dataclass(frozen=True, slots=True)
class Access:
    """An address without its last slash, and a key that is never shown."""

    url: str
    key: str = field(repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the address is this machine's own, to which no proxy leads."""
        return urlsplit(self.url).hostname in {"localhost", "127.0.0.1", "::1"}


def access(url: str | None = None, key: str | None = None) -> Access:
    """The arguments, else TRACEWAY_URL and TRACEWAY_API_KEY. Raises NotConfigured."""
    url, key = url or os.environ.get(URL, ""), key or os.environ.get(KEY, "")
    if not url:
        raise NotConfigured(f"no address: give `url`, or set {URL}")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise NotConfigured(f"{url} is no address such as https://traceway.example.com")
    key = key.strip()
    if not key:
        raise NotConfigured(f"no key: give `key`, or set {KEY}")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise NotConfigured("the key holds characters that no key has")
    return Access(url.rstrip("/"), key)
