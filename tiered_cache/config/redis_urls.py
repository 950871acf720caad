"""Checks of Redis URLs, with messages that quote nothing of them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tiered_cache.config.expansion import expand, expand_home

__all__ = ["expand_url"]

_SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
_WRONG_SCHEME = (
    "the URL must begin with redis://, rediss:// (TLS) or unix://, or for a cluster with "
    "redis+cluster:// or rediss+cluster://"
)
_RULES = (
    "the port is a number from 1 to 65535; in the password write / as %2F, # as %23, ? as %3F, "
    "@ as %40, [ as %5B"
)


def expand_url(url: str | None) -> str | None:
    """A Redis URL with variables expanded, and `~` in that of a socket; `None` for an empty one.

    Raises:
        ValueError: It is no Redis URL. The message quotes nothing of it: an unescaped password may
            look like its port or path.
    """
    expanded = expand(url or "")
    if not expanded:
        return None
    scheme, mark, rest = expanded.partition("://")
    if not mark or scheme.lower() not in _SCHEMES:
        raise ValueError(_WRONG_SCHEME)
    if scheme.lower() == "unix":
        return f"{scheme}://{expand_home(rest)}"
    if "+" in scheme:
        _check_nodes(rest)
    else:
        _check_address(expanded)
    return expanded


def _check_address(url: str) -> None:
    path = _database_part(url)
    if path is None:
        msg = f"the URL must be redis://[user:password@]host:port/database; {_RULES}"
        raise ValueError(msg)
    if not re.fullmatch(r"/?\d*", path, re.ASCII):
        msg = "the URL must end with the number of a database, such as /0"
        raise ValueError(msg)


def _check_nodes(rest: str) -> None:
    user, at, places = rest.rpartition("@")
    paths = [_database_part(f"redis://{user}{at}{each}") for each in places.split(",")]
    if None in paths or any(paths[:-1]) or "" in places.split(","):
        msg = f"the URL must be redis+cluster://[user:password@]host:port,host:port; {_RULES}"
        raise ValueError(msg)
    if paths[-1] not in ("", "/", "/0"):
        msg = "a cluster has only the database 0: end the URL after the last port"
        raise ValueError(msg)


def _database_part(url: str) -> str | None:
    """The part after the port; `None` if the URL can't be split."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 or "@" in parts.path + parts.fragment else parts.path
