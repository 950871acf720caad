"""The conformance suite of eviction policies."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import gc
import random
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import EvictionPolicy

__all__ = ["EvictionContract", "as_size"]


_MAXSIZE = 1000
_OPAQUE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)


def reachable_bytes(source: object) -> int:
    """The size of an object and of all that it refers to, but for classes, modules and functions."""
    seen = {id(source)}
    waiting = [source]
    total = 0
    while waiting:
        each = waiting.pop()
        total += sys.getsizeof(each)
        for other in gc.get_referents(each):
            if id(other) not in seen and not isinstance(other, _OPAQUE):
                seen.add(id(other))
                waiting.append(other)
    return total


def _events_of_hits(policy: EvictionPolicy) -> int:
    """The lines of Python that a hit on each key runs, in total: a cost that repeats exactly."""
    events = 0

    def count(*_: object) -> object:
        nonlocal events
        events += 1
        return count

    keys = list(policy)
    before = sys.gettrace()
    sys.settrace(count)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # a tracer returns a tracer
    try:
        for key in keys:
            policy[key]
    finally:
        sys.settrace(before)
    return max(1, events)


def as_size(value: int) -> int:
    """A `getsizeof` for values that are their own size; unlike a lambda, it can be pickled."""
    return value


class EvictionContract:
    """The memory tier's expectations of an eviction policy, as a pytest class to subclass.

    Override `make_policy`.
    """

    def make_policy(self, maxsize: float, getsizeof: Any = None) -> EvictionPolicy:
        """An empty policy of the class under test."""
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

    @pytest.mark.parametrize(("maxsize", "getsizeof"), [(10, as_size), (2, None)])
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
        policy = self.make_policy(10, as_size)
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
        policy = self.make_policy(10, as_size)
        policy["a"] = 3
        policy["b"] = 4
        policy["b"] = 9
        assert (list(policy), policy["b"], policy.currsize) == (["b"], 9, 9)

    def test_a_value_that_is_too_large_changes_nothing(self) -> None:
        policy = self.make_policy(10, as_size)
        policy["a"] = 3
        policy["b"] = 7
        for key in ("a", "new"):
            with pytest.raises(ValueError, match="too large"):
                policy[key] = 11
        assert (policy["a"], policy["b"], policy.currsize, len(policy)) == (3, 7, 10, 2)
        with pytest.raises(ValueError, match="too large"):
            self.make_policy(0)["a"] = 1

    def test_clear_removes_everything(self) -> None:
        policy = self.make_policy(10, as_size)
        for _ in range(2):
            policy["a"] = 3
            policy["b"] = 7
            assert policy["a"] == 3
            policy.clear()
            assert (len(policy), policy.currsize, list(policy)) == (0, 0, [])
            assert "a" not in policy
            with pytest.raises(KeyError):
                policy.popitem()

    def test_a_million_keys_cost_no_more_memory_than_ten_thousand(self) -> None:
        policy = self.make_policy(_MAXSIZE)
        bytes_early, events_early = 0, 0
        for number in range(1_000_000):
            policy[f"key-{number}"] = number
            if number == 10_000:
                bytes_early, events_early = reachable_bytes(policy), _events_of_hits(policy)
        bytes_late, events_late = reachable_bytes(policy), _events_of_hits(policy)
        assert len(policy) <= _MAXSIZE
        assert bytes_late <= 2 * bytes_early, f"it grew from {bytes_early} to {bytes_late} bytes"
        assert events_late <= 2 * events_early, (
            f"a hit costs {events_late / events_early:.1f} times as much as it did"
        )

    def test_it_agrees_with_a_dictionary_about_everything_but_what_goes(self) -> None:
        policy = self.make_policy(40, as_size)
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
