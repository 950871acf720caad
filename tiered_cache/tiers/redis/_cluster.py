"""Exchanges with the node of a Redis cluster that has a namespace's slot."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError, TryAgainError

from tiered_cache.errors import TierTimeoutError, TierUnavailableError
from tiered_cache.tiers.redis._server_connections import ServerConnections
from tiered_cache.tiers.redis._urls import split_cluster_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.tiers.redis._nodes import ClusterNode
    from tiered_cache.tiers.redis._resp import Command

__all__ = ["ClusterConnections"]

_MAX_HOPS = 16
"""Most times that one exchange redirects or retries a command."""

_PAUSE_S = 0.01


class ClusterConnections:
    """Exchanges with the node of a cluster that owns one slot.

    A namespace is one slot, so an exchange needs one node. Any node names the owner of a slot. A
    former owner redirects (`MOVED`, `ASK`); if it does not answer, another node is asked. One
    deadline covers all of that.

    Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/

    Args:
        url: `redis+cluster://` or `rediss+cluster://`, then `[user:password@]host:port`, and
            more nodes after commas. These nodes are asked first for the owner of the slot.
        timeout_s: As of `ServerConnections`, for all nodes of an exchange together.
        connect_timeout_s: As of `ServerConnections`, for each node.
        max_connections: Most connections to one node.

    Thread-safe. A forked child makes its own connections.
    """

    def __init__(
        self, url: str, *, timeout_s: float, connect_timeout_s: float, max_connections: int
    ) -> None:
        self._url, self._seeds = split_cluster_url(url)
        self._timeout_s = timeout_s
        self._options: dict[str, Any] = {
            "timeout_s": timeout_s,
            "connect_timeout_s": connect_timeout_s,
            "max_connections": max_connections,
        }
        self._slot = 0
        self._owner: ClusterNode | None = None
        self._known = self._seeds
        self._pools: dict[ClusterNode, ServerConnections] = {}
        self._pool(self._seeds[0])  # raises now if the URL is not usable

    @property
    def address(self) -> str:
        """The nodes of the URL, without credentials."""
        return ",".join([str(node) for node in self._seeds])

    def use_slot_of(self, name: bytes) -> None:
        """Send every later exchange to the owner of the slot of `name`."""
        self._slot = key_slot(name)

    def _pool(self, node: ClusterNode) -> ServerConnections:
        pool = self._pools.get(node)
        # Two threads may both make a pool, and one is discarded: it has opened nothing.
        return pool or self._pools.setdefault(
            node, ServerConnections(self._url, node=node, **self._options)
        )

    def exchange(self, commands: Sequence[Command], extra_s: float = 0.0) -> list[Any]:
        """The replies to `commands`; all keys must be in the slot. See `ServerConnections.exchange`."""
        at = time.monotonic() + self._timeout_s + extra_s
        replies: list[Any] = [None] * len(commands)
        places = list(range(len(commands)))
        for _ in range(_MAX_HOPS):
            owner = self._owner or self._find_owner(at)
            try:
                got = self._pool(owner).exchange_by([commands[place] for place in places], at)
            except TierTimeoutError:
                self._leave(owner)
                raise
            except TierUnavailableError:
                self._leave(owner)
                if self._find_owner(at) == owner:
                    raise  # no replica has been promoted yet
                continue
            for place, reply in zip(places, got, strict=True):
                replies[place] = reply
            places = self._follow(owner, commands, replies, places, at)
            if not places:
                return replies
        msg = f"the cluster {self.address} redirected a command more than {_MAX_HOPS} times: {replies[places[0]]}"
        raise TierUnavailableError(msg)

    def _follow(
        self,
        owner: ClusterNode,
        commands: Sequence[Command],
        replies: list[Any],
        places: Sequence[int],
        at: float,
    ) -> list[int]:
        """Follow the redirections in `replies`; the places of the commands to send again."""
        again = []
        for place in places:
            reply = replies[place]
            if isinstance(reply, AskError) and not isinstance(reply, MovedError):
                # The slot is being moved and this key has arrived: ask the new node for it only.
                pool = self._pool(owner.redirected(reply))
                replies[place] = reply = pool.exchange_by([("ASKING",), commands[place]], at)[1]
            if isinstance(reply, MovedError):
                self._owner = owner.redirected(reply)
                again.append(place)
            elif isinstance(reply, TryAgainError):
                # The command's keys are on two nodes while the slot is being moved.
                time.sleep(min(_PAUSE_S, max(0.0, at - time.monotonic())))
                again.append(place)
            elif isinstance(reply, ClusterDownError):
                self._leave(owner)
        return again

    def _leave(self, node: ClusterNode) -> None:
        """Look for the slot's owner before the next exchange, and ask `node` last."""
        self._owner = None
        self._known = (*[each for each in self._known if each != node], node)

    def _find_owner(self, at: float) -> ClusterNode:
        """The owner of the slot, according to the first node that answers."""
        error = TierUnavailableError(f"no node of the cluster {self.address} answers")
        nodes = self._known
        for turn, node in enumerate(nodes, 1):
            now = time.monotonic()
            # Half of the time left: a node that does not answer leaves the rest to the others.
            until = at if turn == len(nodes) else now + (at - now) / 2
            try:
                (reply,) = self._pool(node).exchange_by([("CLUSTER", "SLOTS")], until)
            except TierUnavailableError as failed:
                error = failed
                continue
            return self._learn(node, reply)
        raise error

    def _learn(self, asked: ClusterNode, reply: Any) -> ClusterNode:
        if isinstance(reply, ResponseError):
            msg = f"{asked} does not list the slots of its cluster: {reply}"
            raise TierUnavailableError(msg) from reply
        nodes: list[ClusterNode] = []
        owner = None
        for first, last, *members in reply:
            found = [asked.described(each) for each in members]
            nodes += found
            if first <= self._slot <= last and found:
                owner = found[0]
        if owner is None:
            remedy = f"start the node that had it, or run redis-cli --cluster fix {asked}"
            msg = f"no node of the cluster {self.address} has the slot {self._slot}: {remedy}"
            raise TierUnavailableError(msg, remedy=remedy)
        self._known = tuple(dict.fromkeys([asked, *nodes, *self._seeds]))
        for node, pool in list(self._pools.items()):
            if node != owner:
                pool.close()
            if node not in self._known:
                self._pools.pop(node, None)
        self._owner = owner
        return owner

    def sole_address(self) -> str:
        """The node that has the whole slot; raises `TierUnavailableError` while the slot is moved."""
        at = time.monotonic() + self._timeout_s
        owner = self._owner or self._find_owner(at)
        (reply,) = self._pool(owner).exchange_by([("CLUSTER", "NODES")], at)
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
        for pool in list(self._pools.values()):
            pool.close()
