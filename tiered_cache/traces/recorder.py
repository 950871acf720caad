"""Recording what a running cache is asked for, to try policies and sizes on it later."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import xxhash

from tiered_cache.events import EventKind
from tiered_cache.traces.format import COMPUTED, HEADER, RECORD, REQUESTED, WRITTEN

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import TracebackType
    from typing import Protocol

    from tiered_cache.events import Event

    class Observable(Protocol):
        """What can be recorded: a `TieredCache`."""

        def on_event(self, listener: Callable[[Event], None]) -> Callable[[], None]:
            """Call `listener` for each event."""
            ...


__all__ = ["TraceRecorder", "record_trace"]

_BUFFER_BYTES = 65_536
_LOOKUPS = (
    EventKind.HIT,
    EventKind.STALE_HIT,
    EventKind.MISS,
    EventKind.SKIP,
    EventKind.ERROR,
)
_MAX_BYTES = 2**32 - 1


def record_trace(path: str | os.PathLike[str], cache: Observable | None = None) -> TraceRecorder:
    """Record the lookups of `cache` into a file, from now until `close()` or the end of a `with`.

    Keys are not in the file, only 64-bit digests of them; values never. `tiered-cache simulate`
    reads it. An existing file is replaced. What is not yet written when the process dies, at most
    64 KiB, is missing from the file, which is readable all the same.

    While it records, each hit in memory costs a call of a listener and a buffered write, about
    10 µs.

    Args:
        path: The file.
        cache: What to record; by default the default cache, `tiered`.

    Raises:
        OSError: The file can't be written.
    """
    if cache is None:
        from tiered_cache import tiered

        cache = tiered
    return TraceRecorder(Path(path), cache)


class TraceRecorder:
    """A recording under way; see `record_trace`. Thread-safe.

    Attributes:
        requests: How many lookups were recorded so far.
    """

    def __init__(self, path: Path, cache: Observable) -> None:
        self._file: BinaryIO = path.open("wb")
        self._file.write(HEADER)
        self._buffer = bytearray()
        self._lock = threading.Lock()
        self._first: str | None = None
        self.requests = 0
        self._stop = cache.on_event(self._take)

    def _take(self, event: Event) -> None:
        kind, tier = event.kind, event.tier
        if kind in _LOOKUPS:
            if self._first is None:
                self._first = tier
            # A lookup begins at the first tier, and tells each tier that it comes to.
            if tier == self._first:
                self._add(event.key, 0, 0.0, REQUESTED)
        elif kind is EventKind.COMPUTE and not event.detail:
            self._add(event.key, 0, event.seconds, COMPUTED)
        elif kind is EventKind.WRITE and event.bytes:
            self._add(event.key, event.bytes, 0.0, WRITTEN)

    def _add(self, key: str, size: int, seconds: float, kind: int) -> None:
        digest = xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"))
        record = RECORD.pack(digest, min(size, _MAX_BYTES), seconds, kind)
        with self._lock:
            if self._file.closed:
                return
            self.requests += kind == REQUESTED
            self._buffer += record
            if len(self._buffer) >= _BUFFER_BYTES:
                self._flush()

    def _flush(self) -> None:
        self._file.write(self._buffer)
        self._file.flush()
        self._buffer.clear()

    def close(self) -> None:
        """Record nothing more, and write down what is buffered. May be called again."""
        self._stop()
        with self._lock:
            if not self._file.closed:
                try:
                    self._flush()
                finally:
                    self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
