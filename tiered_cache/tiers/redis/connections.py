"""Connections to a Redis server or cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tiered_cache.tiers.redis._cluster import ClusterConnections
from tiered_cache.tiers.redis._server_connections import ServerConnections
from tiered_cache.tiers.redis._urls import is_cluster_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.tiers.redis._resp import Command

__all__ = ["Connections", "make_connections"]


class Connections(Protocol):
    """A pool of connections, as the Redis tier uses it. Nothing is opened before the first exchange."""

    @property
    def address(self) -> str:
        """The address of the server, or of the first nodes, without credentials."""
        ...

    def use_slot_of(self, name: bytes) -> None:
        """Send every later exchange to the node that has the hash slot of `name`."""
        ...

    def exchange(self, commands: Sequence[Command], extra_s: float = 0.0) -> list[Any]:
        """The replies to `commands`; see `ServerConnections.exchange`."""
        ...

    def sole_address(self) -> str:
        """The address of the server that has all keys of the slot.

        Raises `TierUnavailableError` while the slot is being moved.
        """
        ...

    def close(self) -> None:
        """Close the idle connections."""
        ...


def make_connections(
    url: str, *, timeout_s: float, connect_timeout_s: float, max_connections: int
) -> Connections:
    """Connections to the server or, where the URL begins with `redis+cluster://`, cluster at `url`.

    Raises:
        ConfigurationError: The URL is not usable.
    """
    pool = ClusterConnections if is_cluster_url(url) else ServerConnections
    return pool(
        url,
        timeout_s=timeout_s,
        connect_timeout_s=connect_timeout_s,
        max_connections=max_connections,
    )
