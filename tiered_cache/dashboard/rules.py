"""Who may reach the dashboard, and what it lets them do."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MIN_TOKEN_LENGTH", "Rules", "host_of", "is_loopback_address"]

MIN_TOKEN_LENGTH = 16
"""Of a token, in characters: shorter ones can be found by trying."""

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\.?", re.IGNORECASE)
_SESSION = b"tiered-cache dashboard session"
_COOKIE = b"tiered-cache dashboard cookie"


class Rules:
    """What is allowed. Immutable, so safe for any thread.

    The arguments are those of `dashboard_app`.

    Raises:
        ConfigurationError: The token is too short, or a host is not a host's name.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        allowed_hosts: Sequence[str] = (),
        allow_changes: bool = False,
        show_values: bool = False,
        live: bool = True,
    ) -> None:
        if token is not None and len(token) < MIN_TOKEN_LENGTH:
            msg = f"the dashboard's token must have at least {MIN_TOKEN_LENGTH} characters"
            raise ConfigurationError(msg)
        if isinstance(allowed_hosts, str):
            msg = "allowed_hosts must be several names, not one string: write [name]"
            raise ConfigurationError(msg)
        for name in allowed_hosts:
            if not _is_address(name) and not _NAME.fullmatch(name):
                msg = f"{name!r} is not a host's name: give it without scheme and port"
                raise ConfigurationError(msg)
        self.allow_changes = allow_changes
        self.show_values = show_values
        self.live = live
        self._token = None if token is None else token.encode()
        self._hosts = frozenset(name.lower().strip("[].") for name in allowed_hosts)

    @property
    def needs_token(self) -> bool:
        """Whether there is a token."""
        return self._token is not None

    @property
    def cookie(self) -> str:
        """The name of the cookie, by the token: dashboards on one host's ports share its cookies."""
        return f"tiered_cache_{self._derived(_COOKIE)[:8]}"

    @property
    def session(self) -> str:
        """What the cookie says once somebody has logged in; tells nothing of the token."""
        return self._derived(_SESSION)

    def _derived(self, what: bytes) -> str:
        return hmac.new(self._token or b"", what, hashlib.sha256).hexdigest()

    def is_token(self, said: str) -> bool:
        """Whether `said` is the token; takes the same time whatever it is."""
        return self._token is not None and hmac.compare_digest(
            said.encode("utf-8", "surrogateescape"), self._token
        )

    def is_session(self, said: str) -> bool:
        """Whether `said` is what a cookie says after logging in."""
        said_bytes = said.encode("utf-8", "surrogateescape")
        return self.needs_token and hmac.compare_digest(said_bytes, self.session.encode())

    def allows_host(self, header: str) -> bool:
        """Whether a `Host` header names this server.

        Who makes a foreign name point here (DNS rebinding) has the browser send that name. An
        address can't be made to point elsewhere, so with a token any will do.
        """
        host = host_of(header)
        if host is None:
            return False
        if host == "localhost" or is_loopback_address(host) or host in self._hosts:
            return True
        return self.needs_token and _is_address(host)


def host_of(authority: str) -> str | None:
    """The host of `host:port`, in small letters and without brackets; `None` if it is none."""
    try:
        split = urlsplit(f"//{authority}")
        _ = split.port  # raises where it is not a number
        host = split.hostname
    except ValueError:
        return None
    if not host or split.netloc != authority or "@" in authority:
        return None
    return host.removesuffix(".")


def is_loopback_address(host: str) -> bool:
    """Whether `host` is an address that only this machine can reach."""
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
