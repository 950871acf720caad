"""Redis over TLS: usual operations, and refusal of servers without a trusted certificate."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.patience import patient_redis
from tiered_cache import (
    AsyncTieredCache,
    MemoryTier,
    TieredCache,
    TierTimeoutError,
    TierUnavailableError,
)
from tiered_cache.testing import ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = "x" * 300_000
"""Longer than one TLS record, and than one read of a socket."""
GENEROUS_S = 30.0


class Relay:
    """A TLS front for a server without TLS, such as the one from the wheel."""

    def __init__(self, identity: ssl.SSLContext, server: ValkeyServer) -> None:
        self._identity = identity
        self._port = int(server.url.rsplit(":", 1)[1].split("/")[0])
        self._listening = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._thread.start()
        assert self._listening.wait(10)

    async def _run(self) -> None:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._identity)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._over.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._port)
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(_pour(reader, ours), _pour(theirs, writer))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self._loop.close()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while some := await source.read(65536):
            sink.write(some)
            await sink.drain()
    finally:
        sink.close()


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """The certificate authority of the server, and its certificate."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "authority.pem")
    return made, tmp_path / "authority.pem"


@pytest.fixture
def server(authority: tuple[trustme.CA, Path]) -> Iterator[tuple[ValkeyServer, str]]:
    """A server, and its TLS address."""
    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert("127.0.0.1").configure_cert(identity)
    with ValkeyServer(port=0) as started:
        relay = Relay(identity, started)
        yield started, f"rediss://127.0.0.1:{relay.port}/0"
        relay.stop()


@pytest.mark.proves("law-9/tls")
def test_it_works_by_threads_and_tasks(
    server: tuple[ValkeyServer, str], authority: tuple[trustme.CA, Path]
) -> None:
    url = f"{server[1]}?ssl_ca_certs={authority[1]}"
    values = {"small": "x", "large": LARGE, "none": None}
    with TieredCache([patient_redis(url)], namespace="secret") as cache:
        cache.set_many(values)
        assert cache.get_many([*values, "absent"]) == values
        assert cache.get("large") == LARGE

        async def awaited() -> None:
            face = AsyncTieredCache.of(cache)
            found = await asyncio.gather(*[face.get(key) for key in values])
            assert found == [*values.values()]
            await face.set("large", LARGE[1:])

        asyncio.run(awaited())
        assert cache.get("large") == LARGE[1:]
    with TieredCache([patient_redis(server[0].url)], namespace="secret") as plain:
        assert plain.get("small") == "x", "it is the same server"


@pytest.mark.proves("law-9/tls")
def test_a_server_without_a_trusted_certificate_is_refused(
    server: tuple[ValkeyServer, str],
) -> None:
    with pytest.raises(TierUnavailableError, match=r"(?i)certificate"):
        TieredCache([patient_redis(server[1])])


@pytest.mark.proves("law-9/tls")
def test_a_certificate_for_another_name_is_refused(
    server: tuple[ValkeyServer, str], authority: tuple[trustme.CA, Path]
) -> None:
    url = server[1].replace("127.0.0.1", "localhost")
    with pytest.raises(TierUnavailableError, match=r"(?i)certificate|hostname"):
        TieredCache([patient_redis(f"{url}?ssl_ca_certs={authority[1]}")])


def test_law_8_a_frozen_server_is_given_up_in_time(
    server: tuple[ValkeyServer, str], authority: tuple[trustme.CA, Path]
) -> None:
    tier = patient_redis(f"{server[1]}?ssl_ca_certs={authority[1]}")
    with TieredCache([MemoryTier(), tier], strict=True) as cache:
        cache.set("key", 1)
        tier._connections.timeout_s = 0.5  # type: ignore[attr-defined] # not a cluster's
        server[0].freeze()
        started = time.monotonic()
        with pytest.raises(TierTimeoutError):
            cache.get("absent")
        assert time.monotonic() - started < GENEROUS_S
        server[0].thaw()
