"""The conformance suites of eviction policies."""

# ruff: noqa: D102 - the name of a test says what it checks
from __future__ import annotations

import copy
import math
import pickle
import random
import sys
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tiered_cache_policies.contracts import LockFreeReads

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import EvictionPolicy

__all__ = ["CachetoolsContract", "EvictionContract", "LockFreeReadsContract"]


def _as_size(value: int) -> int:
    return value


def _pickled(source: Any) -> Any:
    return pickle.loads(pickle.dumps(source))  # noqa: S301 - bytes that were made here


class EvictionContract:
    """What a memory tier needs of an eviction policy, as a pytest class to subclass.

    Override `make_policy`.
    """

    def make_policy(self, maxsize: float, getsizeof: Any = None) -> EvictionPolicy:
        """An empty policy of the class that is checked."""
        raise NotImplementedError

    def test_it_starts_empty(self) -> None:
        policy = self.make_policy(3)
        assert (len(policy), policy.currsize, policy.maxsize) == (0, 0, 3)
        assert list(policy) == []
        assert "a" not in policy

    def test_it_holds_what_it_was_given(self) -> None:
        policy = self.make_policy(3)
        policy["a"] = 1
        policy["b"] = None
        assert (policy["a"], policy["b"]) == (1, None)
        assert "a" in policy
        assert sorted(policy) == ["a", "b"]
        assert (len(policy), policy.currsize) == (2, 2)

    def test_a_value_is_replaced_in_its_place(self) -> None:
        policy = self.make_policy(2)
        policy["a"] = 1
        policy["b"] = 1
        policy["a"] = 2
        assert (policy["a"], policy["b"]) == (2, 1)
        assert policy.currsize == 2

    def test_what_it_does_not_hold_is_a_key_error(self) -> None:
        policy = self.make_policy(2)
        policy["a"] = 1
        del policy["a"]
        for key in ("a", "never"):
            with pytest.raises(KeyError):
                policy[key]
            with pytest.raises(KeyError):
                del policy[key]
        with pytest.raises(KeyError):
            policy.popitem()
        assert (len(policy), policy.currsize) == (0, 0)

    def test_an_insertion_never_evicts_itself(self) -> None:
        policy = self.make_policy(2)
        for number in range(10):
            policy[str(number)] = number
            assert policy[str(number)] == number
            assert len(policy) == min(number + 1, 2)

    def test_popitem_removes_one_and_says_which(self) -> None:
        policy = self.make_policy(3)
        for key in ("a", "b", "c"):
            policy[key] = key.upper()
        left = {"a", "b", "c"}
        for _ in range(3):
            key, value = policy.popitem()
            assert value == key.upper()
            left.remove(key)
            assert set(policy) == left
            assert policy.currsize == len(left)

    @pytest.mark.parametrize(("maxsize", "getsizeof"), [(10, _as_size), (2, None)])
    def test_every_eviction_goes_through_popitem(self, maxsize: int, getsizeof: Any) -> None:
        policy = self.make_policy(maxsize, getsizeof)
        pop, evicted = policy.popitem, []

        def popitem() -> tuple[str, Any]:
            item = pop()
            evicted.append(item)
            return item

        setattr(policy, "popitem", popitem)  # noqa: B010 - a method can't be assigned to
        held = {}
        for key, value in [("a", 4), ("b", 4), ("c", 4), ("a", 5), ("d", 10), ("e", 1)]:
            held[key] = value
            policy[key] = value
            for gone, was in evicted:
                assert held.pop(gone) == was or gone == key
            evicted.clear()
            held[key] = value
            assert {each: policy[each] for each in policy} == held

    def test_a_size_counts_what_it_takes(self) -> None:
        policy = self.make_policy(10, _as_size)
        policy["a"] = 3
        policy["b"] = 4
        assert policy.currsize == 7
        policy["b"] = 7
        assert (policy["a"], policy["b"], policy.currsize) == (3, 7, 10)
        policy["b"] = 1
        assert (policy["a"], policy["b"], policy.currsize) == (3, 1, 4)
        del policy["a"]
        assert policy.currsize == 1

    def test_a_larger_value_makes_others_go(self) -> None:
        policy = self.make_policy(10, _as_size)
        policy["a"] = 3
        policy["b"] = 4
        policy["b"] = 9
        assert (list(policy), policy["b"], policy.currsize) == (["b"], 9, 9)

    def test_a_value_that_is_too_large_changes_nothing(self) -> None:
        policy = self.make_policy(10, _as_size)
        policy["a"] = 3
        policy["b"] = 7
        for key in ("a", "new"):
            with pytest.raises(ValueError, match="too large"):
                policy[key] = 11
        assert (policy["a"], policy["b"], policy.currsize, len(policy)) == (3, 7, 10, 2)
        with pytest.raises(ValueError, match="too large"):
            self.make_policy(0)["a"] = 1

    def test_clear_removes_everything(self) -> None:
        policy = self.make_policy(10, _as_size)
        for _ in range(2):
            policy["a"] = 3
            policy["b"] = 7
            assert policy["a"] == 3
            policy.clear()
            assert (len(policy), policy.currsize, list(policy)) == (0, 0, [])
            assert "a" not in policy
            with pytest.raises(KeyError):
                policy.popitem()

    def test_it_agrees_with_a_dictionary_about_everything_but_what_goes(self) -> None:
        policy = self.make_policy(40, _as_size)
        pop, rng = policy.popitem, random.Random(0)  # noqa: S311 - repeatable
        model: dict[str, int] = {}

        def popitem() -> tuple[str, Any]:
            key, value = pop()
            assert model.pop(key) == value
            return key, value

        setattr(policy, "popitem", popitem)  # noqa: B010 - a method can't be assigned to
        for _ in range(3000):
            key, size = f"key-{rng.randrange(30)}", rng.randrange(9)
            if rng.random() < 0.5:
                policy[key] = size
                model[key] = size
            elif key in model and rng.random() < 0.3:
                del policy[key], model[key]
            elif key in model:
                assert policy[key] == model[key]
            assert (key in policy) == (key in model)
            assert len(policy) == len(model)
            assert policy.currsize == sum(model.values()) <= 40
        assert set(policy) == set(model)


class CachetoolsContract(EvictionContract):
    """What `cachetools.Cache` adds: the face of a dictionary, `__missing__`, copies, pickles.

    Set `policy_class`, and the `options` that its constructor needs.
    """

    policy_class: ClassVar[Any]
    options: ClassVar[dict[str, Any]] = {}

    def make_policy(self, maxsize: float, getsizeof: Any = None) -> Any:
        """An empty policy of the class."""
        return self.policy_class(maxsize, getsizeof=getsizeof, **self.options)

    def test_a_maxsize_may_be_infinite_but_not_negative(self) -> None:
        endless = self.make_policy(math.inf)
        endless.update((number, number) for number in range(300))
        assert (len(endless), endless.currsize) == (300, 300)
        for maxsize in (-1, -math.inf):
            with pytest.raises(ValueError, match="negative"):
                self.make_policy(maxsize)

    def test_its_repr_begins_with_its_name(self) -> None:
        cache = self.make_policy(2)
        cache["key"] = 1
        assert repr(cache).startswith(type(cache).__name__ + "(")
        assert "'key'" in repr(cache)

    def test_a_negative_size_is_refused(self) -> None:
        cache = self.make_policy(3, lambda _: -1)
        with pytest.raises(ValueError, match="negative"):
            cache["a"] = 1
        assert (len(cache), cache.currsize) == (0, 0)

    def test_getsizeof_may_be_a_method(self) -> None:
        sized = type("Sized", (self.policy_class,), {"getsizeof": staticmethod(_as_size)})
        cache = sized(5, **self.options)
        cache.update(a=2, b=3)
        assert (cache.currsize, cache.getsizeof(4)) == (5, 4)
        cache["c"] = 5
        assert list(cache) == ["c"]

    def test_get_pop_and_setdefault_ask_for_what_is_there(self) -> None:
        cache = self.make_policy(3)
        cache.update(a=1, b=2)
        assert (cache.get("a"), cache.get("x"), cache.get("x", 7)) == (1, None, 7)
        assert (cache.pop("a"), cache.pop("a", 7), cache.pop("a", None)) == (1, 7, None)
        with pytest.raises(KeyError):
            cache.pop("a")
        assert (cache.setdefault("b", 7), cache.setdefault("c", 7)) == (2, 7)
        assert dict(cache.items()) == {"b": 2, "c": 7}

    def test_missing_is_asked_by_subscription_only(self) -> None:
        def missing(cache: Any, key: Any) -> Any:
            if key != "unstored":
                cache[key] = key
            return key

        defaulting = type("Defaulting", (self.policy_class,), {"__missing__": missing})
        cache = defaulting(2, **self.options)
        assert [cache[key] for key in ("a", "b", "c", "unstored")] == ["a", "b", "c", "unstored"]
        assert len(cache) == 2
        assert "unstored" not in cache
        assert (cache.get("x"), cache.pop("x", None), len(cache)) == (None, None, 2)
        with pytest.raises(KeyError):
            cache.pop("x")

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, _pickled])
    def test_a_duplicate_lives_on_its_own(self, duplicate: Any) -> None:
        source = self.make_policy(10, _as_size)
        source.update(a=2, b=3)
        twin = duplicate(source)
        assert type(twin) is type(source)
        assert (twin, twin.maxsize, twin.currsize) == (source, 10, 5)
        twin["c"] = 10
        assert (list(twin), twin.currsize) == (["c"], 10)
        del source["a"]
        assert (list(source), source["b"], source.currsize) == (["b"], 3, 3)

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, _pickled])
    def test_a_duplicate_evicts_as_the_original_would(self, duplicate: Any) -> None:
        source = self.make_policy(50)
        rng = random.Random(1)  # noqa: S311 - repeatable
        for _ in range(400):
            key = rng.randrange(90)
            if key not in source or source[key] != key:
                source[key] = key
        twin = duplicate(source)
        order = [source.popitem() for _ in range(50)]
        assert [twin.popitem() for _ in range(50)] == order

    def test_a_large_one_can_be_duplicated(self) -> None:
        count = sys.getrecursionlimit() * 2
        for size in (0, 1, count):
            source = self.make_policy(size)
            source.update((number, number) for number in range(size))
            for duplicate in (copy.copy, copy.deepcopy, _pickled):
                assert duplicate(source) == source

    def test_a_copy_shares_what_is_not_the_policys_own(self) -> None:
        source = self.make_policy(3)
        source["a"] = []
        source.note = []
        twin = copy.copy(source)
        assert twin.note is source.note
        assert twin["a"] is source["a"]


class LockFreeReadsContract:
    """What a policy promises whose hits need no lock; run it beside `EvictionContract`."""

    def make_policy(self, maxsize: float, getsizeof: Any = None) -> Any:
        """An empty policy of the class that is checked."""
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
