"""The current core of a cache: built when it is first used, and replaceable."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from tiered_cache._process.fork import call_in_child, fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache._face.core import Core
    from tiered_cache._face.live_hits import HitReader

__all__ = ["BuiltOnce", "CoreSource"]


class BuiltOnce:
    """Builds a core once: concurrent callers wait for the one that builds it. Fork-safe."""

    def __init__(self, build: Callable[[], Core]) -> None:
        self._build = build
        self._core: Core | None = None
        self._start()
        call_in_child(self._start)

    def _start(self) -> None:
        self._turn = threading.Lock()

    def __call__(self) -> Core:
        """The core."""
        with self._turn:
            if self._core is None:
                self._core = self._build()
            return self._core


class CoreSource:
    """Gives the faces of a cache its current core. Thread-safe.

    Args:
        build: Makes the core.
    """

    def __init__(self, build: Callable[[], Core]) -> None:
        self._build = build
        self.current: Core | None = None
        """The core, if it was built already. Read in place by every lookup."""
        self._lock = fork_safe_lock()
        self._readers: weakref.WeakSet[HitReader] = weakref.WeakSet()

    def add(self, reader: HitReader) -> None:
        """Have `reader` read the live nodes of the core, this one and every later one."""
        with self._lock:
            self._readers.add(reader)
            core = self.current
        if core is not None:
            core.join(reader)

    def core(self) -> Core:
        """The core, built now if this is the first use."""
        core = self.current
        return core if core is not None else self._make()

    def _make(self) -> Core:
        # Built outside the lock, which must not be held over I/O. Of two threads that arrive at the
        # same time, one builds in vain.
        made = self._build()
        with self._lock:
            core = self.current = self.current or made
            readers = list(self._readers)
        if core is not made:
            made.close()
        for reader in readers:
            core.join(reader)
        return core

    def replace(self, build: Callable[[], Core]) -> None:
        """Build another core at the next use; the current one is closed."""
        with self._lock:
            old, self.current = self.current, None
            self._build = build
            readers = list(self._readers)
        for reader in readers:
            reader._rebind(None)  # noqa: SLF001 - a hook on public classes
        if old is not None:
            old.close()

    def close(self) -> None:
        """Close the core. Using it again raises."""
        self.core().close()
