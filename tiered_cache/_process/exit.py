"""Exit hooks, which also run in `multiprocessing` workers."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache._process.fork import fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["call_at_exit", "hook_worker_exit"]

_WORKER_PRIORITY = 100
"""The hooks precede `multiprocessing`'s own finalizers, the highest of which has 15."""


class _Hook(NamedTuple):
    priority: int
    method: weakref.WeakMethod[Callable[[], object]]


_hooks: list[_Hook] = []
_lock = fork_safe_lock()
_hooked_pids: set[int] = set()


def call_at_exit(method: Callable[[], object], priority: int = 0) -> None:
    """Register an exit hook: the bound `method` runs when this process ends normally.

    The registry holds a weak reference: a dead object's hook is skipped. A forked child inherits
    the hooks. One that raises does not stop the others. Thread-safe.

    Args:
        method: The bound method, called without arguments. It must be idempotent: a spawned worker
            runs its hooks twice, since it also runs `atexit`.
        priority: Higher ones run first.
    """
    with _lock:
        _hooks[:] = [hook for hook in _hooks if hook.method() is not None]
        _hooks.append(_Hook(priority, weakref.WeakMethod(method)))


def hook_worker_exit() -> None:
    """Register the exit hooks in a `multiprocessing` worker, which skips `atexit`.

    Call it in the worker itself. It does nothing in other processes, or when called again.
    """
    # Only looked up: a process that is not a worker need not import it.
    package: Any = sys.modules.get("multiprocessing")
    util: Any = sys.modules.get("multiprocessing.util")
    if util is None or os.getpid() in _hooked_pids:
        return
    _hooked_pids.add(os.getpid())
    if package.parent_process() is not None:
        util.Finalize(None, _run_hooks, exitpriority=_WORKER_PRIORITY)


def _run_hooks() -> None:
    # An ExitStack calls the last one first, and goes on after an exception.
    with ExitStack() as stack:
        for hook in sorted(_hooks, key=lambda hook: hook.priority):
            method = hook.method()
            if method is not None:
                stack.callback(method)


atexit.register(_run_hooks)
