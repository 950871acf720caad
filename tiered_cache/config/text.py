"""Text in settings: what is expanded, what is checked, and what is never shown."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

__all__ = ["MASK", "expand", "expand_path", "expand_url", "mask_url", "safe"]

MASK = "***"
_REFERENCE = re.compile(r"\$\{([^}]*)\}?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
_PARAMETER = re.compile(r"([?&])([^=&]*)=([^&]*)")
_SECRET = re.compile(r"pass|pwd|secret|token|credential|auth|key", re.IGNORECASE)
_PLAIN = (bool, int, float, dt.date, dt.time, PurePath)
_URLS = frozenset({"url", "redis_url"})


def expand(text: str) -> str:
    """`text` with each `${VAR}` replaced by that environment variable.

    Raises:
        ValueError: A variable is not set; the message names it. Or `${` begins something else.
    """

    def value(match: re.Match[str]) -> str:
        if not match[0].endswith("}") or _VARIABLE.fullmatch(match[1]) is None:
            # The text is not repeated: it may be a secret that happens to have these characters.
            msg = "${…} must hold the name of an environment variable and nothing else"
            raise ValueError(msg)
        try:
            return os.environ[match[1]]
        except KeyError:
            msg = f"the environment variable {match[1]} is not set: set it, or write the value"
            raise ValueError(msg) from None

    return _REFERENCE.sub(value, text)


def expand_path(path: str) -> str:
    """`path` with variables and a leading `~` expanded.

    Raises:
        ValueError: It is empty or a URL, or what it names is not known.
    """
    expanded = _expand_home(expand(path))
    if not expanded or "\0" in expanded:
        msg = "the path is empty or has a NUL: name a directory, or leave it out"
        raise ValueError(msg)
    if "://" in expanded:
        msg = "that is a URL, and must be a path: a server's belongs into redis_url"
        raise ValueError(msg)
    return expanded


def expand_url(url: str | None) -> str | None:
    """A Redis URL with variables expanded, `~` too in that of a socket; `None` for an empty one.

    Raises:
        ValueError: It can't be a Redis URL. The message quotes nothing of it, as an unescaped
            password is what its port or path may turn out to be.
    """
    expanded = expand(url or "")
    if not expanded:
        return None
    scheme, mark, rest = expanded.partition("://")
    if not mark or scheme.lower() not in _SCHEMES:
        msg = "the URL must begin with redis://, rediss:// (TLS) or unix://, or for a cluster with redis+cluster:// or rediss+cluster://"
        raise ValueError(msg)
    if scheme.lower() == "unix":
        return f"{scheme}://{_expand_home(rest)}"
    if "+" in scheme:
        _check_nodes(rest)
    else:
        _check_address(expanded)
    return expanded


def _check_address(url: str) -> None:
    path = _database_part(url)
    if path is None:
        msg = (
            "the URL must be redis://[user:password@]host:port/database: the port a number from 1 "
            "to 65535; in the password / is written as %2F, # as %23, ? as %3F, @ as %40, [ as %5B"
        )
        raise ValueError(msg)
    if not re.fullmatch(r"/?\d*", path, re.ASCII):
        msg = "the URL must end with the number of a database, such as /0"
        raise ValueError(msg)


def _check_nodes(rest: str) -> None:
    user, at, places = rest.rpartition("@")
    paths = [_database_part(f"redis://{user}{at}{each}") for each in places.split(",")]
    if None in paths or any(paths[:-1]) or "" in places.split(","):
        msg = (
            "the URL must be redis+cluster://[user:password@]host:port,host:port: a port is a number from 1 "
            "to 65535; in the password / is written as %2F, # as %23, ? as %3F, @ as %40, [ as %5B"
        )
        raise ValueError(msg)
    if paths[-1] not in ("", "/", "/0"):
        msg = "a cluster has only the database 0: let the URL end after the last port"
        raise ValueError(msg)


def _database_part(url: str) -> str | None:
    """What follows the port; `None` if that can't be told."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 or "@" in parts.path + parts.fragment else parts.path


def _expand_home(path: str) -> str:
    expanded = os.path.expanduser(path)  # noqa: PTH111 - Path's raises, and drops a trailing slash
    if expanded.startswith("~"):
        msg = "the home directory that ~ stands for is not known: write the whole path"
        raise ValueError(msg)
    return expanded


def mask_url(url: str) -> str:
    """`url` without its secrets, for people to read; any text is taken.

    A user's name is shown, a name without a password is not: it may be one.
    """
    scheme, mark, rest = url.rpartition("://") if url.count("://") == 1 else ("", "", url)
    user, at, place = rest.rpartition("@")
    if at and any(each in user for each in "/?#"):
        return f"{scheme}{mark}{MASK}"
    if at:
        name, colon, _ = user.partition(":")
        user = f"{name}:{MASK}" if colon else MASK
    place = _PARAMETER.sub(
        lambda m: f"{m[1]}{m[2]}={MASK if _SECRET.search(m[2]) else m[3]}", place
    )
    return f"{scheme}{mark}{user}{at}{place}"


def safe(name: str, value: Any) -> Any:
    """`value`, which is called `name`, with all that may be a secret masked."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {key: safe(str(key), each) for key, each in value.items()}
    if _SECRET.search(name):
        return MASK
    if isinstance(value, list | tuple | set | frozenset):
        return [safe(name, each) for each in value]
    return _safe_text(name, value) if isinstance(value, str) else _plain(value)


def _safe_text(name: str, text: str) -> str:
    # What is no URL where one should be may be a password alone; JSON in a wrong variable, a
    # whole section with its secrets.
    if (name in _URLS and "://" not in text) or ("{" in text and _SECRET.search(text)):
        return MASK
    return mask_url(text) if "://" in text else text


def _plain(value: Any) -> Any:
    """What an object of another type says of itself may be a secret; its type is none."""
    return value if isinstance(value, _PLAIN) else f"a value of type {type(value).__name__}"
