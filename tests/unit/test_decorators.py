"""`cached`: keys, methods, invalidation, and the hit from the raw argument."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache import ConfigurationError, InvalidKeyError, MemoryTier, TieredCache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.testing import FakeClock


@pytest.fixture
def cache(clock: FakeClock) -> Iterator[TieredCache]:
    with TieredCache([MemoryTier()], clock=clock) as made:
        yield made


def test_a_function_of_one_argument(cache: TieredCache, clock: FakeClock) -> None:
    calls: list[Any] = []

    @cache.cached(ttl="1m", tags={"tag"})
    def analyze(path: Any = "default") -> str:
        """Has a docstring."""
        calls.append(path)
        return f"report of {path!r}"

    assert [analyze("a"), analyze("a"), analyze(path="a")] == ["report of 'a'"] * 3
    assert calls == ["a"]
    assert [analyze(1), analyze(1.0), analyze(True), analyze("1"), analyze(b"1")] == [
        "report of 1",
        "report of 1.0",
        "report of True",
        "report of '1'",
        "report of b'1'",
    ]
    assert len(calls) == 6
    assert analyze() == analyze("default") == "report of 'default'"
    assert len(calls) == 7
    assert cache.lookup(analyze.key_for("a")).tags == {"tag"}
    clock.advance(61)
    analyze("a")
    assert len(calls) == 8
    assert analyze.__doc__ == "Has a docstring."
    assert analyze.__qualname__.endswith("analyze")
    assert str(inspect.signature(analyze)) == "(path: 'Any' = 'default') -> 'str'"
    with pytest.raises(TypeError):
        analyze("a", "b")  # type: ignore[call-arg] # on purpose
    with pytest.raises(TypeError):
        analyze(other="a")  # type: ignore[call-arg] # on purpose


def test_invalidation_deletion_and_replacement_are_seen(cache: TieredCache) -> None:
    calls: list[str] = []

    @cache.cached
    def double(text: str) -> str:
        calls.append(text)
        return text * 2

    double("a")
    double("a")
    assert double.invalidate("a")
    assert not double.invalidate("a")
    assert double("a") == "aa"
    assert calls == ["a", "a"]
    cache.delete(double.key_for("a"))
    double("a")
    assert len(calls) == 3
    cache.set(double.key_for("a"), "replaced")
    assert double("a") == "replaced"
    cache.clear()
    assert double("a") == "aa"
    assert double.uncached("b") == "bb"
    assert cache.lookup(double.key_for("b")).found is False


def test_several_arguments_in_any_order(cache: TieredCache) -> None:
    calls: list[tuple[Any, ...]] = []

    @cache.cached
    def measure(path: str, *options: str, depth: int = 1, **more: Any) -> tuple[Any, ...]:
        calls.append((path, options, depth, more))
        return calls[-1]

    measure("a", "x", depth=1, q=1, p={"b": 1, "a": 2})
    measure("a", "x", p={"a": 2, "b": 1}, q=1)
    assert len(calls) == 1
    measure("a", depth=1)
    measure("a")
    measure(path="a")
    assert len(calls) == 2
    measure("a", depth=2)
    measure("a", "1")
    measure("a", q=None)
    assert len(calls) == 5


def test_a_method_and_its_object(cache: TieredCache) -> None:
    class Linter:
        def __init__(self, config: str) -> None:
            self.config = config
            self.calls = 0

        def __cache_key__(self) -> str:
            return self.config

        @cache.cached
        def lint(self, path: str) -> str:
            self.calls += 1
            return f"{path} with {self.config}"

        @cache.cached(ignore=["self"])
        def size(self, path: str) -> int:
            self.calls += 1
            return len(path)

        @cache.cached
        def name(self) -> str:
            self.calls += 1
            return self.config

    strict, lax = Linter("strict"), Linter("lax")
    assert (strict.lint("a"), lax.lint("a")) == ("a with strict", "a with lax")
    assert Linter("strict").lint(path="a") == "a with strict"
    assert (strict.size("abc"), lax.size("abc")) == (3, 3)
    assert (strict.name(), strict.name(), Linter("strict").name()) == ("strict",) * 3
    assert (strict.calls, lax.calls) == (3, 1)
    assert Linter.lint.invalidate(strict, "a")
    strict.lint("a")
    assert strict.calls == 4


@pytest.mark.proves("keys/no-stable-encoding")
def test_arguments_without_a_stable_key_name_themselves(cache: TieredCache) -> None:
    class Opaque:
        pass

    @cache.cached
    def analyze(path: str, config: Any) -> None: ...

    with pytest.raises(InvalidKeyError, match=r"config.*Opaque") as caught:
        analyze("a", {"x": [Opaque()]})
    assert "__cache_key__" in str(caught.value)

    @cache.cached(key=lambda path, config: path)
    def by_path(path: str, config: Any) -> str:
        return path

    assert by_path("a", Opaque()) == "a"
    assert by_path.key_for("a", None) == by_path.key_for("a", Opaque())
    assert by_path.key_for("a", None) != by_path.key_for("b", None)
    other = cache.cached(key=lambda path, config: path, version="2")(by_path.uncached)
    assert other.key_for("a", None) != by_path.key_for("a", None)


def test_version_changes_the_key(cache: TieredCache) -> None:
    def function(text: str) -> str:
        return text

    keys = {cache.cached(version=version)(function).key_for("a") for version in ("", "1", "2")}
    assert len(keys) == 3


def test_functions_with_single_use_results_are_refused(cache: TieredCache) -> None:
    async def coroutine() -> None: ...
    def generator() -> Iterator[int]:
        yield 1

    for function in (coroutine, generator):
        with pytest.raises(ConfigurationError, match=r"can.t be cached|only AsyncTieredCache"):
            cache.cached(function)


def test_none_and_exceptions(cache: TieredCache) -> None:
    calls: list[str] = []

    @cache.cached
    def find(text: str) -> str | None:
        calls.append(text)
        if text == "bad":
            raise ValueError(text)
        return None

    assert find("a") is None
    assert find("a") is None
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            find("bad")
    assert calls == ["a", "bad", "bad"]


@pytest.mark.proves("law-10/raw-arguments")
def test_the_memo_of_raw_arguments_is_bounded(
    cache: TieredCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiered_cache.decorators._MAX_MEMOS", 10)

    @cache.cached
    def double(text: str) -> str:
        return text * 2

    for number in range(100):
        assert double(str(number)) == str(number) * 2
        assert double(str(number)) == str(number) * 2
    inner = inspect.getclosurevars(double).nonlocals["memo"]
    assert len(inner) <= 10


SAME_KEY = """
from tiered_cache import MemoryTier, TieredCache
cache = TieredCache([MemoryTier()])
@cache.cached
def function(a, b=2, **more): ...
function.__module__ = "m"
print(function.key_for({"x": {1, 2, 3}, "y": frozenset("abc")}, z=[(1, 1.5), None], y=b"b"))
"""


@pytest.mark.proves("keys/same-everywhere")
def test_the_same_call_has_the_same_key_in_every_process() -> None:
    keys = {
        subprocess.run(
            [sys.executable, "-c", SAME_KEY],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(keys) == 1


@pytest.mark.proves("keys/closures")
def test_functions_that_one_factory_made_do_not_share_results(cache: TieredCache) -> None:
    def adding(number: int, key: Any = None) -> Any:
        @cache.cached(key=key)
        def add(other: int) -> int:
            return number + other

        return add

    for key in (None, str):
        one, ten = adding(1, key), adding(10, key)
        assert [one(5), ten(5), adding(1, key)(5)] == [6, 15, 6]
    assert cache.stats().computes == 4


@pytest.mark.parametrize(
    ("wrong", "way_out"),
    [
        ("1h", 'cached(ttl="1d")'),
        (3600, 'cached(ttl="1d")'),
        (classmethod(repr), "below @classmethod"),
        (staticmethod(repr), "below @staticmethod"),
        (property(repr), "below @property"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_objects_that_are_no_functions_are_refused_with_a_way_out(
    cache: TieredCache, wrong: Any, way_out: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        cache.cached(wrong)
    assert way_out in str(caught.value)
