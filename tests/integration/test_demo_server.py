"""The embedded server of the demo and the tests, which ends with its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from tiered_cache.errors import TierUnavailableError
from tiered_cache.testing import ValkeyServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = """
import sys
from tiered_cache.testing import ValkeyServer

server = ValkeyServer().start()
print(server.pid, flush=True)
sys.stdin.read()
"""
FORKING_OWNER = """
import os, sys
from tiered_cache.testing import ValkeyServer

server = ValkeyServer().start()
child = os.fork()
if child == 0:
    sys.exit(0)  # with all that is to be done at exit
_, status = os.waitpid(child, 0)
print(status, server._answers())
"""


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory for temporary files. Its path is short, because a socket's path must be."""
    with tempfile.TemporaryDirectory(prefix="s-") as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(name)


def started() -> tuple[subprocess.Popen[str], psutil.Process]:
    """A process that started a server and does not stop it, and the server."""
    owner = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    return owner, psutil.Process(int(owner.stdout.readline()))


@pytest.mark.needs_linux
def test_it_ends_when_its_owner_is_killed(places: Path) -> None:
    owner, server = started()
    with owner:
        owner.kill()
    _, alive = psutil.wait_procs([server], timeout=10)
    assert alive == []


def test_at_exit_it_is_stopped_and_its_directory_removed(places: Path) -> None:
    owner, server = started()
    with owner:
        _, errors = owner.communicate(timeout=30)
    assert (owner.returncode, errors) == (0, "")
    assert not server.is_running()
    assert list(places.iterdir()) == []


def test_a_server_that_was_never_started_leaves_no_directory(places: Path) -> None:
    code = "from tiered_cache.testing import ValkeyServer; ValkeyServer()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    assert list(places.iterdir()) == []


def test_a_forked_child_that_exits_does_not_end_it(places: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FORKING_OWNER],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (ended.stdout, ended.stderr) == ("0 True\n", "")
    assert list(places.iterdir()) == []


def test_it_outlives_the_thread_that_started_it(places: Path) -> None:
    server = ValkeyServer()
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    try:
        process = psutil.Process(server.pid)
        # Frozen and thawed it has had its turn since the thread ended, and any signal its effect.
        server.freeze()
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "the server is frozen")
        server.thaw()
        wait_until(lambda: process.status() == psutil.STATUS_SLEEPING, "the server is thawed")
    finally:
        server.stop()
    assert list(places.iterdir()) == []


def test_starting_it_twice_starts_one(places: Path) -> None:
    me = psutil.Process()
    before = set(me.children())
    with ValkeyServer().start() as server:
        assert [each.pid for each in set(me.children()) - before] == [server.pid]
    assert set(me.children()) == before


def test_restarted_after_a_crash_it_has_the_same_address(places: Path) -> None:
    with ValkeyServer(port=0) as server:
        url, pid = server.url, server.pid
        os.kill(pid, signal.SIGKILL)
        server.restart()
        assert server.pid != pid
        assert server.url == url
        assert urlsplit(url).hostname == "127.0.0.1"


def test_a_program_that_does_not_exist_is_named(places: Path) -> None:
    with (
        pytest.raises(TierUnavailableError, match="No program /nowhere/valkey-server"),
        ValkeyServer("/nowhere/valkey-server"),
    ):
        pass
    assert list(places.iterdir()) == []


def test_a_server_that_refuses_an_option_is_quoted(places: Path) -> None:
    with (
        pytest.raises(TierUnavailableError, match=r"(?s)exited at once: .*no-such-option"),
        ValkeyServer(options=["--no-such-option", "1"]),
    ):
        pass
    assert list(places.iterdir()) == []
