"""The conformance suite of eviction policies that are `cachetools.Cache` classes."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import copy
import math
import pickle
import random
import sys
from typing import Any, ClassVar

import pytest

from tiered_cache.testing.policy_contracts.eviction_contract import EvictionContract, as_size

__all__ = ["CachetoolsContract"]


def _pickled(source: Any) -> Any:
    return pickle.loads(pickle.dumps(source))  # noqa: S301 - bytes from the same line


class CachetoolsContract(EvictionContract):
    """The additions of `cachetools.Cache`: dictionary methods, `__missing__`, copies and pickles.

    Set `policy_class`, and the `options` that its constructor needs.
    """

    policy_class: ClassVar[Any]
    options: ClassVar[dict[str, Any]] = {}

    def make_policy(self, maxsize: float, getsizeof: Any = None) -> Any:
        """An empty policy of `policy_class`."""
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
        sized = type("Sized", (self.policy_class,), {"getsizeof": staticmethod(as_size)})
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
        source = self.make_policy(10, as_size)
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
