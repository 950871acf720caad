"""Access rules of the dashboard: hosts, token, and permitted actions."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from tiered_cache.dashboard.host_names import (
    host_of,
    is_address,
    is_host_name,
    is_loopback_address,
)
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MIN_TOKEN_LENGTH", "AccessRules"]

MIN_TOKEN_LENGTH = 16
"""Fewest characters of a token: a shorter one can be guessed."""

_SESSION = b"tiered-cache dashboard session"
_COOKIE = b"tiered-cache dashboard cookie"


class AccessRules:
    """Which hosts and tokens are accepted, and which actions the page offers.

    Immutable, so safe for any thread. `dashboard_app` describes the arguments.

    Raises:
        ConfigurationError: The token is too short, or a host name is invalid.
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
            msg = (
                f"the dashboard's token has {len(token)} characters: use at least "
                f"{MIN_TOKEN_LENGTH} characters"
            )
            raise ConfigurationError(msg)
        self.allow_changes = allow_changes
        self.show_values = show_values
        self.live = live
        self._token = None if token is None else token.encode()
        self._hosts = _checked_hosts(allowed_hosts)

    @property
    def needs_token(self) -> bool:
        """Whether a request needs the token or a session."""
        return self._token is not None

    @property
    def cookie(self) -> str:
        """The name of the session cookie.

        It depends on the token, because dashboards on several ports of a host share cookies.
        """
        return f"tiered_cache_{self._derived(_COOKIE)[:8]}"

    @property
    def session(self) -> str:
        """The value of the session cookie. The token can't be derived from it."""
        return self._derived(_SESSION)

    def _derived(self, purpose: bytes) -> str:
        return hmac.new(self._token or b"", purpose, hashlib.sha256).hexdigest()

    def is_token(self, text: str) -> bool:
        """Whether `text` is the token, in constant time."""
        return self._token is not None and hmac.compare_digest(
            text.encode("utf-8", "surrogateescape"), self._token
        )

    def is_session(self, text: str) -> bool:
        """Whether `text` is the value of the session cookie, in constant time."""
        found = text.encode("utf-8", "surrogateescape")
        return self.needs_token and hmac.compare_digest(found, self.session.encode())

    def allows_host(self, header: str) -> bool:
        """Whether a `Host` header names this server.

        In a DNS rebinding attack the browser sends the attacker's name here. An address can't be
        rebound, so with a token each address is allowed.
        """
        host = host_of(header)
        if host is None:
            return False
        if host == "localhost" or is_loopback_address(host) or host in self._hosts:
            return True
        return self.needs_token and is_address(host)


def _checked_hosts(names: Sequence[str]) -> frozenset[str]:
    if isinstance(names, str):
        msg = f"allowed_hosts is the string {names!r}: write a list, [{names!r}]"
        raise ConfigurationError(msg)
    for name in names:
        if not is_address(name) and not is_host_name(name):
            msg = f"{name!r} is not a host name: write it without scheme and port"
            raise ConfigurationError(msg)
    return frozenset(name.lower().strip("[].") for name in names)
