"""Exchanges with the node of a Redis cluster that has a namespace's slot."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError, TryAgainError

from tiered_cache.errors import ConfigurationError, TierTimeoutError, TierUnavailableError
from tiered_cache.tiers.redis._wire import RedisWire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.tiers.redis._connection import Command

__all__ = ["ClusterWire", "Wire", "make_wire"]

_MARK = "+cluster://"
_DEFAULT_PORT = 6379
_MAX_HOPS = 16
"""How often a command is sent on to another node, or once more, in one exchange."""

_PAUSE_S = 0.01
_UNKNOWN_HOSTS = ("", "?")


class Wire(Protocol):
    """What the tier needs of its connections."""

    @property
    def address(self) -> str:
        """Where it is, without the password."""
        ...

    def serve(self, name: bytes) -> None:
        """Say which keys will be asked for: those with the hash tag of `name`."""
        ...

    def exchange(self, commands: Sequence[Command], extra_s: float = 0.0) -> list[Any]:
        """As of `RedisWire`."""
        ...

    def whole_at(self) -> str:
        """The server that has all of the keys; raises `TierUnavailableError` if none has them all."""
        ...

    def close(self) -> None:
        """Close the idle connections."""
        ...


def make_wire(
    url: str, *, timeout_s: float, connect_timeout_s: float, max_connections: int
) -> Wire:
    """Connections to a server or, where the URL begins with `redis+cluster://`, to a cluster.

    Raises:
        ConfigurationError: The URL is not usable.
    """
    make = ClusterWire if _MARK in url.partition("@")[0] else RedisWire
    return make(
        url,
        timeout_s=timeout_s,
        connect_timeout_s=connect_timeout_s,
        max_connections=max_connections,
    )


class _Node(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ClusterWire:
    """Exchanges with whichever node of a cluster has one slot.

    A namespace is one slot, so one node at a time is all that it takes. Which one it is, any node tells;
    where it is no longer, it tells itself (`MOVED`, `ASK`), or does not answer, and another one is asked.
    All of that is within the one deadline of an exchange.

    Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/

    Args:
        url: `redis+cluster://` or `rediss+cluster://`, then `[user:password@]host:port`, and
            more nodes after commas: those that are asked first who has the slot.
        timeout_s: As of `RedisWire`, all nodes that are asked included.
        connect_timeout_s: As of `RedisWire`, for each node.
        max_connections: How many connections there are to one node at most.

    Thread-safe. A forked child makes its own connections.
    """

    def __init__(
        self, url: str, *, timeout_s: float, connect_timeout_s: float, max_connections: int
    ) -> None:
        self._url, self._seeds = _split(url)
        self._timeout_s = timeout_s
        self._options: dict[str, Any] = {
            "timeout_s": timeout_s,
            "connect_timeout_s": connect_timeout_s,
            "max_connections": max_connections,
        }
        self._slot = 0
        self._owner: _Node | None = None
        self._known = self._seeds
        self._wires: dict[_Node, RedisWire] = {}
        self._wire(self._seeds[0])  # a URL that can't be used is told now

    @property
    def address(self) -> str:
        """The nodes of the URL, without the password."""
        return ",".join([str(node) for node in self._seeds])

    def serve(self, name: bytes) -> None:
        """Say which slot will be asked for: that of `name`."""
        self._slot = key_slot(name)

    def _wire(self, node: _Node) -> RedisWire:
        wire = self._wires.get(node)
        # Of two threads that come at once, one makes a wire in vain: it opens nothing.
        return wire or self._wires.setdefault(
            node, RedisWire(self._url, node=node, **self._options)
        )

    def exchange(self, commands: Sequence[Command], extra_s: float = 0.0) -> list[Any]:
        """The replies to `commands`, whose keys are all of the slot; errors as of `RedisWire`."""
        at = time.monotonic() + self._timeout_s + extra_s
        replies: list[Any] = [None] * len(commands)
        places = list(range(len(commands)))
        for _ in range(_MAX_HOPS):
            owner = self._owner or self._find_owner(at)
            try:
                got = self._wire(owner).exchange_by([commands[place] for place in places], at)
            except TierTimeoutError:
                self._leave(owner)
                raise
            except TierUnavailableError:
                self._leave(owner)
                if self._find_owner(at) == owner:
                    raise  # and nobody has taken its place yet
                continue
            for place, reply in zip(places, got, strict=True):
                replies[place] = reply
            places = self._follow(owner, commands, replies, places, at)
            if not places:
                return replies
        msg = f"the nodes of the cluster {self.address} send a command on and on: {replies[places[0]]}"
        raise TierUnavailableError(msg)

    def _follow(
        self,
        owner: _Node,
        commands: Sequence[Command],
        replies: list[Any],
        places: Sequence[int],
        at: float,
    ) -> list[int]:
        """Do what replies say that is to be done; the places of the commands to be sent again."""
        again = []
        for place in places:
            reply = replies[place]
            if isinstance(reply, AskError) and not isinstance(reply, MovedError):
                # The slot is on its way, and this key is there already: this once, ask there.
                wire = self._wire(_node_of(reply, owner))
                replies[place] = reply = wire.exchange_by([("ASKING",), commands[place]], at)[1]
            if isinstance(reply, MovedError):
                self._owner = _node_of(reply, owner)
                again.append(place)
            elif isinstance(reply, TryAgainError):
                # Some of its keys are here and some are there.
                time.sleep(min(_PAUSE_S, max(0.0, at - time.monotonic())))
                again.append(place)
            elif isinstance(reply, ClusterDownError):
                self._leave(owner)
        return again

    def _leave(self, node: _Node) -> None:
        """Ask who has the slot before the next exchange, and this node last."""
        self._owner = None
        self._known = (*[each for each in self._known if each != node], node)

    def _find_owner(self, at: float) -> _Node:
        """The node that has the slot, by the first that answers."""
        error = TierUnavailableError(f"no node of the cluster {self.address} answers")
        nodes = self._known
        for turn, node in enumerate(nodes, 1):
            now = time.monotonic()
            # One that does not answer leaves the others some of the time.
            until = at if turn == len(nodes) else now + (at - now) / 2
            try:
                (reply,) = self._wire(node).exchange_by([("CLUSTER", "SLOTS")], until)
            except TierUnavailableError as failed:
                error = failed
                continue
            return self._learn(node, reply)
        raise error

    def _learn(self, asked: _Node, reply: Any) -> _Node:
        if isinstance(reply, ResponseError):
            msg = f"{asked} does not say what its cluster is like: {reply}"
            raise TierUnavailableError(msg) from reply
        nodes: list[_Node] = []
        owner = None
        for first, last, *those in reply:
            found = [_node_from(each, asked) for each in those]
            nodes += found
            if first <= self._slot <= last and found:
                owner = found[0]
        if owner is None:
            msg = f"no node of the cluster {self.address} has the slot {self._slot}"
            raise TierUnavailableError(msg)
        self._known = tuple(dict.fromkeys([asked, *nodes, *self._seeds]))
        for node, wire in list(self._wires.items()):
            if node != owner:
                wire.close()
            if node not in self._known:
                self._wires.pop(node, None)
        self._owner = owner
        return owner

    def whole_at(self) -> str:
        """The node that has the slot; raises `TierUnavailableError` while it is being moved."""
        at = time.monotonic() + self._timeout_s
        owner = self._owner or self._find_owner(at)
        (reply,) = self._wire(owner).exchange_by([("CLUSTER", "NODES")], at)
        lines = reply.splitlines() if isinstance(reply, bytes) else []
        ours = [line for line in lines if b"myself" in line]
        if not ours or b"[%d->-" % self._slot in ours[0]:
            msg = (
                f"the slot {self._slot} is being moved from {owner} to another node of the cluster"
            )
            raise TierUnavailableError(msg)
        return str(owner)

    def close(self) -> None:
        """Close the idle connections."""
        for wire in list(self._wires.values()):
            wire.close()


def _node_of(redirect: AskError, asked: _Node) -> _Node:
    return _Node(redirect.host or asked.host, redirect.port)


def _node_from(described: Any, asked: _Node) -> _Node:
    """A node as `CLUSTER SLOTS` describes it: without a host, it is the one that was asked."""
    host = (described[0] or b"").decode()
    return _Node(asked.host if host in _UNKNOWN_HOSTS else host, int(described[1]))


def _split(url: str) -> tuple[str, tuple[_Node, ...]]:
    """The URL of the first node alone, and all nodes."""
    scheme, _, rest = url.partition(_MARK)
    end = min([at for each in "/?" if (at := rest.find(each)) >= 0], default=math.inf)
    authority, tail = rest[: int(min(end, len(rest)))], rest[int(min(end, len(rest))) :]
    user, at_sign, hosts = authority.rpartition("@")
    try:
        nodes = [_parse_node(each) for each in hosts.split(",")]
        if scheme not in ("redis", "rediss") or tail.partition("?")[0] not in ("", "/", "/0"):
            raise ValueError(scheme)
    except ValueError:
        # Not even as the cause: it may quote a part of the password.
        msg = "the URL of a Redis cluster is not usable: write redis+cluster:// or rediss+cluster://, then [user:password@]host:port,host:port, with %2F for a / in the password; a cluster has only the database 0"
        raise ConfigurationError(msg) from None
    return f"{scheme}://{user}{at_sign}{nodes[0]}{tail}", tuple(nodes)


def _parse_node(text: str) -> _Node:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(text)
    return _Node(parts.hostname, parts.port or _DEFAULT_PORT)
