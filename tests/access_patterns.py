"""Sequences of keys to replay: generated ones for every run, and public traces for `make torture`.

The public traces have licences of their own and are not part of the project. They are looked for
in `shared/traces` beside the checkout.
"""

from __future__ import annotations

import array
import json
import lzma
import random
import sys
from bisect import bisect
from functools import cache
from itertools import accumulate, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GENERATED", "generate", "generate_sized", "needs_public", "public", "public_facts"]

_FOLDER = Path(__file__).parents[2] / "shared" / "traces"
_REQUESTS = 20_000

needs_public = pytest.mark.skipif(
    not _FOLDER.is_dir(), reason="the public traces are not beside the checkout"
)
"""Marks a test of the public traces, besides `exhaustive`."""

GENERATED = ("zipf", "loop", "scans", "shifting", "once", "pools")
"""Names for `generate`. The keys of `loop` and `pools` come back without any skew."""


@cache
def generate(name: str) -> tuple[int, ...]:
    """20,000 keys, the same in every run.

    - `zipf`: 4,000 keys of skewed popularity.
    - `loop`: 700 keys in turn.
    - `scans`: `zipf`, interrupted by runs over 300 keys that never come again.
    - `shifting`: `zipf`, with other popular keys after every 5,000.
    - `once`: `zipf`, every second key being new.
    - `pools`: by turns one of 100 keys and one of 10,000.
    """
    rng = random.Random(f"tiered-cache {name}")
    keys: Iterator[int] = {
        "zipf": _zipf,
        "loop": _loop,
        "scans": _scans,
        "shifting": _shifting,
        "once": _once,
        "pools": _pools,
    }[name](rng)
    return tuple(key for _, key in zip(range(_REQUESTS), keys, strict=False))


def generate_sized(spread: float = 1.5) -> tuple[tuple[int, int], ...]:
    """The keys of `once` with their sizes in bytes, of a log-normal distribution."""
    rng = random.Random("tiered-cache sizes")
    sizes: dict[int, int] = {}
    return tuple(
        (key, sizes.setdefault(key, 1 + int(rng.lognormvariate(7, spread))))
        for key in generate("once")
    )


def _zipf(rng: random.Random, keys: int = 4000, exponent: float = 0.9) -> Iterator[int]:
    shares = list(accumulate(1 / rank**exponent for rank in range(1, keys + 1)))
    while True:
        # Multiplying by a number that has no factor in common with `keys` spreads the popular ones.
        yield bisect(shares, rng.random() * shares[-1]) * 1237 % keys


def _loop(_rng: random.Random) -> Iterator[int]:
    return (number % 700 for number in count())


def _scans(rng: random.Random) -> Iterator[int]:
    popular, new = _zipf(rng), count(10_000)
    while True:
        yield from (next(popular) for _ in range(1500))
        yield from (next(new) for _ in range(300))


def _shifting(rng: random.Random) -> Iterator[int]:
    for number, key in enumerate(_zipf(rng)):
        yield key + number // 5000 * 1000


def _once(rng: random.Random) -> Iterator[int]:
    popular, new = _zipf(rng), count(10_000)
    while True:
        yield next(popular)
        yield next(new)


def _pools(rng: random.Random) -> Iterator[int]:
    while True:
        yield rng.randrange(100)
        yield 1000 + rng.randrange(10_000)


def public_facts(name: str) -> dict[str, Any]:
    """The content of `traces` (origin, length) or `reference` (hit ratios); empty without them."""
    path = _FOLDER / f"{name}.json"
    facts: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return facts


@cache
def public(file: str) -> tuple[int, ...]:
    """The numbers in a file of a public trace, such as `lirs-cs.u64`."""
    numbers = array.array("Q")
    numbers.frombytes(lzma.decompress((_FOLDER / f"{file}.xz").read_bytes()))
    if sys.byteorder == "big":
        numbers.byteswap()
    return tuple(numbers)
