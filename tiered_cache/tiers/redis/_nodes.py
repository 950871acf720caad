"""The nodes of a Redis cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from redis.exceptions import AskError

__all__ = ["ClusterNode"]

_DEFAULT_PORT = 6379
_UNKNOWN_HOSTS = ("", "?")


class ClusterNode(NamedTuple):
    """The host and port of one node."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The node written as `host`, `host:port` or `[address]:port`; raises `ValueError`."""
        parts = urlsplit(f"//{text}")
        if not parts.hostname:
            raise ValueError(text)
        return cls(parts.hostname, parts.port or _DEFAULT_PORT)

    def redirected(self, redirect: AskError) -> ClusterNode:
        """The node that `MOVED` or `ASK` from this node names; without a host, another port of it."""
        return ClusterNode(redirect.host or self.host, redirect.port)

    def described(self, fields: Any) -> ClusterNode:
        """A node in this node's reply to `CLUSTER SLOTS`; without a host, another port of this one."""
        host = (fields[0] or b"").decode()
        return ClusterNode(self.host if host in _UNKNOWN_HOSTS else host, int(fields[1]))
