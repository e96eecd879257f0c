"""Profiles: addresses and keys in a file that only its owner may read."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from traceway import configuration
from traceway.configuration import Access
from traceway.errors import NotConfigured

PROFILE = "TRACEWAY_PROFILE"


@dataclass(slots=True)
class Profiles:
    """What the file holds. `default` is the profile of the last login."""

    default: str = "default"
    known: dict[str, Access] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Self:
        """The file's content, nothing where there is none. Raises NotConfigured where it cannot be read."""
        where = location()
        try:
            found: dict[str, Any] = tomllib.loads(where.read_text(encoding="utf-8"))
            known = {name: Access(one["url"], one["key"]) for name, one in found.get("profiles", {}).items()}
            return cls(str(found.get("default", "default")), known)
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotConfigured(f"{where} cannot be read: {error}") from error

    def write(self) -> Path:
        """Put it into the file, whole or not at all."""
        where = location()
        where.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [f"default = {json.dumps(self.default)}"]
        for name, one in self.known.items():
            lines += [
                "",
                f"[profiles.{json.dumps(name)}]",
                f"url = {json.dumps(one.url)}",
                f"key = {json.dumps(one.key)}",
            ]
        new = where.with_suffix(f".{os.getpid()}.new")
        new.touch(mode=0o600, exist_ok=False)
        new.write_text("\n".join(lines) + "\n", encoding="utf-8")
        new.replace(where)
        return where


def location() -> Path:
    """`traceway/config.toml` where this user keeps configuration."""
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "traceway" / "config.toml"


def chosen(profile: str | None) -> Access:
    """Where to go: the profile that is named, else the environment, else the default profile. Raises NotConfigured."""
    name = profile or os.environ.get(PROFILE)
    if not name and (os.environ.get(configuration.URL) or os.environ.get(configuration.KEY)):
        return configuration.access()
    profiles = Profiles.read()
    found = profiles.known.get(name or profiles.default)
    if found is None:
        missing = f"there is no profile {name}" if name else "there is no address and no key"
        raise NotConfigured(f"{missing}; run `traceway login`, or set {configuration.URL} and {configuration.KEY}")
    return configuration.access(found.url, found.key)
