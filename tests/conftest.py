"""Fixtures for every test: a home of its own, real servers, and nothing left behind."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import uuid
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import anyio
import hypothesis
import psutil
import pytest

from tests import needs
from tests.proofs.plugin import ProofPlugin
from tiered_cache.errors import TierUnavailableError
from tiered_cache.testing import ChaosProxy, FakeClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from tiered_cache.testing import ValkeyServer
    from tiered_cache.testing.valkey_cluster import ValkeyCluster

_PREFIX = "TIERED_CACHE_"
_LEAVE_S = 30.0
_RUN_S = 60.0
_SERVER: pytest.StashKey[ValkeyServer] = pytest.StashKey()

# No deadline: a shared machine is slow now and then. No database: it would be written into the
# home of one test and never be read.
hypothesis.settings.register_profile(
    "tests", deadline=None, database=None, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    # A shell's background job ignores Ctrl-C, and so would all that tests start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(needs)
    config.pluginmanager.register(ProofPlugin(config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "exhaustive" in (config.getoption("markexpr") or ""):
        return
    left_out = [item for item in items if item.get_closest_marker("exhaustive")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def isolated_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An empty home and working directory, and no settings from outside."""
    home = tmp_path_factory.mktemp("home")
    work = home / "work"
    work.mkdir()
    for name in list(os.environ):
        if name.upper().startswith(_PREFIX):
            monkeypatch.delenv(name)
    for name, place in {
        "HOME": home,
        "XDG_CACHE_HOME": home / "cache",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_DATA_HOME": home / "data",
        "XDG_STATE_HOME": home / "state",
    }.items():
        monkeypatch.setenv(name, str(place))
    monkeypatch.chdir(work)
    return home


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Give the package's logger back its settings: an example may change them, as users do."""
    logger = logging.getLogger("tiered_cache")
    level, propagate, handlers = logger.level, logger.propagate, logger.handlers[:]
    yield
    logger.setLevel(level)
    logger.propagate, logger.handlers[:] = propagate, handlers


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread behind which would keep the process alive, or a child."""
    threads, children = set(threading.enumerate()), _children()
    yield
    deadline = time.monotonic() + _LEAVE_S
    for thread in set(threading.enumerate()) - threads:
        if not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
    left: list[object] = [
        thread
        for thread in set(threading.enumerate()) - threads
        if not thread.daemon and thread.is_alive()
    ]
    new = [
        child
        for child in _children() - children
        if not _is_of_the_session(child, request) and not _is_helper(child)
    ]
    left += psutil.wait_procs(new, max(0.0, deadline - time.monotonic()))[1]
    if left:
        pytest.fail(f"the test left behind: {left}")


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children())


def _is_of_the_session(child: psutil.Process, request: pytest.FixtureRequest) -> bool:
    """Whether it is the session's server, which was restarted or was first asked for in a test."""
    server: ValkeyServer | None = request.config.stash.get(_SERVER, None)
    with suppress(TierUnavailableError):  # it does not run
        return server is not None and server.pid == child.pid
    return False


def _is_helper(child: psutil.Process) -> bool:
    """Whether multiprocessing keeps it for the next child; it ends with this process."""
    try:
        command = " ".join(child.cmdline())
    except psutil.Error:
        return True
    return "resource_tracker" in command or "forkserver" in command


@pytest.fixture(scope="session")
def valkey(request: pytest.FixtureRequest) -> Iterator[ValkeyServer]:
    """One server for all tests that don't break it. Those that do start one of their own."""
    from tiered_cache.testing import ValkeyServer  # it needs the server's wheel

    with ValkeyServer() as server:
        request.config.stash[_SERVER] = server
        yield server


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[ValkeyCluster]:
    """One cluster for all tests that don't break it."""
    from tiered_cache.testing.valkey_cluster import ValkeyCluster

    with ValkeyCluster() as cluster:
        yield cluster


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def redis_url(valkey: ValkeyServer) -> str:
    """The session's server. Nothing is ever flushed: use `namespace` to have it for yourself."""
    return valkey.url


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture
def chaos_proxy() -> Iterator[Callable[[str], ChaosProxy]]:
    """Makes a `ChaosProxy` before the server with the URL that it is given."""
    with ExitStack() as stack:
        yield lambda upstream: stack.enter_context(ChaosProxy(upstream))


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Runs an asynchronous function in an event loop, of each kind that there is."""

    def run_it(main: Callable[[], Awaitable[Any]]) -> Any:
        async def within() -> Any:
            with anyio.fail_after(_RUN_S):
                return await main()

        return anyio.run(within, backend=request.param)

    return run_it
