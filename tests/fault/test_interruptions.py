"""An exception at every step of an operation, as Ctrl-C raises one."""

from __future__ import annotations

import gc
import inspect
import itertools
import sqlite3
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diskcache
import pytest

import tiered_cache
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.tiers.disk._leases import DiskLeases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

WAIT_S = 30
_OURS = (str(Path(tiered_cache.__file__).parent), str(Path(diskcache.__file__).parent))


class Interrupted(BaseException):
    """An exception that no code catches."""


def interrupt(action: Callable[[], object], at: int) -> bool:
    """Call `action`, and raise at the step number `at`; whether it came so far.

    A step is a place where Python handles signals: the start of a function of ours, and the return
    of one of SQLite's. (Python does not where a generator that delegates to another one resumes.)
    The garbage collector is off, because finalizers swallow exceptions.
    """
    steps = itertools.count()

    def profile(frame: FrameType, event: str, called: Any) -> None:
        code = frame.f_code
        begins = event == "call" and not code.co_flags & inspect.CO_GENERATOR
        is_ours = begins and code.co_filename.startswith(_OURS)
        is_sqlite = event == "c_return" and isinstance(
            getattr(called, "__self__", None), sqlite3.Connection | sqlite3.Cursor
        )
        if (is_ours or is_sqlite) and next(steps) == at:
            sys.setprofile(None)
            raise Interrupted

    gc.disable()
    sys.setprofile(profile)
    try:
        action()
    except Interrupted:
        return True
    finally:
        sys.setprofile(None)
        gc.enable()
    return False


def in_a_thread(action: Callable[[], object]) -> None:
    """Call `action` in another thread, and wait for it."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            action()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert not raised, raised


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[TieredCache]:
    with TieredCache([MemoryTier(), DiskTier(tmp_path)]) as made:
        yield made


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[TieredCache]:
    """Another cache over the same directory, as another process has it."""
    with TieredCache([DiskTier(tmp_path)]) as made:
        yield made


OPERATIONS: dict[str, Callable[[TieredCache, int], object]] = {
    "get": lambda cache, number: cache.get(f"read {number}"),
    "set": lambda cache, number: cache.set("key", number),
    "set with a file": lambda cache, number: cache.set("key", bytes(40_000)),
    "set with a tag": lambda cache, number: cache.set("key", number, tags={"tag"}),
    "get_or_compute": lambda cache, number: cache.get_or_compute(f"key {number}", lambda: number),
    "get_or_compute_many": lambda cache, number: cache.get_or_compute_many(
        [f"read {number}", f"key {number}"], lambda keys: dict.fromkeys(keys, number)
    ),
    "set_many": lambda cache, number: cache.set_many({"key": number, "other": number}),
    "touch": lambda cache, number: cache.touch(f"read {number}", 100),
    "delete": lambda cache, number: cache.delete("key"),
    "clear": lambda cache, number: cache.clear(),
}


@pytest.mark.proves("law-8/interruption")
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_law_8_an_interruption_at_any_step_leaves_a_cache_that_works(
    cache: TieredCache, other_process: TieredCache, operation: Callable[[TieredCache, int], object]
) -> None:
    stack = cache._source.core().stack

    def works(number: int) -> None:
        for key in ("key", f"key {number}"):
            written = [each.outcome for each in cache.set(key, number).tiers]
            assert written == ["written", "written"], f"after step {number}"
            assert other_process.get(key) == number, f"after step {number}"
        assert cache.delete(f"key {number}")
        assert cache.get_or_compute(f"key {number}", lambda: "new") == "new"

    number = 0
    for number in itertools.count():
        other_process.clear()
        other_process.set(f"read {number}", number)
        if not interrupt(lambda: operation(cache, number), number):  # noqa: B023
            break
        works(number)
        in_a_thread(lambda: works(number))  # noqa: B023
    assert number > 10
    for stripe in stack.locks._all:
        assert stripe.lock.acquire(timeout=WAIT_S)
        stripe.lock.release()


@pytest.mark.proves("law-8/interruption")
def test_an_interruption_while_one_of_several_leases_is_given_back_keeps_none(
    cache: TieredCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease that is kept would be renewed for ever, and every other process would wait for it."""
    release = DiskLeases.release
    releases = itertools.count()

    def interrupted_first(self: Any, key: str, owner: str) -> None:
        if next(releases) == 0:
            raise Interrupted
        release(self, key, owner)

    monkeypatch.setattr(DiskLeases, "release", interrupted_first)
    keys = ["a", "b", "c"]
    with pytest.raises(Interrupted):
        cache.get_or_compute_many(keys, dict.fromkeys)
    monkeypatch.undo()
    tier = DiskTier(tmp_path)
    with TieredCache([tier]):
        leases = tier.offers.leases
        assert leases is not None
        assert [leases.acquire(key, "another", 1.0).granted for key in keys] == [True] * 3
