"""How old a value is that processes and hosts are served after others changed it (law 5), measured."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import random_pause
from tiered_cache import Coherence, DiskTier, MemoryTier, RedisTier, TieredCache
from tiered_cache.testing import ChaosProxy, ValkeyServer
from tiered_cache.testing.forked_child import start_child
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tiered_cache.contracts import Tier

BOUND_S = 0.5
PROCESSES = 3


class Host:
    """How the processes of a host, or a host, have their cache.

    Args:
        folder: Where the disk tiers are.
        namespace: Of all of them.
        url: The server that hosts share; none, and they are processes of one host.
        when_cut: As of `Coherence`.
        deadline: Of Redis: short where it is cut off, long where only the machine may be busy.
    """

    def __init__(
        self,
        folder: Path,
        namespace: str,
        url: str | None = None,
        when_cut: str = "skip",
        deadline: str = "20s",
    ) -> None:
        self.folder = folder
        self.namespace = namespace
        self.url = url
        self.when_cut = when_cut
        self.deadline = deadline

    def open(self, number: int) -> TieredCache:
        tiers: list[Tier[Any]] = [MemoryTier()]
        if self.url is None:
            tiers.append(DiskTier(self.folder / "shared"))
        else:
            tiers.append(DiskTier(self.folder / f"host-{number}"))
            tiers.append(RedisTier(self.url, timeout=self.deadline, connect_timeout=self.deadline))
        return TieredCache(
            tiers,
            namespace=self.namespace,
            coherence=Coherence(bound=BOUND_S, when_cut=self.when_cut),
            probe_interval="50ms",
        )


def work(host: Host, number: int) -> None:
    """Change the own key and read all keys, until told to stop; then write both down.

    `ready` is touched whenever every key was read. Of the reads of one value only the last one is
    kept: the earlier ones were served less late.
    """
    changed: list[tuple[int, float]] = []
    read: dict[tuple[int, int], float] = {}
    reads = 0
    dice = random.Random(number)
    ready, stop = host.folder / f"{number}.ready", host.folder / "stop"
    with host.open(number) as cache:
        version, stopped = 0, False
        while not stopped:
            stopped = stop.exists()
            version += 1
            result = cache.set(f"{number}", version)
            if all(each.outcome.value == "written" for each in result.tiers):
                changed.append((version, time.monotonic()))
            seen = set()
            for turn in range(60):
                key = turn % PROCESSES
                asked_s = time.monotonic()
                value = cache.get(f"{key}")
                if value is not None:
                    read[key, value] = asked_s
                    reads += 1
                    seen.add(key)
            if len(seen) == PROCESSES:
                ready.touch()
            random_pause(dice, 0.002)  # the others' turn
    write_down(host.folder, number, changed, read, reads)


def write_down(
    folder: Path,
    number: int,
    changed: list[tuple[int, float]],
    read: dict[tuple[int, int], float],
    reads: int,
) -> None:
    rows = [(asked_s, key, value) for (key, value), asked_s in read.items()]
    (folder / f"{number}.json").write_text(json.dumps([changed, rows, reads]))


def oldest(folder: Path) -> tuple[float, int]:
    """The longest that a value was served after a later one was written, and how many reads."""
    changed: dict[int, list[tuple[int, float]]] = {}
    rows: list[tuple[float, int, int]] = []
    count = 0
    for number in range(PROCESSES):
        ours, read, reads = json.loads((folder / f"{number}.json").read_text())
        changed[number] = ours
        rows += read
        count += reads
    worst_s = 0.0
    for key, changes in changed.items():
        times = [(asked_s, value) for asked_s, of, value in rows if of == key]
        position = 0
        for asked_s, value in sorted(times, key=lambda each: each[1]):
            while position < len(changes) and changes[position][0] <= value:
                position += 1
            if position < len(changes):
                worst_s = max(worst_s, asked_s - changes[position][1])
    return worst_s, count


def measure(host: Host, meanwhile: Callable[[], None]) -> float:
    """The longest that a value was served after a later one was written."""
    started = [
        start_child(lambda n=number: work(host, n))  # type: ignore[misc] # a lambda with a default
        for number in range(PROCESSES)
    ]
    wait_for_all(host)
    meanwhile()
    stop(host, started)
    worst_s, reads = oldest(host.folder)
    print(f"the oldest of {reads} values was {worst_s:.3f} s old, with a bound of {BOUND_S} s")
    assert reads > 1000
    return worst_s


def wait_for_all(host: Host) -> None:
    """Wait until each process has read every key from now on."""
    for each in host.folder.glob("*.ready"):
        each.unlink()
    wait_until(lambda: len(list(host.folder.glob("*.ready"))) == PROCESSES, "all have read", 30)


def wait_past(instant_s: float) -> None:
    """Wait until the clock, which the bound is measured by, is past an instant."""
    wait_until(lambda: time.monotonic() > instant_s, "the instant is past")


def leave_alone(host: Host, seconds: float) -> None:
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        wait_for_all(host)


def stop(host: Host, started: list[int]) -> None:
    (host.folder / "stop").touch()
    for pid in started:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def cut_again_and_again(host: Host, proxy: ChaosProxy, seconds: float) -> None:
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        wait_for_all(host)
        proxy.blackhole()
        wait_past(time.monotonic() + 2 * BOUND_S)
        proxy.forward()


def restart_again_and_again(host: Host, server: ValkeyServer, seconds: float) -> None:
    ends_s = time.monotonic() + seconds
    while time.monotonic() < ends_s:
        wait_for_all(host)
        server.restart()


SECONDS = [pytest.param(2.0), pytest.param(60.0, marks=pytest.mark.exhaustive)]


@pytest.mark.proves("law-5/measured-disk")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seconds", SECONDS)
def test_law_5_processes_that_share_a_disk_are_served_nothing_older_than_the_bound(
    seconds: float, tmp_path: Path, namespace: str
) -> None:
    host = Host(tmp_path, namespace)
    assert measure(host, lambda: leave_alone(host, seconds)) <= BOUND_S


@pytest.mark.proves("law-5/measured-server")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("fault", ["none", "cut", "restart"])
def test_law_5_hosts_that_share_a_server_are_served_nothing_older_than_the_bound(
    fault: str, seconds: float, tmp_path: Path, namespace: str
) -> None:
    with ValkeyServer(port=0) as server, ChaosProxy(server.url) as proxy:
        host = Host(tmp_path, namespace, proxy.url, deadline="20s" if fault == "none" else "200ms")
        disturb: dict[str, Callable[[], None]] = {
            "none": lambda: leave_alone(host, seconds),
            "cut": lambda: cut_again_and_again(host, proxy, seconds),
            "restart": lambda: restart_again_and_again(host, server, seconds),
        }
        assert measure(host, disturb[fault]) <= BOUND_S


@pytest.mark.proves("law-5/measured-server")
def test_values_served_while_cut_off_are_older_than_the_bound(
    tmp_path: Path, namespace: str
) -> None:
    """That the measurement sees it, where the cache was told to go on."""
    with ValkeyServer(port=0) as server, ChaosProxy(server.url) as proxy:
        far = Host(tmp_path, namespace, proxy.url, when_cut="serve", deadline="500ms")
        changed = []
        with Host(tmp_path, namespace, server.url).open(1) as near:
            near.set_many({"1": 1, "2": 1})
            pid = start_child(lambda: work(far, 0))
            wait_until((tmp_path / "0.ready").exists, "the far host has read all", 30)
            proxy.blackhole()
            near.set("1", 2)
            changed.append((2, time.monotonic()))
            wait_past(changed[0][1] + BOUND_S)
            stop(far, [pid])
    write_down(tmp_path, 1, changed, {}, 0)
    write_down(tmp_path, 2, [], {}, 0)
    worst_s, _ = oldest(tmp_path)
    assert worst_s > BOUND_S


@pytest.mark.proves("law-5/frozen-process")
@pytest.mark.parametrize("shared", ["disk", "server"])
def test_law_5_a_process_that_was_frozen_is_served_nothing_old(
    shared: str, tmp_path: Path, namespace: str, redis_url: str
) -> None:
    host = Host(tmp_path, namespace, None if shared == "disk" else redis_url)
    log = tmp_path / "log"

    def read_on() -> None:
        with host.open(1) as cache, log.open("w", buffering=1) as file:
            while True:
                asked_s = time.monotonic()
                file.write(f"{asked_s} {cache.get('key')}\n")

    def lines() -> list[list[str]]:
        return [line.split() for line in log.read_text().splitlines()[:-1]] if log.exists() else []

    with host.open(0) as cache:
        cache.set("key", "old")
        pid = start_child(read_on)
        try:
            wait_until(lambda: len(lines()) > 100, "it reads")
            os.kill(pid, signal.SIGSTOP)
            frozen = len(lines())
            cache.set("key", "new")
            changed_s = time.monotonic()
            wait_past(changed_s + BOUND_S)
            os.kill(pid, signal.SIGCONT)
            wait_until(lambda: len(lines()) > frozen + 100, "it reads on")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    served = [(float(asked), value) for asked, value in lines()]
    assert {value for _, value in served[:10]} == {"old"}
    assert [value for asked_s, value in served if asked_s > changed_s + BOUND_S].count("old") == 0
    assert served[-1][1] == "new"
