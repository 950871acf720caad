"""The chaos proxy: each mode has the described effect on connections."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tiered_cache.testing import ChaosProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE_S = 10.0


@pytest.fixture
def echo() -> Iterator[str]:
    """The URL of an echo server."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        try:
            while data := connection.recv(65536):
                connection.sendall(data)
        except OSError:
            pass
        finally:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"redis://user:secret@127.0.0.1:{listener.getsockname()[1]}/3"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def proxy(echo: str, chaos_proxy: Callable[[str], ChaosProxy]) -> ChaosProxy:
    return chaos_proxy(echo)


@pytest.fixture
def client(proxy: ChaosProxy) -> Iterator[socket.socket]:
    with _connect(proxy) as connection:
        yield connection


def _connect(proxy: ChaosProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=_PATIENCE_S)


def _exchange(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    received = b""
    while len(received) < len(data):
        received += connection.recv(65536)
    return received


def _read_to_end(connection: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            data = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not data:
            return received
        received += data


def test_it_forwards(proxy: ChaosProxy, client: socket.socket) -> None:
    data = bytes(range(256)) * 4096
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    received = b""
    while len(received) < len(data):
        received += client.recv(65536)
    assert received == data
    assert proxy.connections == 1


def test_its_url_is_the_servers_with_another_address(proxy: ChaosProxy) -> None:
    assert proxy.url == f"redis://user:secret@127.0.0.1:{proxy.port}/3"


def test_it_refuses_and_takes_in_again(proxy: ChaosProxy, client: socket.socket) -> None:
    assert _exchange(client, b"before") == b"before"
    proxy.refuse()
    assert _read_to_end(client) == b""
    with pytest.raises(ConnectionRefusedError):
        _connect(proxy)
    port = proxy.port
    proxy.forward()
    assert proxy.port == port
    with _connect(proxy) as again:
        assert _exchange(again, b"after") == b"after"


def test_a_black_hole_accepts_all_bytes_and_answers_nothing(
    proxy: ChaosProxy, client: socket.socket
) -> None:
    assert _exchange(client, b"before") == b"before"
    proxy.blackhole()
    client.sendall(b"lost")
    with _connect(proxy) as other:
        other.sendall(b"lost too")
        other.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.recv(1)
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1)
    proxy.forward()
    client.settimeout(_PATIENCE_S)
    assert _exchange(client, b"found") == b"found"


def test_garbage_is_the_same_each_time(echo: str) -> None:
    seen = []
    for _ in range(2):
        with ChaosProxy(echo, seed=7) as proxy, _connect(proxy) as client:
            proxy.garbage()
            client.sendall(b"PING\r\n")
            seen.append(client.recv(65536))
    assert seen[0] == seen[1]
    assert len(seen[0]) == 64
    assert b"PING" not in seen[0]


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_it_cuts_an_answer(proxy: ChaosProxy, client: socket.socket, kept: int) -> None:
    assert _exchange(client, b"before") == b"before"
    proxy.cut(kept)
    client.sendall(b"0123456789")
    assert _read_to_end(client) == b"0123456789"[:kept]


def test_it_dribbles(proxy: ChaosProxy, client: socket.socket) -> None:
    proxy.dribble(0.01)
    client.sendall(b"slow")
    pieces: list[bytes] = []
    while len(b"".join(pieces)) < 4:
        pieces.append(client.recv(65536))
    assert b"".join(pieces) == b"slow"
    assert len(pieces) > 1


def test_it_delays(proxy: ChaosProxy, client: socket.socket) -> None:
    proxy.delay(0.1)
    began = time.monotonic()
    assert _exchange(client, b"later") == b"later"
    assert time.monotonic() - began >= 0.1, "a lower bound: no machine is too slow for it"


def test_a_server_that_is_gone_looks_so_through_the_proxy(
    chaos_proxy: Callable[[str], ChaosProxy],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    proxy = chaos_proxy(f"redis://127.0.0.1:{port}/0")
    received = b""
    with suppress(ConnectionResetError), _connect(proxy) as client:  # a reset may come first
        received = _read_to_end(client)
    assert received == b""
    assert proxy.connections == 1


def test_it_stands_before_a_unix_socket(
    tmp_path_factory: pytest.TempPathFactory, chaos_proxy: Callable[[str], ChaosProxy]
) -> None:
    path = tmp_path_factory.mktemp("s") / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        proxy = chaos_proxy(f"unix://{path}")
        assert proxy.url == f"redis://127.0.0.1:{proxy.port}/0"
        with _connect(proxy) as client:
            client.sendall(b"hello")
            server, _ = listener.accept()
            with server:
                assert server.recv(5) == b"hello"


def test_closing_ends_its_thread_and_its_connections(echo: str) -> None:
    before = threading.active_count()
    proxy = ChaosProxy(echo)
    with proxy, _connect(proxy) as client:
        assert _exchange(client, b"x") == b"x"
        proxy.close()
        assert _read_to_end(client) == b""
    assert not any(thread.name == "chaos" for thread in threading.enumerate())
    assert threading.active_count() <= before + 1, "the echo server's own thread may still end"
