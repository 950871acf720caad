"""Known errors of servers and disks: their texts, their causes and the remedies."""

from __future__ import annotations

from typing import NamedTuple

from tiered_cache.diagnosis.redis_permissions import GRANT

__all__ = ["KnownError", "find_known_error"]


class KnownError(NamedTuple):
    """One cause of errors.

    Attributes:
        signs: Parts of an error's text in lower case; one of them is enough.
        cause: The cause.
        remedy: The remedy.
    """

    signs: tuple[str, ...]
    cause: str
    remedy: str


def find_known_error(text: str) -> KnownError | None:
    """The first known error with a sign in `text`, which must be lower case."""
    return next((each for each in _KNOWN if any(sign in text for sign in each.signs)), None)


_KNOWN = (
    KnownError(
        ("connection refused",),
        "no server listens at this address",
        "start the server, or correct host and port in redis_url",
    ),
    KnownError(
        ("name or service not known", "nodename nor servname", "name resolution"),
        "the host name can't be resolved",
        "correct the host in redis_url, or the name resolution of this machine",
    ),
    KnownError(
        ("certificate verify failed",),
        "this machine does not trust the server's certificate",
        "add ?ssl_ca_certs=/path/to/ca.pem to redis_url",
    ),
    KnownError(
        ("hello must be called with", "noauth", "authentication required"),
        "the server asks for a password",
        "set TIERED_CACHE_REDIS_URL to redis://:password@host:port/0; keep passwords out of files",
    ),
    KnownError(
        ("invalid username-password", "wrongpass", "invalid password"),
        "the server does not accept the user or password",
        "correct them in redis_url; write %2F for a / in the password and %40 for an @",
    ),
    KnownError(
        ("db index is out of range", "invalid db index"),
        "the server has no database of this number",
        "lower the number at the end of redis_url: it must be below the server's `databases`, "
        "16 by default",
    ),
    KnownError(
        ("no permissions", "noperm", "can't run this command"),
        "the server denies this user a command or a key",
        GRANT,
    ),
    KnownError(
        ("read only replica", "readonly you can't write"),
        "the server is a read-only replica",
        "name the primary in redis_url",
    ),
    KnownError(
        ("is a node of a cluster", "crossslot", "moved "),
        "the server is a node of a cluster",
        "begin redis_url with redis+cluster://, and list some nodes as host:port,host:port",
    ),
    KnownError(
        ("clusterdown", "no node of the cluster", "has the slot"),
        "a part of the cluster is down",
        "run CLUSTER NODES on a node to see which nodes failed, and start them or promote their "
        "replicas",
    ),
    KnownError(
        ("cluster support disabled",),
        "the server is not a cluster",
        "begin redis_url with redis:// instead of redis+cluster://",
    ),
    KnownError(
        ("is being moved", "redirected a command", "tryagain"),
        "the cluster is moving the keys to another node",
        "try again when the move has ended",
    ),
    KnownError(
        ("unknown command",),
        "the server does not know a command",
        "use Redis 6.0 or newer, or Valkey, without rename-command in its configuration",
    ),
    KnownError(
        ("loading the dataset", "loading redis"),
        "the server is loading its data from disk",
        "try again when it has started",
    ),
    KnownError(
        ("misconf",),
        "the server can't save its data to disk, and refuses writes",
        "free space on its disk, or run on it CONFIG SET stop-writes-on-bgsave-error no",
    ),
    KnownError(
        ("max number of clients",),
        "the server has no connection left",
        "raise its maxclients, or lower redis.max_connections in the settings",
    ),
    KnownError(
        ("maxmemory",),
        "the server's memory is full, and it refuses writes",
        "raise its maxmemory, or run on it CONFIG SET maxmemory-policy allkeys-lru",
    ),
    KnownError(
        ("is a file: name a directory",),
        "the path of the disk tier is a file",
        "set disk.path to a directory, or remove the file",
    ),
    KnownError(
        ("database was locked", "database is locked"),
        "another process keeps the database locked",
        "end that process, or raise disk.timeout",
    ),
    KnownError(
        ("the disk is full", "no space left", "quota exceeded"),
        "the disk is full",
        "free disk space, lower disk.max_bytes, or set disk.path to another disk",
    ),
    KnownError(
        ("readonly database", "read-only file system", "permission denied"),
        "this user has no permission to write",
        "run as the owner of the directory, grant this user write permission, or choose another "
        "path",
    ),
)
