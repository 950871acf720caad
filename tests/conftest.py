"""Fixtures for every test: a home of its own, real servers, and a check for leftovers."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
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

    from tiered_cache.testing import ValkeyServer
    from tiered_cache.testing.valkey_cluster import ValkeyCluster

_ROOT = str(Path(__file__).parents[1])
_PREFIX = "TIERED_CACHE_"
_LEAVE_S = 30.0
_RUN_S = 60.0
_SERVER: pytest.StashKey[ValkeyServer] = pytest.StashKey()

# No deadline: a shared machine is slow at times. No database: it would be written into the home
# of one test, and never be read.
hypothesis.settings.register_profile(
    "tests", deadline=None, database=None, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    # A background job of a shell ignores Ctrl-C, and its children inherit that. Tests interrupt them.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Spawned processes import test modules. Last: an installed wheel comes before the checkout.
    if _ROOT not in sys.path:
        sys.path.append(_ROOT)
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
    """An empty home and working directory, without settings from the environment.

    Project files are trusted: tests/unit/test_untrusted_projects.py is about those that are not.
    """
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
    monkeypatch.setenv(f"{_PREFIX}TRUST", "1")  # the files of tests are our own
    monkeypatch.chdir(work)
    return home


@pytest.fixture(autouse=True)
def _logger_restored() -> Iterator[None]:
    """Restore the settings of the package's logger, which examples change as users do."""
    logger = logging.getLogger("tiered_cache")
    level, propagate, handlers = logger.level, logger.propagate, logger.handlers[:]
    yield
    logger.setLevel(level)
    logger.propagate, logger.handlers[:] = propagate, handlers


@pytest.fixture(autouse=True)
def _no_leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves behind a child process, or a thread that keeps the process alive."""
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
    """Whether it is the session's server, which a test may have started or restarted."""
    server: ValkeyServer | None = request.config.stash.get(_SERVER, None)
    with suppress(TierUnavailableError):  # the server is not running
        return server is not None and server.pid == child.pid
    return False


def _is_helper(child: psutil.Process) -> bool:
    """Whether it is a helper of multiprocessing, which ends with this process."""
    try:
        command = " ".join(child.cmdline())
    except psutil.Error:
        return True
    return "resource_tracker" in command or "forkserver" in command


@pytest.fixture(scope="session")
def valkey(request: pytest.FixtureRequest) -> Iterator[ValkeyServer]:
    """One server of the process, for tests that do not break it. Others start their own."""
    from tiered_cache.testing import ValkeyServer  # only here: it needs the server's wheel

    with ValkeyServer() as server:
        request.config.stash[_SERVER] = server
        yield server


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[ValkeyCluster]:
    """One cluster of the process, for tests that do not break it."""
    from tiered_cache.testing.valkey_cluster import ValkeyCluster

    with ValkeyCluster() as cluster:
        yield cluster


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def redis_url(valkey: ValkeyServer) -> str:
    """The URL of the shared server, which is never flushed: use `namespace` to stay apart."""
    return valkey.url


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when told."""
    return FakeClock()


@pytest.fixture
def chaos_proxy() -> Iterator[Callable[[str], ChaosProxy]]:
    """Starts a `ChaosProxy` before the server at the given URL."""
    with ExitStack() as stack:
        yield lambda upstream: stack.enter_context(ChaosProxy(upstream))


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Runs an asynchronous function, under `asyncio` and under `trio`."""

    def run_it(main: Callable[[], Awaitable[Any]]) -> Any:
        async def within() -> Any:
            with anyio.fail_after(_RUN_S):
                return await main()

        return anyio.run(within, backend=request.param)

    return run_it
