"""A TCP proxy that simulates faults of networks and servers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit, urlunsplit

from tiered_cache.testing.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["ChaosProxy"]

_CHUNK = 65536
_CALL_TIMEOUT_S = 10.0


class ChaosProxy:
    """A TCP proxy that can delay, garble or cut the answers of a server.

    A new mode applies from the next bytes on, also to open connections. Use it as a context manager.
    Thread-safe; one daemon thread runs its event loop.

    Args:
        upstream: The server's URL: `redis://host:port/…`, `unix:///path`, or any other URL with a host
            and a port.
        seed: The seed of `garbage`; the same seed gives the same bytes.
    """

    def __init__(self, upstream: str, *, seed: int = 0) -> None:
        self._upstream = urlsplit(upstream)
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos", daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = free_port()
        self._mode = "passing"
        self._interval_s = 0.0
        self._left = 0
        self.connections: int = 0
        """The number of accepted connections."""

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1. It never changes."""
        return self._port

    @property
    def url(self) -> str:
        """The upstream's URL with the address of the proxy."""
        if self._upstream.scheme == "unix":
            return f"redis://127.0.0.1:{self._port}/0"
        login, at, _ = self._upstream.netloc.rpartition("@")
        return urlunsplit(self._upstream._replace(netloc=f"{login}{at}127.0.0.1:{self._port}"))

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Reset every connection and stop. Further calls do nothing."""
        if self._loop.is_closed():
            return
        self._call(self._hang_up())
        self._call(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_TIMEOUT_S)
        self._loop.close()

    def forward(self) -> None:
        """Forward everything. The proxy starts in this mode."""
        self._set("passing")

    def refuse(self) -> None:
        """Reset every connection and refuse new ones, like a host without a server."""
        self._set("refusing")
        self._call(self._hang_up())

    def blackhole(self) -> None:
        """Accept connections and data, and never answer."""
        self._set("silent")

    def garbage(self) -> None:
        """Answer all data with 64 random bytes."""
        self._set("garbling")

    def delay(self, seconds: float) -> None:
        """Delay each part of an answer by `seconds`."""
        self._set("delaying", interval_s=seconds)

    def dribble(self, interval_s: float) -> None:
        """Send answers one byte at a time, one every `interval_s` seconds."""
        self._set("dribbling", interval_s=interval_s)

    def cut(self, after_bytes: int) -> None:
        """Reset the connection after `after_bytes` more bytes of answers, counted over all connections."""
        self._set("cutting", left=after_bytes)

    def _set(self, mode: str, *, interval_s: float = 0.0, left: int = 0) -> None:
        self._mode, self._interval_s, self._left = mode, interval_s, left
        if mode != "refusing" and self._server is None:
            self._call(self._listen())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_TIMEOUT_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            _reset(writer)

    async def _end_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            with contextlib.suppress(OSError):
                await self._converse(reader, writer)
        except asyncio.CancelledError:
            pass  # the proxy closes; asyncio would log a cancelled stream task as an error
        finally:
            _reset(writer)
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await self._connect()
        answering = asyncio.create_task(self._answer(up_reader, writer))
        try:
            while data := await reader.read(_CHUNK):
                if self._mode == "garbling":
                    writer.write(self._random.randbytes(64))
                elif self._mode != "silent":
                    up_writer.write(data)
                    await up_writer.drain()
        finally:
            up_writer.close()
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._upstream.scheme == "unix":
            return await asyncio.open_unix_connection(self._upstream.path)
        return await asyncio.open_connection(self._upstream.hostname, self._upstream.port)

    async def _answer(self, up_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await up_reader.read(_CHUNK):
            if self._mode in ("silent", "garbling"):
                continue
            if self._mode == "cutting":
                kept, self._left = data[: self._left], max(0, self._left - len(data))
                writer.write(kept)
                await writer.drain()
                if len(kept) < len(data) or not self._left:
                    break
            elif self._mode == "dribbling":
                await self._dribble(data, writer)
            else:
                await asyncio.sleep(self._interval_s)
                writer.write(data)
        writer.close()

    async def _dribble(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        for place in range(len(data)):
            writer.write(data[place : place + 1])
            await writer.drain()
            await asyncio.sleep(self._interval_s)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST, which the peer notices at once, even in the middle of a write."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() != -1:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
