"""Programs that fork, each run in a process of its own, where no other thread is about.

Run as `python tests/fork_programs.py NAME DIRECTORY`. A program ends with an exception if it fails.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
import warnings
from pathlib import Path

from tiered_cache._process import fork
from tiered_cache._process.fork import ForkGate, call_before_fork, call_in_child, fork_safe_lock
from tiered_cache._sqlite.process_gate import GATE
from tiered_cache.testing import in_forked_child, race
from tiered_cache.testing.wait import wait_until
from tiered_cache.tiers.disk import _database
from tiered_cache.tiers.disk._database import BoundedCache

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


class Broken:
    def run(self) -> None:
        raise ZeroDivisionError


class Counted:
    count = 0

    def run(self) -> None:
        self.count += 1


class ForkingHook:
    """Forks again in its first fork."""

    has_forked = False

    def run(self) -> None:
        if not self.has_forked:
            self.has_forked = True
            fork_and_end()


class SlowHook:
    """Keeps the first fork from ending until `go` is set."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def run(self) -> None:
        if not self.began.is_set():
            self.began.set()
            assert self.go.wait(WAIT_S)


def is_forking() -> bool:
    """Whether another thread forks now."""
    is_free = fork._turn.lock.acquire(blocking=False)
    if is_free:
        fork._turn.lock.release()
    return not is_free


def fork_and_end() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def finish(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(WAIT_S)
    assert not any(thread.is_alive() for thread in threads)


def threads_fork_at_once(_: Path) -> None:
    hook = Hook(GATE)
    sys.setswitchinterval(1e-6)

    def fork_often(_: int) -> None:
        for _ in range(40):
            fork_and_end()

    race(4, fork_often)
    assert len(hook.seen) == 4 * 40 * 20
    assert all(hook.seen)


def a_fork_from_inside_the_gate_skips_the_hooks(_: Path) -> None:
    hook = Hook(GATE)
    with GATE.own:
        fork_and_end()
    assert hook.seen == []
    fork_and_end()
    assert all(hook.seen)
    assert hook.seen


def a_connection_is_replaced_while_a_fork_waits(folder: Path) -> None:
    hook = Hook(GATE)
    inside, leave = threading.Event(), threading.Event()

    def use() -> None:
        with GATE.own:
            cache = BoundedCache(str(folder), timeout=WAIT_S, wall=lambda: 0.0)
            inside.set()
            assert leave.wait(WAIT_S)
            cache._connect()  # drops the closer of the connection before

    using, forking = threading.Thread(target=use), threading.Thread(target=fork_and_end)
    using.start()
    assert inside.wait(WAIT_S)
    forking.start()
    wait_until(is_forking, "the fork waits for the thread")
    leave.set()
    finish(using, forking)
    assert hook.seen, "the thread left the gate in time"


def a_connection_is_finalized_during_a_fork(folder: Path) -> None:
    connections = _database._connections
    hook = SlowHook()
    call_before_fork(hook.run)  # after the hook that closes all connections
    with GATE.own:
        pass  # a fork knows this thread now
    forking = threading.Thread(target=fork_and_end)
    forking.start()
    assert hook.began.wait(WAIT_S)
    connection = sqlite3.connect(folder / "a.db")
    number = connections.add(connection)
    connections.close_from_finalizer(number)
    connection.execute("SELECT 1")
    hook.go.set()
    finish(forking)
    connections.close(connections.add(sqlite3.connect(folder / "b.db")))
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return
    raise AssertionError("the connection was left open")


def a_signal_handler_enters_the_gate_while_its_thread_forks(_: Path) -> None:
    inside, leave = threading.Event(), threading.Event()
    entered: list[bool] = []

    def handle(*_: object) -> None:
        with GATE.own:
            entered.append(True)
        leave.set()

    def stay() -> None:
        with GATE.own:
            inside.set()
            assert leave.wait(WAIT_S)

    def send() -> None:
        wait_until(is_forking, "the fork waits for the thread")
        os.kill(os.getpid(), signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, handle)
    staying, sending = threading.Thread(target=stay), threading.Thread(target=send)
    staying.start()
    assert inside.wait(WAIT_S)
    sending.start()
    fork_and_end()
    finish(staying, sending)
    assert entered == [True]


def a_hook_that_raises_stops_no_other(_: Path) -> None:
    hooks = Broken(), Counted(), Broken(), Counted()
    call_before_fork(hooks[0].run)
    call_before_fork(hooks[1].run)
    call_in_child(hooks[2].run)
    call_in_child(hooks[3].run)
    assert in_forked_child(lambda: [hooks[1].count, hooks[3].count]) == [1, 1]


def a_fork_does_not_wait_for_ever_for_another_one_and_leaves_its_locks_alone(_: Path) -> None:
    fork._WAIT_S = 0.2
    lock, hook, child_hook = fork_safe_lock(), SlowHook(), Counted()
    call_before_fork(hook.run)
    call_in_child(child_hook.run)
    with GATE.own:
        pass
    stuck = threading.Thread(target=fork_and_end)
    stuck.start()
    assert hook.began.wait(WAIT_S)
    assert not lock.acquire(blocking=False)

    def use_locks() -> list[object]:
        with GATE.own:
            return [lock.acquire(timeout=WAIT_S), child_hook.count]

    assert in_forked_child(use_locks) == [True, 1]
    assert not lock.acquire(blocking=False), "it belongs to the fork that is stuck"
    hook.go.set()
    finish(stuck)
    assert lock.acquire(timeout=WAIT_S)
    with GATE.own:
        pass
    lock.release()
    fork_and_end()


def a_hook_may_fork(_: Path) -> None:
    hook = ForkingHook()
    call_before_fork(hook.run)
    fork_and_end()
    threads = [threading.Thread(target=fork_and_end) for _ in range(2)]
    for thread in threads:
        thread.start()
    finish(*threads)


PROGRAMS = [
    threads_fork_at_once,
    a_fork_from_inside_the_gate_skips_the_hooks,
    a_connection_is_replaced_while_a_fork_waits,
    a_connection_is_finalized_during_a_fork,
    a_signal_handler_enters_the_gate_while_its_thread_forks,
    a_hook_that_raises_stops_no_other,
    a_fork_does_not_wait_for_ever_for_another_one_and_leaves_its_locks_alone,
    a_hook_may_fork,
]

if __name__ == "__main__":
    warnings.simplefilter(
        "ignore", DeprecationWarning
    )  # forks beside threads are the case under test
    {each.__name__: each for each in PROGRAMS}[sys.argv[1]](Path(sys.argv[2]))
