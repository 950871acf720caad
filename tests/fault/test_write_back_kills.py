"""Write-back at the level `disk`, in processes that are killed at any instruction.

A child acknowledges its writes to a pipe, and is killed by SIGKILL. Each acknowledged write must
survive: on disk at once, in Redis when the next process has opened the cache.
"""

from __future__ import annotations

import os
import random
import signal
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.patience import patient_redis
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.policies import WriteBack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tiered_cache._engine.drivers.tiers import TierDriver
    from tiered_cache.contracts import Tier
    from tiered_cache.testing import ValkeyServer

KEYS = 12
ALL_KEYS = [f"key-{number}" for number in range(KEYS)]
WRITES = 60
DO: dict[str, Callable[[TieredCache, dict[str, Any]], object]] = {
    "set": lambda cache, after: [cache.set(key, after[key], ttl="1h") for key in after],
    "set_many": lambda cache, after: cache.set_many(after, ttl="1h"),
    "delete": lambda cache, after: [cache.delete(key) for key in after],
    "delete_many": lambda cache, after: cache.delete_many(after),
    "clear": lambda cache, _: cache.clear(),
}


class Step(NamedTuple):
    """One operation of a child, and the values of its keys afterwards; `None` for absent ones."""

    how: str
    after: dict[str, int | None]


def steps(seed: int) -> Iterator[Step]:
    """Some sets, repeated sets and deletions of one or several keys; no value occurs twice."""
    rng = random.Random(seed)
    for number in range(WRITES):
        how = rng.choices(["set", "delete", "set_many", "delete_many", "clear"], [6, 2, 3, 1, 0.3])
        several = 4 if how[0].endswith("many") else 1
        keys = [f"key-{each}" for each in rng.sample(range(KEYS), several)]
        if how[0] == "clear":
            yield Step("clear", dict.fromkeys(ALL_KEYS))
        elif how[0].startswith("set"):
            # Four values to a step, of which those of one key are in their order.
            yield Step(how[0], {key: 4 * number + at for at, key in enumerate(keys)})
        else:
            yield Step(how[0], dict.fromkeys(keys))


def open_cache(folder: Path, url: str, namespace: str) -> TieredCache:
    """As each of the processes opens it."""
    tiers: list[Tier[Any]] = [MemoryTier(), DiskTier(folder), patient_redis(url)]
    writing = WriteBack("disk", flush_interval="1ms", max_delay="5ms", max_batch=3)
    return TieredCache(tiers, namespace=namespace, writing=writing)


def do_and_acknowledge(cache: TieredCache, seed: int, pipe: int) -> None:
    for number, step in enumerate(steps(seed)):
        DO[step.how](cache, step.after)
        os.write(pipe, bytes([number]))


def run_child(body: Callable[[int], None]) -> tuple[int, Callable[[], int]]:
    """A forked child that writes a byte for each acknowledgement; its pid, and a reader of them."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            body(writing)
        finally:
            os._exit(0)
    os.close(writing)

    def read() -> int:
        """The number of the next acknowledged step; -1 at the end."""
        found = os.read(reading, 1)
        if not found:
            os.close(reading)
            os.waitpid(pid, 0)
        return found[0] if found else -1

    return pid, read


def expected_values(seed: int, acknowledged: int) -> dict[str, set[Any]]:
    """The values that each key may have, after the last acknowledged step or the next one."""
    script = list(steps(seed))
    state: dict[str, Any] = dict.fromkeys(ALL_KEYS)
    for step in script[: acknowledged + 1]:
        state |= step.after
    allowed = {key: {value} for key, value in state.items()}
    if acknowledged + 1 < len(script):
        for key, value in script[acknowledged + 1].after.items():
            allowed[key].add(value)
    return allowed


def check(seed: int, acknowledged: int, folder: Path, url: str, namespace: str) -> None:
    """Assert that acknowledged writes are on disk now, and in Redis after their adoption."""
    allowed = expected_values(seed, acknowledged)
    with TieredCache([DiskTier(folder)], namespace=namespace) as disk:
        for key, values in allowed.items():
            assert disk.get(key) in values, f"{key} on disk after step {acknowledged}"
    with open_cache(folder, url, namespace) as heir:
        assert heir.flush("20s")
        seen = {key: heir.get(key) for key in allowed}
    with TieredCache([patient_redis(url)], namespace=namespace) as redis:
        for key, values in allowed.items():
            assert redis.get(key) in values, f"{key} in Redis after step {acknowledged}"
            assert redis.get(key) == seen[key], "all tiers agree"
    assert not list((folder / ".journal" / namespace).glob("*.journal*")), "nothing is left over"


def killed_at_random(seed: int, folder: Path, url: str) -> None:
    namespace = f"random-{seed}"
    after = random.Random(-seed).randrange(WRITES)

    def body(pipe: int) -> None:
        do_and_acknowledge(open_cache(folder, url, namespace), seed, pipe)

    pid, read = run_child(body)
    acknowledged = -1
    while (number := read()) >= 0:
        acknowledged = number
        if number == after:
            os.kill(pid, signal.SIGKILL)
    assert acknowledged >= after
    check(seed, acknowledged, folder, url, namespace)


def killed_at_step(seed: int, step: int, folder: Path, url: str) -> bool:
    """Let a child kill itself before or after its effect number `step`; whether it got there."""
    namespace = f"step-{seed}-{step}"

    def body(pipe: int) -> None:
        cache = open_cache(folder, url, namespace)
        core: Any = cache._source.core()
        drivers: list[TierDriver] = [core._run.__self__, core.flusher._run.__self__]
        count = 0

        def deadly(perform: Callable[[Any], Any]) -> Callable[[Any], Any]:
            def performed(effect: Any) -> Any:
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                reply = perform(effect)
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return reply

            return performed

        for driver in drivers:
            performers: dict[Any, Any] = driver._performers
            for effect, perform in list(performers.items()):
                performers[effect] = deadly(perform)
        do_and_acknowledge(cache, seed, pipe)
        cache.close()

    _, read = run_child(body)
    acknowledged = -1
    while (number := read()) >= 0:
        acknowledged = number
    check(seed, acknowledged, folder, url, namespace)
    return acknowledged < WRITES - 1


@pytest.mark.proves("law-7/journaled-survives")
@pytest.mark.parametrize("seed", range(10))
def test_law_7_acknowledged_writes_survive_sigkill_at_random(
    seed: int, tmp_path: Path, valkey: ValkeyServer
) -> None:
    killed_at_random(seed, tmp_path, valkey.url)


@pytest.mark.proves("law-7/journaled-survives")
@pytest.mark.slow
def test_law_7_acknowledged_writes_survive_sigkill_at_every_step(
    tmp_path: Path, valkey: ValkeyServer
) -> None:
    reached = [killed_at_step(99, step, tmp_path, valkey.url) for step in range(1, 400, 13)]
    assert sum(reached) >= 15


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_law_7_acknowledged_writes_survive_many_deaths(
    tmp_path: Path, valkey: ValkeyServer
) -> None:
    for seed in range(100, 200):
        killed_at_random(seed, tmp_path, valkey.url)
    reached = [killed_at_step(7, step, tmp_path, valkey.url) for step in range(1, 500)]
    assert sum(reached) >= 200
