"""The conformance suite of eviction policies with lock-free hits."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import random
import threading
from typing import Any

from tiered_cache_policies.contracts import LockFreeReads

__all__ = ["LockFreeReadsContract"]


class LockFreeReadsContract:
    """The promises of a policy with lock-free hits. Run it beside `EvictionContract`."""

    def make_policy(self, maxsize: float, getsizeof: Any = None) -> Any:
        """An empty policy of the class under test."""
        raise NotImplementedError

    def test_it_says_that_its_reads_need_no_lock(self) -> None:
        assert isinstance(self.make_policy(2), LockFreeReads)

    def test_nodes_are_live_and_the_same_for_ever(self) -> None:
        policy = self.make_policy(2)
        nodes = policy.nodes
        policy["a"] = 1
        assert nodes["a"].value == 1
        policy["a"] = 2
        assert nodes["a"].value == 2
        policy["b"] = policy["c"] = 3
        assert set(nodes) == set(policy)
        policy.clear()
        assert dict(nodes) == {}
        policy["d"] = 4
        assert policy.nodes is nodes
        assert nodes["d"].value == 4

    def test_every_visit_is_counted_once(self) -> None:
        policy = self.make_policy(3)
        policy.update(a=1, b=2, c=3)
        for _ in range(5):
            policy.nodes["a"].visits += 1
        assert policy["a"] == 1
        policy["d"] = 4
        policy["e"] = 5
        node = policy.nodes["a"]
        assert node.total_visits + node.visits == 6

    def test_a_visit_spares_as_a_read_does(self) -> None:
        read, visited = self.make_policy(20), self.make_policy(20)
        rng = random.Random(2)  # noqa: S311 - repeatable
        for _ in range(3000):
            key = str(rng.randrange(60))
            if key in read:
                assert read[key] == visited.nodes[key].value
                visited.nodes[key].visits += 1
            else:
                read[key] = visited[key] = key
            assert set(read) == set(visited)

    def test_looking_is_not_visiting(self) -> None:
        policy = self.make_policy(3)
        policy.update(a=1, b=2)
        assert "a" in policy
        assert list(policy) == ["a", "b"]
        assert len(policy) == 2
        assert [node.visits + node.total_visits for node in policy.nodes.values()] == [0, 0]

    def test_an_evicted_node_keeps_its_value_for_who_still_reads_it(self) -> None:
        policy = self.make_policy(1)
        policy["a"] = value = object()
        node = policy.nodes["a"]
        policy["b"] = 1
        node.visits += 1
        assert node.value is value
        assert list(policy) == ["b"]

    def test_law_12_readers_may_visit_while_it_evicts(self) -> None:
        policy = self.make_policy(4)
        policy.update(a=0, b=0, c=0)
        done = threading.Event()

        def visit() -> None:
            while not done.is_set():
                for key in ("a", "b", "c"):
                    node = policy.nodes.get(key)
                    if node is not None:
                        node.visits += 1

        readers = [threading.Thread(target=visit, daemon=True) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            for number in range(3000):
                policy[str(number)] = number
                assert len(policy) <= 4
                assert str(number) in policy
        finally:
            done.set()
            for reader in readers:
                reader.join(20)
