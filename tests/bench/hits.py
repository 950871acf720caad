"""The cost of a hit in each tier, as a multiple of peers in the same run."""

from __future__ import annotations

import contextlib
import functools
import math
import random
import tempfile
import time
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import cachetools
import diskcache
import msgspec
import redis

from tests.bench.report import print_ratios
from tests.bench.timing import measure, per_call
from tiered_cache import DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.testing import ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bench_l1", "bench_l2", "bench_l3"]

REPORT = {
    "path": "package/module.py",
    "complexity": [["function", 12, 3], ["method", 40, 11]],
    "maintainability": 71.25,
    "messages": ["12:1 'os' imported but unused"] * 3,
}
"""A value like the analysis of one file; about 350 bytes as a record."""


def bench_l1() -> list[str]:
    """A hit in memory, with a lifetime, statistics and thread safety."""
    keys = [f"package.module.analyze:{number:032x}" for number in range(100)]
    with TieredCache([MemoryTier()]) as cache:
        cache.set_many(dict.fromkeys(keys, REPORT), ttl="1h")

        @functools.lru_cache(maxsize=1000)
        def lru(key: str) -> str:
            return key

        @cache.cached(ttl="1h")
        def cached(text: str) -> str:
            return text

        for key in keys:
            lru(key)
            cached(key)
        view = cache.namespace("view")
        view.set_many(dict.fromkeys(keys, REPORT), ttl="1h")
        names: dict[str, Any] = {
            "cache": cache,
            "view": view,
            "lru": lru,
            "cached": cached,
            "compute": lambda: REPORT,
            **_l1_peers(keys),
        }
        statements = {
            "functools.lru_cache": "lru(k)",
            "cache.get": "cache.get(k)",
            "cache.get_or_compute": "cache.get_or_compute(k, compute)",
            "@cache.cached, one string": "cached(k)",
            "view.get (a namespace)": "view.get(k)",
            "cachetools.TTLCache + RLock": "ttl_get(k)",
            "@cachetools.cached, TTL + lock": "cachetools_cached(k)",
        }
        if "cachebox_get" in names:
            statements["cachebox raw get"] = "cachebox_get(k)"
        if "moka_get" in names:
            statements["moka-py get"] = "moka_get(k)"
        if "dogpile" in names:
            statements["dogpile get"] = "dogpile.get(k)"
        subjects = {
            name: per_call(statement, names, keys, 200) for name, statement in statements.items()
        }
        measured = measure(subjects)
    return print_ratios(
        "L1 hit",
        measured,
        "functools.lru_cache",
        {"cache.get": 3.5, "cache.get_or_compute": 3.5, "@cache.cached, one string": 4.0},
    )


def _l1_peers(keys: list[str]) -> dict[str, Any]:
    ttl_cache: Any = cachetools.TTLCache(1000, 3600)
    lock = RLock()

    def ttl_get(key: str) -> Any:
        with lock:
            return ttl_cache.get(key)

    @cachetools.cached(cachetools.TTLCache(1000, 3600), lock=RLock())
    def cachetools_cached(key: str) -> str:
        return key

    peers: dict[str, Any] = {"ttl_get": ttl_get, "cachetools_cached": cachetools_cached}
    with contextlib.suppress(ImportError):
        import cachebox  # pyright: ignore[reportMissingImports] # in an extra

        box: Any = cachebox.TTLCache(1000, 3600)
        for key in keys:
            box[key] = REPORT
        peers["cachebox_get"] = box.get
    with contextlib.suppress(ImportError):
        import moka_py  # pyright: ignore[reportMissingImports] # in an extra

        moka: Any = moka_py.Moka(1000, ttl=3600)
        for key in keys:
            moka.set(key, REPORT)
        peers["moka_get"] = moka.get
    with contextlib.suppress(ImportError):
        from dogpile.cache import (  # pyright: ignore[reportMissingImports] # in an extra
            make_region,
        )

        region = make_region().configure("dogpile.cache.memory", expiration_time=3600)
        for key in keys:
            region.set(key, REPORT)
        peers["dogpile"] = region
    for key in keys:
        ttl_cache[key] = REPORT
        cachetools_cached(key)
    return peers


def bench_l2() -> list[str]:
    """A hit on disk, decoded and promoted, beside a raw read of the same bytes."""
    rng = random.Random(4)
    keys = [f"package.module.analyze:{rng.getrandbits(128):032x}" for _ in range(5000)]
    with (
        tempfile.TemporaryDirectory() as folder,
        TieredCache([MemoryTier(), DiskTier(folder)]) as cache,
    ):
        cache.set_many(dict.fromkeys(keys, REPORT), ttl="1h")
        forget, record = _inside(cache, keys[0])
        raw: Any = diskcache.Cache(str(Path(folder) / "raw"))
        with raw.transact():
            for key in keys:
                raw.set(key, record, expire=3600)
        rng.shuffle(keys)
        above: dict[str, Any] = {}
        decode = msgspec.msgpack.Decoder().decode
        payload = msgspec.msgpack.encode(REPORT)
        with raw.transact():
            for key in keys:
                raw.set(f"payload of {key}", payload, expire=3600)

        def prototype(key: str) -> Any:
            value = above.get(key)
            if value is None:
                value = above[key] = decode(raw.get(f"payload of {key}"))
            return value

        def start_empty() -> None:
            forget()
            above.clear()

        names = {"cache": cache, "raw": raw, "prototype": prototype}
        measured = measure(
            {
                "diskcache.Cache.get": per_call("raw.get(k)", names, keys[:2000]),
                "a dict over diskcache, decoded, unchecked": per_call(
                    "prototype(k)", names, keys[:2000]
                ),
                "cache.get": per_call("cache.get(k)", names, keys[:2000]),
            },
            before=start_empty,
        )
        raw.close()
    title = f"L2 hit, a record of {len(record)} bytes"
    return print_ratios(title, measured, "diskcache.Cache.get", {"cache.get": 1.5})


def bench_l3() -> list[str]:
    """A hit in Redis, decoded and promoted, beside a plain GET of a client."""
    keys = [f"package.module.analyze:{number:032x}" for number in range(1000)]
    with (
        ValkeyServer(port=0) as server,
        redis.Redis.from_url(server.url) as client,
        TieredCache([MemoryTier(), RedisTier(server.url)]) as cache,
    ):
        cache.set_many(dict.fromkeys(keys, REPORT), ttl="1h")
        forget, record = _inside(cache, keys[0])
        for key in keys:
            client.set(key, record, ex=3600)
        names = {"cache": cache, "client": client}
        one = measure(
            {
                "redis-py GET": per_call("client.get(k)", names, keys[:500]),
                "cache.get": per_call("cache.get(k)", names, keys[:500]),
            },
            before=forget,
        )
        batches = [keys[start : start + 100] for start in range(0, 500, 100)]
        many = measure(
            {
                "redis-py MGET of 100": per_call("client.mget(k)", names, batches),
                "cache.get_many of 100": per_call("cache.get_many(k)", names, batches),
            },
            before=forget,
        )
    title = f"L3 hit over loopback TCP, a record of {len(record)} bytes"
    missed = print_ratios(title, one, "redis-py GET", {"cache.get": 1.2})
    return missed + print_ratios("100 keys from L3", many, "redis-py MGET of 100", {})


def _inside(cache: TieredCache, key: str) -> tuple[Callable[[], None], bytes]:
    """A function that empties memory, and the record of a key from the codec."""
    from tiered_cache.contracts import Reach
    from tiered_cache.entry import Entry

    stack = cache._source.core().stack
    memory = stack.levels[0].tier
    now = time.time()
    entry = Entry(REPORT, created_s=now, fresh_until_s=now + 3600)
    record = stack.codec.encode(key, entry, Reach.HOST)
    assert math.isfinite(entry.fresh_until_s)

    def forget() -> None:
        memory.clear()

    return forget, record
