"""Last words: what is to be done when the process ends, workers of `multiprocessing` included."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["call_at_exit", "finish_with_the_worker"]

_calls: list[weakref.WeakMethod[Callable[[], None]]] = []
_lock = fork_safe_lock()
_workers: set[int] = set()


def call_at_exit(method: Callable[[], None]) -> None:
    """Call the bound `method` when this process ends in order, if its object lives then.

    In a forked child it is called as well.
    """
    with _lock:
        _calls[:] = [ref for ref in _calls if ref() is not None]
        _calls.append(weakref.WeakMethod(method))


def finish_with_the_worker() -> None:
    """See to it in a worker of `multiprocessing`, which ends without `atexit`; elsewhere nothing."""
    # Only looked up: a process that is no worker need not import it.
    package: Any = sys.modules.get("multiprocessing")
    util: Any = sys.modules.get("multiprocessing.util")
    if util is None or os.getpid() in _workers:
        return
    _workers.add(os.getpid())
    if package.parent_process() is not None:
        util.Finalize(None, _call_all, exitpriority=50)


def _call_all() -> None:
    for ref in [*_calls]:
        method = ref()
        if method is not None:
            method()


atexit.register(_call_all)
