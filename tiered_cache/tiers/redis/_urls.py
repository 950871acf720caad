"""URLs of Redis servers and clusters. No exception quotes a URL, which may hold a password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.errors import ConfigurationError
from tiered_cache.tiers.redis._nodes import ClusterNode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["connection_options", "is_cluster_url", "split_cluster_url"]

_CLUSTER = "+cluster://"


def connection_options(
    url: str, parse_url: Callable[[str], Mapping[str, Any]], **options: Any
) -> dict[str, Any]:
    """The arguments of a redis-py connection to the server at `url`.

    Args:
        url: The URL of one server.
        parse_url: redis-py's parser of URLs, of threads or of `asyncio`.
        options: Arguments that override those in the URL.

    Raises:
        ConfigurationError: The URL is not usable.
    """
    try:
        parsed = dict(parse_url(url))
    except ValueError:
        # Not even chained: redis-py's message may quote a part of the password.
        msg = "the Redis URL is not usable: write redis://, rediss:// or unix://, then [user:password@]host:port/database, with %2F for a / in the password"
        raise ConfigurationError(msg) from None
    return parsed | {"health_check_interval": 0, "decode_responses": False} | options


def is_cluster_url(url: str) -> bool:
    """Whether `url` names the nodes of a cluster."""
    return _CLUSTER in url.partition("@")[0]


def split_cluster_url(url: str) -> tuple[str, tuple[ClusterNode, ...]]:
    """The URL of the first node alone, and all nodes; raises `ConfigurationError`."""
    scheme, _, rest = url.partition(_CLUSTER)
    end = min([at for each in "/?" if (at := rest.find(each)) >= 0], default=len(rest))
    authority, tail = rest[:end], rest[end:]
    user, at_sign, hosts = authority.rpartition("@")
    try:
        nodes = [ClusterNode.parse(each) for each in hosts.split(",")]
        if scheme not in ("redis", "rediss") or tail.partition("?")[0] not in ("", "/", "/0"):
            raise ValueError(scheme)
    except ValueError:
        # Not even chained: the message may quote a part of the password.
        msg = "the URL of a Redis cluster is not usable: write redis+cluster:// or rediss+cluster://, then [user:password@]host:port,host:port, with %2F for a / in the password; a cluster has only the database 0"
        raise ConfigurationError(msg) from None
    return f"{scheme}://{user}{at_sign}{nodes[0]}{tail}", tuple(nodes)
