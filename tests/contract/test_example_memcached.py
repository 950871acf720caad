"""The memcached tier in the documentation passes the public conformance suites on a real server."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import threading
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tiered_cache import Coherence, MemoryTier, TieredCache
from tiered_cache.contracts import Absent, Found, Put
from tiered_cache.errors import RecordRefusedError, TierUnavailableError
from tiered_cache.testing import (
    FakeClock,
    LeaseContract,
    SharedStoreContract,
    SickStoreContract,
    StackContract,
    TierContract,
    make_context,
    race,
    wait_until,
)
from tiered_cache.testing.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.contracts import Tier

_MEMCACHED = shutil.which("memcached")

pytestmark = pytest.mark.skipif(_MEMCACHED is None, reason="memcached is not on PATH")

_PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "example-memcached-tier.md"
_PATIENT_S = 20.0
_BOUND_S = 2.0


def _code() -> str:
    [code] = re.findall(r"^```python\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return str(code)


def _module() -> types.ModuleType:
    """A module with the code of the page, which is its only source."""
    module = types.ModuleType("example_memcached_tier")
    exec(compile(_code(), str(_PAGE), "exec"), vars(module))
    return module


_EXAMPLE: Any = _module()


class Memcached:
    """A server on a free port of this host."""

    def __init__(self, *options: str, port: int | None = None) -> None:
        self.port = port or free_port()
        assert _MEMCACHED is not None
        command = [_MEMCACHED, "-l", "127.0.0.1", "-p", str(self.port), "-m", "64", "-U", "0"]
        if os.geteuid() == 0:
            command += ["-u", "nobody"]
        self._process = subprocess.Popen([*command, *options])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        tier = opened(self.port)
        try:
            wait_until(
                lambda: not isinstance(failure(lambda: tier.get("key")), Exception), "it answers"
            )
        except BaseException:
            self.stop()
            raise
        finally:
            tier.close()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)


def failure(call: Callable[[], object]) -> object:
    """The result of `call`, or its error of a tier."""
    try:
        return call()
    except TierUnavailableError as error:
        return error


def opened(port: int, namespace: str = "test", timeout_s: float = _PATIENT_S) -> Any:
    tier = _EXAMPLE.MemcachedTier("127.0.0.1", port, timeout_s)
    tier.open(make_context(namespace, FakeClock())[0])
    return tier


@pytest.fixture(scope="module")
def memcached() -> Iterator[Memcached]:
    """A server with its defaults."""
    with Memcached() as server:
        yield server


@pytest.fixture
def tier(memcached: Memcached, namespace: str) -> Iterator[Any]:
    tier = opened(memcached.port, namespace)
    yield tier
    tier.close()


@pytest.fixture(scope="module")
def roomy() -> Iterator[int]:
    """The port of a server that takes the records of the suite that are longer than 1 MiB."""
    with Memcached("-I", "2m") as server:
        yield server.port


class TestMemcachedTier(TierContract, SharedStoreContract, LeaseContract):
    @pytest.fixture
    def store(self, roomy: int) -> int:
        return roomy

    def make_tier(self, store: Any) -> Tier[Any]:
        tier: Tier[Any] = _EXAMPLE.MemcachedTier("127.0.0.1", store, _PATIENT_S)
        return tier


class TestSickMemcachedTier(SickStoreContract):
    deadline_s = 0.5

    @pytest.fixture
    def server(self, memcached: Memcached) -> str:
        return memcached.address

    def make_tier(self, address: str) -> Tier[Any]:
        host, _, port = address.rpartition(":")
        tier: Tier[Any] = _EXAMPLE.MemcachedTier(host, int(port), self.deadline_s)
        return tier


class TestMemcachedTierInAStack(StackContract):
    @pytest.fixture
    def store(self, memcached: Memcached) -> int:
        return memcached.port

    def make_tier(self, store: Any) -> Tier[Any]:
        tier: Tier[Any] = _EXAMPLE.MemcachedTier("127.0.0.1", store, _PATIENT_S)
        return tier


def test_the_code_is_shorter_than_150_lines() -> None:
    assert len(_code().splitlines()) < 150


def record(payload: bytes = b"x") -> bytes:
    return os.urandom(48) + payload


def drop(tier: Any, key: str) -> None:
    """Remove an item as memcached does it by itself; the key "" is that of the clears."""
    command = f"md {tier._name(key)}\r\n".encode()
    assert tier._ask(time.monotonic() + _PATIENT_S, [command]) == [(b"HD", b"")]


def test_a_server_with_its_defaults_takes_the_longest_record(tier: Any) -> None:
    longest = record().ljust(tier.offers.max_item_bytes, b"x")
    assert tier.put("key", Put(longest, math.inf))
    assert tier.get("key").item == longest
    with pytest.raises(RecordRefusedError, match="too large"):
        tier.put("key", Put(longest + bytes(1024), math.inf))
    assert isinstance(tier.get("key"), Absent)


def test_memcached_itself_removes_records_after_their_end(tier: Any) -> None:
    tier.put("short", Put(record(), 0.3))
    tier.put("long", Put(record(), 2_400_000))
    tier.put("longer", Put(record(), 2_600_000))
    commands = [f"mg {tier._name(key)} t v\r\n".encode() for key in ("short", "long", "longer")]
    answers = tier._ask(time.monotonic() + _PATIENT_S, commands)
    short, long, longer = (int(flag[1:]) for flag, _ in answers)
    assert 1 <= short <= 2
    assert 2_400_000 <= long <= 2_400_002
    assert longer == -1, "memcached takes a longer time for an instant"


def test_a_fill_lands_although_memcached_dropped_the_expired_item(tier: Any) -> None:
    tier.put("key", Put(record(), 0.3))
    tier._wall = lambda: FakeClock().wall() + 1
    token = tier.get("key").token
    drop(tier, "key")
    assert tier.put("key", Put(record(), math.inf, token)) is True
    assert tier.put("key", Put(record(), math.inf, token)) is False


def test_law_4_no_record_from_before_a_clear_is_found(memcached: Memcached, namespace: str) -> None:
    tier, elsewhere = (opened(memcached.port, namespace) for _ in range(2))
    keys = [f"a/{number}" for number in range(20)]
    tokens = {key: found.token for key, found in tier.get_many(keys).items()}
    is_cleared = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            elsewhere.clear("a/")
            is_cleared.set()
        while not is_cleared.is_set():
            for key in keys:
                tier.put(key, Put(record(), math.inf, tokens[key]))

    race(3, work)
    found = elsewhere.get_many(keys)
    assert all(isinstance(each, Absent) for each in found.values())
    tier.close()
    elsewhere.close()


def test_clears_at_the_same_time_all_count(tier: Any) -> None:
    prefixes = [f"{number}/" for number in range(16)]
    for prefix in prefixes:
        tier.put(f"{prefix}key", Put(record(), math.inf))
    race(len(prefixes), lambda number: tier.clear(prefixes[number]))
    assert not any(isinstance(tier.get(f"{prefix}key"), Found) for prefix in prefixes)


def test_a_clear_removes_too_much_rather_than_too_little(tier: Any) -> None:
    def kept() -> bool:
        return isinstance(tier.get("kept"), Found)

    tier.put("kept", Put(record(), math.inf))
    for number in range(64):
        tier.clear(f"{number:02}/")
        tier.clear(f"{number:02}/")
        assert kept()
    tier.put("00/key", Put(record(), math.inf))
    tier.clear("one more/")
    assert not kept()
    assert isinstance(tier.get("00/key"), Absent)
    tier.put("k" * 100 + "y", Put(record(), math.inf))
    tier.clear("k" * 101)
    assert isinstance(tier.get("k" * 100 + "y"), Absent)


def test_a_lost_list_of_clears_clears_everything(tier: Any) -> None:
    tier.put("key", Put(record(), math.inf))
    tokens = {key: tier.get(key).token for key in ("key", "absent")}
    drop(tier, "")
    for key, token in tokens.items():
        assert tier.put(key, Put(record(), math.inf, token)) is False
        assert isinstance(tier.get(key), Absent)
        assert tier.put(key, Put(record(), math.inf, tier.get(key).token)) is True


def test_a_restart_of_the_server_is_no_fault(namespace: str) -> None:
    with Memcached() as first:
        tier = opened(first.port, namespace)
        tier.put("key", Put(record(), math.inf))
        race(4, lambda number: tier.get("key"))
        token = tier.get("key").token
    assert isinstance(failure(lambda: tier.get("key")), TierUnavailableError)
    with Memcached(port=first.port):
        assert isinstance(tier.get("key"), Absent)
        assert tier.put("key", Put(record(), math.inf, token)) is False
    tier.close()


def test_bytes_of_another_program_are_no_record(tier: Any) -> None:
    deadline = time.monotonic() + _PATIENT_S
    tier._set(deadline, "key", b"short", b"")
    assert isinstance(tier.get("key"), Absent)
    assert tier.put("key", Put(record(), math.inf, tier.get("key").token)) is True


@pytest.fixture
def open_cache(
    memcached: Memcached, namespace: str, clock: FakeClock
) -> Iterator[Callable[[], TieredCache]]:
    made: list[TieredCache] = []

    def make() -> TieredCache:
        tier: Tier[Any] = _EXAMPLE.MemcachedTier("127.0.0.1", memcached.port, _PATIENT_S)
        coherence = Coherence(bound=_BOUND_S)
        tiers: list[Tier[Any]] = [MemoryTier(), tier]
        made.append(TieredCache(tiers, namespace=namespace, clock=clock, coherence=coherence))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


def never() -> Any:
    pytest.fail("it was computed")


_CHANGES: dict[str, Callable[[TieredCache], object]] = {
    "set": lambda cache: cache.set("a/1", "new"),
    "delete": lambda cache: cache.delete("a/1"),
    "clear": lambda cache: cache.clear(),
    "prefix": lambda cache: cache.invalidate_prefix("a/"),
    "tags": lambda cache: cache.invalidate_tags("tag"),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_law_5_a_change_elsewhere_is_seen_within_the_bound(
    change: str, open_cache: Callable[[], TieredCache], clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    assert cache.get_or_compute("a/1", lambda: "old", tags=["tag"]) == "old"
    assert elsewhere.get_or_compute("a/1", never) == "old"
    assert elsewhere.staleness_bound == _BOUND_S
    clock.advance(_BOUND_S)
    assert elsewhere.get_or_compute("a/1", never) == "old"
    _CHANGES[change](cache)
    clock.advance(_BOUND_S)
    assert elsewhere.get("a/1") == ("new" if change == "set" else None)
    assert elsewhere.get_or_compute("b", lambda: "computed") == "computed"
    assert cache.get_or_compute("b", never) == "computed"


def test_a_value_that_is_too_long_for_memcached_stays_in_memory_until_it_changes(
    open_cache: Callable[[], TieredCache], clock: FakeClock
) -> None:
    cache, elsewhere = open_cache(), open_cache()
    value = os.urandom(2**20)
    assert cache.get_or_compute("key", lambda: value) == value
    for _ in range(3):
        clock.advance(_BOUND_S)
        assert cache.get_or_compute("key", never) == value
    elsewhere.delete("key")
    clock.advance(_BOUND_S)
    assert cache.get("key") is None
