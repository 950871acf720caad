"""The files that one call passes in the calling thread, in a warm process.

The stack is memory, disk and Redis, as most people have it. Only the project's own files count.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.structure.sources import ROOT
from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.testing import ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tiered_cache.contracts import Tier

__all__ = ["Passage", "disk_hit", "full_miss"]

_WARM_UP = 50
_LOOKED_UP = 20_000
"""Keys looked up beforehand, so that the miss-ratio curves follow a sample of the keys only."""
_RUNS = 11
_OURS = ("tiered_cache/", "policies/")


class Passage(NamedTuple):
    """The files in the order in which they are entered first."""

    files: list[str]
    detail: str


def disk_hit() -> Passage:
    """A `get_or_compute` that the disk answers."""
    return _in_a_stack("a disk hit", lambda cache, key: _forget_in_memory(cache, key))


def full_miss() -> Passage:
    """A `get_or_compute` of a key that no tier has seen, as on the first run over a project."""
    return _in_a_stack("a full miss", lambda _cache, _key: None)


def _forget_in_memory(cache: TieredCache, key: str) -> None:
    cache.set(key, "value")
    memory, *_ = cache._source.core().stack.levels
    memory.tier.delete(key)


def _in_a_stack(name: str, prepare: Callable[[TieredCache, str], object]) -> Passage:
    with tempfile.TemporaryDirectory() as folder, ValkeyServer() as server:
        tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(folder), RedisTier(server.url)]
        with TieredCache(tiers) as cache:
            for index in range(_WARM_UP):
                prepare(cache, f"warm-{index}")
                cache.get_or_compute(f"warm-{index}", lambda: "value")
            cache.get_many([f"other-{index}" for index in range(_LOOKED_UP)])
            passages = []
            for index in range(_RUNS):
                key = f"key-{index}"
                prepare(cache, key)
                passages.append(
                    _trace(name, lambda key=key: cache.get_or_compute(key, lambda: "value"))  # type: ignore[misc] # a lambda with a default
                )
    # The run between few and many: some keys are in the curves' sample, and a check that is due
    # once a second falls into one of the runs.
    passages.sort(key=lambda passage: len(passage.files))
    median, most = passages[_RUNS // 2], passages[-1]
    return Passage(median.files, f"{median.detail}; {len(most.files)} files at most")


def _trace(name: str, call: Callable[[], Any]) -> Passage:
    files: dict[str, None] = {}
    functions: set[tuple[str, str]] = set()
    switches = 0
    last = ""

    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal switches, last
        if event != "call":
            return
        path = _relative(frame.f_code.co_filename)
        if path.startswith(_OURS):
            switches += path != last
            last = path
            files[path] = None
            functions.add((path, frame.f_code.co_qualname))

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return Passage(list(files), f"{name}: {len(functions)} functions, {switches} switches of file")


def _relative(path: str) -> str:
    try:
        return Path(path).relative_to(ROOT).as_posix()
    except ValueError:
        return ""
