"""The steps that walk over all keys of a namespace on a Redis server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.entry import TOMBSTONE_MAGIC
from tiered_cache.errors import TierUnavailableError
from tiered_cache.tiers.redis._resp import MAX_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache.tiers.redis._change_log import RedisLog
    from tiered_cache.tiers.redis._client import RedisClient, Steps

__all__ = ["ScanCommands"]


class ScanCommands:
    """The steps of the methods of `Tier` that list or remove keys by prefix. Thread-safe.

    Args:
        client: The client.
        log: The change log of the tier.
        tier: The tier's name.
    """

    def __init__(self, client: RedisClient, log: RedisLog, tier: str) -> None:
        self._client = client
        self._log = log
        self._tier = tier
        self._prefix = b""
        self._origin: Callable[[], str] = str

    def open(self, prefix: bytes, origin: Callable[[], str]) -> None:
        """Set the prefix of record names, and the source of this cache's identity."""
        self._prefix = prefix
        self._origin = origin

    def clear(
        self, prefix: str, stepped: Callable[[int], object], sole_address: Callable[[], str]
    ) -> Steps[int]:
        """Remove every key that begins with `prefix`, some 500 keys a round trip.

        Args:
            prefix: The prefix of the keys.
            stepped: Called after each round trip with the number of keys removed so far.
            sole_address: Gives the address of the server that has all keys. A walk over a server
                that has some of them would miss the others.
        """
        count = 0
        origin = self._origin()
        server = sole_address()
        yield from self._log.begin_clear(origin, prefix)
        cursor: bytes | None = b"0"
        while cursor is not None:
            cursor, names = yield from self._page("clear", cursor, prefix)
            if names:
                heads = yield from self._heads("clear", names)
                # SCAN may return a key twice; the second time, the key is gone.
                count += sum([bool(head) and head != TOMBSTONE_MAGIC for head in heads])
                yield from self._client.call("clear", None, ("UNLINK", *names))
                stepped(count)
        if sole_address() != server:
            msg = f"the keys were moved from {server} to another node during the walk, which may have missed some: clear again"
            raise TierUnavailableError(msg, tier=self._tier, operation="clear")
        yield from self._log.end_clear(origin, prefix)
        return count

    def fence(self, prefix: str) -> Steps[None]:
        """Refuse fills that began before now, and log a change of all keys that begin with `prefix`."""
        yield from self._log.begin_clear(self._origin(), prefix)

    def scan(
        self, cursor: bytes, prefix: str, seen: set[bytes]
    ) -> Steps[tuple[bytes | None, list[str]]]:
        """The next cursor, `None` at the end, and keys that begin with `prefix` and are not in `seen`."""
        following, found = yield from self._page("scan", cursor, prefix)
        names = [name for name in dict.fromkeys(found) if name not in seen]
        seen.update(names)
        heads = yield from self._heads("scan", names)
        keys = [
            name[len(self._prefix) :].decode("utf-8", "surrogatepass")
            for name, head in zip(names, heads, strict=True)
            if head != TOMBSTONE_MAGIC
        ]
        return following, keys

    def _page(
        self, operation: str, cursor: bytes, prefix: str
    ) -> Steps[tuple[bytes | None, list[bytes]]]:
        pattern = _escape_glob(self._prefix + prefix.encode("utf-8", "surrogatepass")) + b"*"
        command = ("SCAN", cursor, "MATCH", pattern, "COUNT", MAX_KEYS)
        following, names = yield from self._client.call(operation, None, command)
        return None if following == b"0" else following, names

    def _heads(self, operation: str, names: Sequence[bytes]) -> Steps[list[Any]]:
        size = len(TOMBSTONE_MAGIC)
        commands = [("GETRANGE", name, 0, size - 1) for name in names]
        if not commands:
            return []
        return (yield from self._client.send(operation, None, commands))


def _escape_glob(text: bytes) -> bytes:
    """The glob pattern of Redis that matches `text` only."""
    for special in (b"\\", b"*", b"?", b"[", b"]", b"^"):
        text = text.replace(special, b"\\" + special)
    return text
