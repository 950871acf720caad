"""The gate that a fork closes: threads, finalizers, signal handlers and hooks beside it."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from tiered_cache._process import fork
from tiered_cache._process.fork import ForkGate, call_before_fork, call_in_child
from tiered_cache.testing import in_forked_child, race
from tiered_cache.testing.wait import wait_until
from tiered_cache.tiers.disk import _database
from tiered_cache.tiers.disk._database import BoundedCache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 30.0


class Hook:
    """Notes at each fork whether the gate is closed."""

    def __init__(self, gate: ForkGate) -> None:
        self.gate = gate
        self.seen: list[bool] = []
        call_before_fork(self.run)

    def run(self) -> None:
        for _ in range(20):
            self.seen.append(bool(self.gate._taken))


def is_forking() -> bool:
    """Whether another thread forks now."""
    is_free = fork._registry.acquire(blocking=False)
    if is_free:
        fork._registry.release()
    return not is_free


def fork_and_end() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


@pytest.fixture(autouse=True)
def gate(monkeypatch: pytest.MonkeyPatch) -> ForkGate:
    """The only gate of the process: threads that other tests left inside theirs delay no fork."""
    for name in ("_gates", "_locks"):
        monkeypatch.setattr(fork, name, weakref.WeakSet())
    for name in ("_parent_calls", "_child_calls"):
        monkeypatch.setattr(fork, name, [])
    made = ForkGate()
    monkeypatch.setattr(_database, "GATE", made)
    return made


@pytest.fixture
def quick_switches() -> Iterator[None]:
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval_s)


@pytest.mark.usefixtures("quick_switches")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_of_several_threads_do_not_open_the_gates_of_each_other(gate: ForkGate) -> None:
    hook = Hook(gate)

    def fork_often(_: int) -> None:
        for _ in range(40):
            fork_and_end()

    race(4, fork_often)
    assert len(hook.seen) == 4 * 40 * 20
    assert all(hook.seen)


def test_a_hook_is_skipped_in_a_fork_from_inside_the_gate(gate: ForkGate) -> None:
    hook = Hook(gate)
    with gate.own:
        fork_and_end()
    assert hook.seen == []
    fork_and_end()
    assert all(hook.seen)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_thread_inside_the_gate_can_replace_its_connection_while_a_fork_waits(
    tmp_path: Path, gate: ForkGate
) -> None:
    hook = Hook(gate)
    inside, leave = threading.Event(), threading.Event()

    def use() -> None:
        with gate.own:
            cache = BoundedCache(str(tmp_path), timeout=WAIT_S, wall=lambda: 0.0)
            inside.set()
            assert leave.wait(WAIT_S)
            cache._connect()  # drops the closer of the connection before

    thread = threading.Thread(target=use)
    thread.start()
    assert inside.wait(WAIT_S)
    forking = threading.Thread(target=fork_and_end)
    forking.start()
    wait_until(is_forking, "the fork waits for the thread")
    leave.set()
    thread.join(WAIT_S)
    forking.join(WAIT_S)
    assert hook.seen, "the thread left the gate in time"


def test_a_connection_that_is_finalized_during_a_fork_is_closed_later(
    tmp_path: Path, gate: ForkGate
) -> None:
    connections = _database._Connections()
    connection = sqlite3.connect(tmp_path / "a.db")
    number = connections.add(connection)

    closed, reopen = threading.Event(), threading.Event()

    def fork_slowly() -> None:
        gate.close_for_fork(0.0)
        closed.set()
        assert reopen.wait(WAIT_S)
        gate.reopen()

    with gate.own:
        pass  # a fork knows this thread now
    thread = threading.Thread(target=fork_slowly)
    thread.start()
    try:
        assert closed.wait(WAIT_S)
        connections.close_from_finalizer(number)
        connection.execute("SELECT 1")
    finally:
        reopen.set()
        thread.join(WAIT_S)
    connections.close(connections.add(sqlite3.connect(tmp_path / "b.db")))
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_law_8_a_signal_handler_can_enter_the_gate_while_its_thread_forks(gate: ForkGate) -> None:
    inside, leave = threading.Event(), threading.Event()
    entered: list[bool] = []

    def handle(*_: object) -> None:
        with gate.own:
            entered.append(True)
        leave.set()

    def stay() -> None:
        with gate.own:
            inside.set()
            assert leave.wait(WAIT_S)

    def send() -> None:
        wait_until(is_forking, "the fork waits for the thread")
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    threads = [threading.Thread(target=stay), threading.Thread(target=send)]
    try:
        threads[0].start()
        assert inside.wait(WAIT_S)
        threads[1].start()
        fork_and_end()
    finally:
        leave.set()
        for thread in threads:
            thread.join(WAIT_S)
        signal.signal(signal.SIGUSR1, before)
    assert entered == [True]


class Broken:
    def run(self) -> None:
        raise ZeroDivisionError


class Counted:
    count = 0

    def run(self) -> None:
        self.count += 1


def test_a_hook_that_raises_is_logged_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    hooks = Broken(), Counted(), Broken(), Counted()
    call_before_fork(hooks[0].run)
    call_before_fork(hooks[1].run)
    call_in_child(hooks[2].run)
    call_in_child(hooks[3].run)
    assert in_forked_child(lambda: [hooks[1].count, hooks[3].count]) == [1, 1]
    assert "A fork hook failed" in caplog.text


def test_hooks_of_dead_objects_are_removed_now_and_then() -> None:
    for _ in range(3 * fork._PRUNE_EVERY):
        call_in_child(Counted().run)
    assert sum(ref() is None for ref in fork._child_calls) <= fork._PRUNE_EVERY
