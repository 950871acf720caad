"""The answers of cluster nodes about the owner of a slot."""

from __future__ import annotations

import time
from typing import Any

import pytest
from redis.exceptions import AskError, MovedError, ResponseError, TryAgainError

from tiered_cache.errors import TierUnavailableError
from tiered_cache.tiers.redis._cluster import ClusterConnections

SLOT = 16287  # of the tag x
GET = ("GET", "{x}")


class Nodes(ClusterConnections):
    """A cluster of nodes that give prepared replies, one after the other."""

    def __init__(self, **replies: list[Any]) -> None:
        super().__init__(
            "redis+cluster://one:1,two:1",
            timeout_s=5.0,
            connect_timeout_s=5.0,
            max_connections=1,
        )
        self.use_slot_of(b"{x}")
        self.replies = replies
        self.asked: list[str] = []

    def _pool(self, node: Any) -> Any:
        nodes = self

        class Pool:
            def exchange_by(self, commands: Any, at: float) -> list[Any]:
                assert at >= time.monotonic()
                nodes.asked += [f"{node.host} {' '.join(command)}" for command in commands]
                replies = nodes.replies[node.host]
                if replies[0] is None:
                    del replies[0]
                    raise TierUnavailableError("gone")
                return [replies.pop(0) for _ in commands]

            def close(self) -> None: ...

        return Pool() if hasattr(self, "replies") else super()._pool(node)


def slots(host: Any, first: int = 0, last: int = 16383) -> list[Any]:
    """A reply to `CLUSTER SLOTS` of a cluster in which one node has all slots."""
    return [[first, last, [host, 1, b"id"], [b"replica", 2, b"id"]]]


@pytest.mark.parametrize("host", [b"one", b"", None, b"?"])
def test_a_node_that_does_not_know_its_host_is_the_one_that_was_asked(host: Any) -> None:
    nodes = Nodes(one=[slots(host), b"value"])
    assert nodes.exchange([GET]) == [b"value"]
    assert nodes.asked == ["one CLUSTER SLOTS", "one GET {x}"]


def test_the_next_node_is_asked_where_one_does_not_answer() -> None:
    nodes = Nodes(one=[None], two=[slots(b"two"), b"value"])
    assert nodes.exchange([GET]) == [b"value"]


def test_only_redirected_commands_are_sent_again() -> None:
    nodes = Nodes(
        one=[slots(b"one"), b"1", MovedError(f"{SLOT} two:1"), b"3"],
        two=[b"2", b"4"],
    )
    assert nodes.exchange([GET, GET, GET]) == [b"1", b"2", b"3"]
    assert nodes.exchange([GET]) == [b"4"], "it is remembered"


def test_a_redirection_without_a_host_is_to_another_port_of_the_same() -> None:
    nodes = Nodes(one=[slots(b"one"), MovedError(f"{SLOT} :7001"), b"value"])
    assert nodes.exchange([GET]) == [b"value"]


def test_a_key_that_is_on_its_way_is_asked_for_there_this_once() -> None:
    nodes = Nodes(
        one=[slots(b"one"), AskError(f"{SLOT} two:1"), b"here"],
        two=[b"OK", b"there"],
    )
    assert nodes.exchange([GET]) == [b"there"]
    assert nodes.asked[-2:] == ["two ASKING", "two GET {x}"]
    assert nodes.exchange([GET]) == [b"here"]


def test_a_command_with_keys_on_two_nodes_is_retried() -> None:
    nodes = Nodes(one=[slots(b"one"), TryAgainError("TRYAGAIN"), b"value"])
    assert nodes.exchange([GET]) == [b"value"]


def test_law_8_nodes_that_point_at_each_other_are_an_error() -> None:
    there, back = MovedError(f"{SLOT} two:1"), MovedError(f"{SLOT} one:1")
    nodes = Nodes(one=[slots(b"one"), *[there] * 20], two=[back] * 20)
    with pytest.raises(TierUnavailableError, match="redirected a command more than 16 times"):
        nodes.exchange([GET])


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (slots(b"one", 0, SLOT - 1), "has the slot .*: start the node .*--cluster fix one:1$"),
        ([], "has the slot .*: start the node .*--cluster fix one:1$"),
        (ResponseError("ERR This instance has cluster support disabled"), "support disabled"),
    ],
)
def test_a_slot_without_an_owner_is_an_error(reply: Any, told: str) -> None:
    with pytest.raises(TierUnavailableError, match=told):
        Nodes(one=[reply]).exchange([GET])


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        (b"id one:1@2 myself,master - 0 0 1 connected 0-16383", True),
        (b"id one:1@2 myself,master - 0 0 1 connected 0-16383 [16287-<-other]", True),
        (b"id one:1@2 myself,master - 0 0 1 connected 0-16383 [1-<-other] [16287->-other]", False),
        (b"", False),
    ],
)
def test_a_slot_that_is_being_moved_is_not_whole(line: bytes, whole: bool) -> None:
    nodes = Nodes(one=[slots(b"one"), b"id two:1@2 master - 0 0 2 connected\n" + line])
    if whole:
        assert nodes.sole_address() == "one:1"
    else:
        with pytest.raises(TierUnavailableError, match="is being moved"):
            nodes.sole_address()
