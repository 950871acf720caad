"""What an error says is wrong, and what to do about it, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.diagnosis.findings import Finding, wrong
from tiered_cache.errors import (
    ConfigurationError,
    TieredCacheError,
    TierTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COMMANDS", "explained", "text_of"]

COMMANDS = (
    "+ping +hello +select +info +time +get +set +getrange +pttl +scan +unlink +del +eval +evalsha "
    "+xadd +xread +xrange +xrevrange +pexpire +hget +hset +hdel +hexists +hkeys +hlen +hstrlen "
    "+cluster|slots +cluster|nodes +asking"
)
"""What a user of a Redis server must be allowed to do."""

# What errors say, in lower case, and what to do. The first that fits counts.
_KNOWN = (
    (
        ("connection refused",),
        "nobody listens there",
        "start the server, or correct host and port in redis_url",
    ),
    (
        ("name or service not known", "nodename nor servname", "name resolution"),
        "the host name is not known",
        "correct the host in redis_url, or ask why this machine can't resolve it",
    ),
    (
        ("certificate verify failed",),
        "the certificate of the server is not trusted here",
        "add ?ssl_ca_certs=/path/to/ca.pem to redis_url",
    ),
    (
        ("hello must be called with", "noauth", "authentication required"),
        "the server asks for a password",
        "write redis://:password@host:port/0, rather in TIERED_CACHE_REDIS_URL than in a file",
    ),
    (
        ("invalid username-password", "wrongpass", "invalid password"),
        "the server does not accept the user or password",
        "correct redis_url; a / in the password is written %2F, an @ %40",
    ),
    (
        ("db index is out of range", "invalid db index"),
        "the server has no database of this number",
        "the number at the end of redis_url must be below `databases` of the server, 16 by default",
    ),
    (
        ("no permissions", "noperm", "can't run this command"),
        "the server does not let this user do it",
        f"ACL SETUSER name ~tiered-cache:* {COMMANDS}",
    ),
    (
        ("read only replica", "readonly you can't write"),
        "the server is a replica that can't be written",
        "name the primary in redis_url",
    ),
    (
        ("is a node of a cluster", "crossslot", "moved "),
        "the server is a node of a cluster",
        "begin redis_url with redis+cluster:// and name some of its nodes, host:port,host:port",
    ),
    (
        ("clusterdown", "no node of the cluster", "has the slot"),
        "a part of the cluster is down",
        "start its nodes, or have replicas take their places: CLUSTER NODES tells which are missing",
    ),
    (
        ("cluster support disabled",),
        "the server is no cluster",
        "write redis:// instead of redis+cluster://",
    ),
    (
        ("is being moved", "on and on", "tryagain"),
        "the keys are being moved from one node of the cluster to another",
        "wait until they are",
    ),
    (
        ("unknown command",),
        "the server does not know a command",
        "use Redis 6.0 or newer, or Valkey, and don't rename commands",
    ),
    (
        ("loading the dataset", "loading redis"),
        "the server is reading its data from disk",
        "wait until it has",
    ),
    (
        ("misconf",),
        "the server can't save to its disk, and so takes no writes",
        "make room on its disk, or CONFIG SET stop-writes-on-bgsave-error no",
    ),
    (
        ("max number of clients",),
        "the server has as many connections as it takes",
        "raise its maxclients, or lower redis.max_connections here",
    ),
    (
        ("maxmemory",),
        "the server is full and refuses what is written",
        "raise its maxmemory, or CONFIG SET maxmemory-policy allkeys-lru",
    ),
    (
        ("is a file: name a directory",),
        "the path of the disk tier is a file",
        "name a directory in disk.path, or remove the file",
    ),
    (
        ("database was locked", "database is locked"),
        "another process keeps the database locked",
        "end that process, or raise disk.timeout",
    ),
    (
        ("the disk is full", "no space left", "quota exceeded"),
        "there is no room on the disk",
        "make room, lower disk.max_bytes, or name another directory in disk.path",
    ),
    (
        ("readonly database", "read-only file system", "permission denied"),
        "it may not be written by this user",
        "run as its owner, give this user the right to write, or name another place",
    ),
)


def explained(error: Exception) -> Finding:
    """The finding that an error is.

    What is neither a `TieredCacheError` nor an `OSError` is told by its type alone: its text may
    hold what nobody should read.
    """
    if not isinstance(error, TieredCacheError | OSError):
        what = f"it failed with {type(error).__name__}, which no tier and no check may raise"
        return wrong(what, "report it to whoever maintains the tier")
    text = _chain(error)
    for signs, what, advice in _KNOWN:
        if any(sign in text for sign in signs):
            return wrong(f"{what} ({text_of(error)})", advice)
    if isinstance(error, TierTimeoutError):
        return wrong(
            text_of(error),
            "see whether the server or disk is overloaded, or a firewall swallows what is sent; "
            "raise the timeout of the tier if it is only far away",
        )
    if isinstance(error, ConfigurationError):
        return wrong(text_of(error), "correct the settings: tiered-cache config show says where")
    return wrong(text_of(error), "")


def text_of(error: Exception) -> str:
    """What an error says, without the tier and key that it names."""
    return error.message if isinstance(error, TieredCacheError) else str(error)


def _chain(error: BaseException) -> str:
    return " ".join(_texts(error)).lower()


def _texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__
