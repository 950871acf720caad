"""Generated traces: the same requests on every machine and every Python.

They use integer arithmetic and `getrandbits` only: `random.choices` and float powers may differ in
their last digit between versions and platforms, and the reference ratios are exact.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import accumulate, count, islice
from math import isqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["GENERATORS", "generate", "generate_sized"]

_REQUESTS = 20_000
_FAR = 1_000_000
"""The distance between the keys of two parts of a trace that share none."""


def generate(name: str) -> tuple[int, ...]:
    """The keys of the requests of a trace, in order."""
    return tuple(islice(GENERATORS[name](random.Random(f"tiered_cache {name}")), _REQUESTS))


def generate_sized(name: str, spread: float = 1.5) -> tuple[tuple[int, int], ...]:
    """The keys of a trace, each with its size in bytes, by a log-normal distribution."""
    rng = random.Random("tiered_cache sizes")
    sizes: dict[int, int] = {}
    return tuple(
        (key, sizes.setdefault(key, 1 + int(rng.lognormvariate(7, spread))))
        for key in generate(name)
    )


def _below(rng: random.Random, limit: int) -> int:
    return rng.getrandbits(64) * limit >> 64


def _zipf(rng: random.Random, keys: int, halves: int = 2) -> Iterator[int]:
    """Ranks by Zipf's distribution with the exponent `halves / 2`."""
    weights = [10**15 // isqrt(10**6 * rank**halves) for rank in range(1, keys + 1)]
    totals = list(accumulate(weights))
    while True:
        yield bisect_right(totals, _below(rng, totals[-1]))


def _loop(_: random.Random) -> Iterator[int]:
    """Five hundred keys, round and round."""
    while True:
        yield from range(500)


def _popular(rng: random.Random) -> Iterator[int]:
    """Popularity that does not change."""
    return _zipf(rng, 5000)


def _flat(rng: random.Random) -> Iterator[int]:
    """Popularity with small differences."""
    return _zipf(rng, 2000, halves=1)


def _scans(rng: random.Random) -> Iterator[int]:
    """Popular keys, and every thousand requests a scan of 500 keys that come only once."""
    popular, scanned = _zipf(rng, 2000), count(_FAR)
    while True:
        yield from islice(popular, 1000)
        yield from islice(scanned, 500)


def _once(rng: random.Random) -> Iterator[int]:
    """In turns a popular key and a key that comes only once."""
    popular, new = _zipf(rng, 4000), count(_FAR)
    while True:
        yield next(popular)
        yield next(new)


def _shifting(rng: random.Random) -> Iterator[int]:
    """A working set of 150 keys that loses its oldest key every ten requests."""
    for number in count():
        yield number // 10 + _below(rng, 150)


def _recent(rng: random.Random) -> Iterator[int]:
    """A key of the last ones, the nearer the likelier; one time in four a new key."""
    stack: list[int] = []
    for number in count():
        if not stack or not _below(rng, 4):
            stack.append(number)
        else:
            widest = 1 << _below(rng, 11)
            depth = min(_below(rng, widest) + 1, len(stack))
            stack.append(stack.pop(-depth))
        yield stack[-1]


def _two_pools(rng: random.Random) -> Iterator[int]:
    """In turns one of 100 index pages, and one of 5,000 records."""
    while True:
        yield _below(rng, 100)
        yield _FAR + _below(rng, 5000)


def _phases(rng: random.Random) -> Iterator[int]:
    """Popularity that changes at once: every 3,000 requests another set of keys, or the first."""
    for number in count():
        yield from (number % 3 * _FAR + rank for rank in islice(_zipf(rng, 2000), 3000))


def _bursts(rng: random.Random) -> Iterator[int]:
    """Popular keys, and new keys that come up to five times in short succession, then never."""
    popular, waiting = _zipf(rng, 1000), [_FAR]
    for number in count(_FAR + 1):
        yield next(popular)
        if not _below(rng, 3):
            waiting += [number] * (1 + _below(rng, 5))
        yield waiting.pop(-1 - _below(rng, min(len(waiting), 20))) if waiting else next(popular)


def _drift(rng: random.Random) -> Iterator[int]:
    """Popularity that drifts: every 20 requests the most popular key is a new one."""
    for number, rank in enumerate(_zipf(rng, 3000)):
        yield _FAR + number // 20 - rank


def _builds(rng: random.Random) -> Iterator[int]:
    """Passes over 600 files of which a few change; in between, work on a few of them."""
    versions = [0] * 600
    while True:
        for file, version in enumerate(versions):
            yield version * 600 + file
        chosen = [_below(rng, 600) for _ in range(15)]
        for _ in range(600):
            file = chosen[_below(rng, 15)]
            if not _below(rng, 10):
                versions[file] += 1
            yield versions[file] * 600 + file


def _splice(rng: random.Random) -> Iterator[int]:
    """A workload for frequency, one for recency, a loop, and the first again."""
    popular, recent = _zipf(rng, 2000), _recent(rng)
    while True:
        yield from islice(popular, 3000)
        yield from (_FAR + key for key in islice(recent, 3000))
        yield from (2 * _FAR + key for key in islice(_loop(rng), 3000))


GENERATORS: dict[str, Callable[[random.Random], Iterator[int]]] = {
    "popular": _popular,
    "flat": _flat,
    "scans": _scans,
    "once": _once,
    "shifting": _shifting,
    "recent": _recent,
    "phases": _phases,
    "bursts": _bursts,
    "drift": _drift,
    "builds": _builds,
    "loop": _loop,
    "two-pools": _two_pools,
    "splice": _splice,
}
