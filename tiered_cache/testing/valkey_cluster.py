"""A real Valkey cluster on this machine, for tests."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, Self

from tiered_cache.errors import TierUnavailableError
from tiered_cache.testing.ports import free_port
from tiered_cache.testing.valkey import ValkeyServer
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ValkeyCluster"]

_SLOTS = 16384
_READY_S = 60.0
_ANSWER_S = 5.0


class _Seen(NamedTuple):
    """A node in the view of a node of the cluster."""

    name: str
    port: int
    is_primary: bool
    slots: Sequence[tuple[int, int]]


class ValkeyCluster:
    """Servers on 127.0.0.1 that form one cluster and share the 16384 slots evenly.

    They end like a `ValkeyServer`. Not thread-safe.

    Args:
        primaries: The number of nodes with slots.
        replicas: The number of replicas of each primary. They take its place only by `promote`.
        timeout_ms: Milliseconds without an answer after which a node counts as dead.
    """

    def __init__(self, primaries: int = 3, *, replicas: int = 0, timeout_ms: int = 1000) -> None:
        self._primaries = primaries
        self._stack = ExitStack()
        self.nodes: list[ValkeyServer] = []
        self._buses: list[int] = []
        for number in range(primaries * (1 + replicas)):
            bus = free_port()
            options = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]
            options += ["--cluster-port", str(bus), "--cluster-node-timeout", str(timeout_ms)]
            # A part of the cluster serves without the rest, and no replica is elected.
            options += ["--cluster-require-full-coverage", "no"]
            options += ["--cluster-replica-no-failover", "yes" if number >= primaries else "no"]
            self.nodes.append(ValkeyServer(port=0, options=options))
            self._buses.append(bus)

    @property
    def url(self) -> str:
        """Its URL for a `RedisTier`."""
        return f"redis+cluster://{','.join([f'127.0.0.1:{port(each)}' for each in self.nodes])}"

    def start(self) -> Self:
        """Start the servers, and wait until each knows all nodes and slots."""
        for node in self.nodes:
            self._stack.enter_context(node)
        for number, node in enumerate(self.nodes[: self._primaries]):
            first = _SLOTS * number // self._primaries
            last = _SLOTS * (number + 1) // self._primaries - 1
            ask(node, "CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
            ask(node, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for node, bus in zip(self.nodes[1:], self._buses[1:], strict=True):
            address = ("127.0.0.1", str(port(node)), str(bus))
            ask(self.nodes[0], "CLUSTER", "MEET", *address)
        wait_until(self._know_each_other, "the nodes know each other", _READY_S)
        for number, node in enumerate(self.nodes[self._primaries :]):
            primary = ask(self.nodes[number % self._primaries], "CLUSTER", "MYID")
            ask(node, "CLUSTER", "REPLICATE", primary)
        wait_until(self._is_ready, "the cluster is ready", _READY_S)
        return self

    def _know_each_other(self) -> bool:
        return all(len(_seen_by(node)) == len(self.nodes) for node in self.nodes)

    def _is_ready(self) -> bool:
        return all(
            "cluster_state:ok" in ask(node, "CLUSTER", "INFO")
            and sum([each.is_primary for each in _seen_by(node)]) == self._primaries
            and all(each.slots for each in _seen_by(node) if each.is_primary)
            and "master_link_status:down" not in ask(node, "INFO", "replication")
            for node in self.nodes
        )

    def owner_of(self, name: str) -> ValkeyServer:
        """The node that holds the key `name`, in the view of a running node.

        Raises:
            TierUnavailableError: No node runs.
        """
        for node in self.nodes:
            try:
                slot = int(ask(node, "CLUSTER", "KEYSLOT", name))
                seen = _seen_by(node)
            except OSError:
                continue
            owner = next(
                each for each in seen if any(first <= slot <= last for first, last in each.slots)
            )
            return next(each for each in self.nodes if port(each) == owner.port)
        msg = "No node of the cluster runs; call start() first"
        raise TierUnavailableError(msg)

    def replica_of(self, primary: ValkeyServer) -> ValkeyServer:
        """The first replica of a primary, in a cluster with replicas."""
        return self.nodes[self.nodes.index(primary) + self._primaries]

    def promote(self, replica: ValkeyServer) -> None:
        """Make a replica the primary, without the consent of the others."""
        ask(replica, "CLUSTER", "FAILOVER", "TAKEOVER")

    def stop(self) -> None:
        """Stop all servers."""
        self._stack.close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()


def port(node: ValkeyServer) -> int:
    """The port of a server."""
    return int(node.url.rpartition(":")[2].partition("/")[0])


def ask(node: ValkeyServer, *words: str) -> str:
    """The reply of a server to a command, if it is a line or a bulk string.

    Raises:
        TierUnavailableError: The reply is an error, or missing.
        OSError: The server can't be reached.
    """
    with (
        socket.create_connection(("127.0.0.1", port(node)), _ANSWER_S) as connection,
        connection.makefile("rb") as replies,
    ):
        connection.sendall(" ".join(words).encode() + b"\r\n")
        line = replies.readline().decode().rstrip()
        if line.startswith("$"):
            return replies.read(int(line[1:])).decode()
        if not line or line.startswith("-"):
            msg = f"{' '.join(words)} failed: {line or 'the connection was closed'}"
            raise TierUnavailableError(msg)
        return line[1:]


def _seen_by(node: ValkeyServer) -> list[_Seen]:
    """The cluster in the view of a node: https://valkey.io/commands/cluster-nodes/."""
    seen = []
    for line in ask(node, "CLUSTER", "NODES").splitlines():
        name, address, flags, *_, rest = line.split(" ", 8) + [""] * (9 - len(line.split(" ", 8)))
        slots = [each for each in rest.split() if not each.startswith("[")]
        ranges = [tuple(map(int, (each + "-" + each).split("-")[:2])) for each in slots]
        at = int(address.partition("@")[0].rpartition(":")[2])
        seen.append(_Seen(name, at, "master" in flags, [(each[0], each[1]) for each in ranges]))
    return seen
