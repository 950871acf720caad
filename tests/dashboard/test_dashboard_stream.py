"""Pushed statistics: shared by all pages, read only while a page is open, and bounded."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self, cast

import anyio
import pytest

from tests.dashboard.conftest import served
from tests.dashboard.snapshots import make_snapshot
from tiered_cache.dashboard import blocking_calls, event_stream, feed
from tiered_cache.dashboard.access_rules import AccessRules
from tiered_cache.dashboard.app import Dashboard
from tiered_cache.dashboard.blocking_calls import BlockingCalls
from tiered_cache.dashboard.event_stream import MAX_STREAMS
from tiered_cache.dashboard.feed import Feed
from tiered_cache.testing.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dashboard.conftest import Site
    from tiered_cache import TieredCache
    from tiered_cache.dashboard.fleet_snapshot import FleetSnapshot


class Page:
    """An open stream, read as a browser does."""

    def __init__(self, site: Site, window: str = "15m") -> None:
        self.socket = socket.create_connection(("127.0.0.1", site.port), timeout=20)
        request = f"GET /api/stream?window={window} HTTP/1.1\r\nHost: {site.host}\r\n\r\n"
        self.socket.sendall(request.encode())
        self._lines = self.socket.makefile("rb")
        self.status = int(self._lines.readline().split()[1])

    def event(self) -> Any:
        for line in self._lines:
            if line.startswith(b"data: "):
                return json.loads(line[6:])
        raise EOFError

    def close(self) -> None:
        self._lines.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Source:
    """Returns a new snapshot for each call, and counts the calls."""

    def __init__(self, **options: Any) -> None:
        self.read_times = 0
        self._options = options

    def __call__(self) -> FleetSnapshot:
        self.read_times += 1
        return make_snapshot(1000.0 + self.read_times, lookups=self.read_times, **self._options)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "EVERY_S", 0.05)


def app_of(cache: TieredCache, read: Callable[[], FleetSnapshot]) -> Any:
    return Dashboard(cache, AccessRules(), "a title", read)


@pytest.mark.usefixtures("often")
def test_the_numbers_are_pushed_as_they_change(cache: TieredCache) -> None:
    with served(app_of(cache, Source())) as site, Page(site, "1m") as page:
        first, second = page.event(), page.event()
        assert first["window"] == "1m"
        assert 0 < first["total"]["lookups"] < second["total"]["lookups"]


@pytest.mark.proves("dashboard/idle")
def test_all_pages_share_one_reading(cache: TieredCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "EVERY_S", 60.0)
    source = Source()
    with served(app_of(cache, source)) as site, ExitStack() as stack:
        for window in ("1m", "15m", "24h", "all") * 4:
            assert stack.enter_context(Page(site, window)).event()["total"]["lookups"] == 1
        assert site.ask("/api/now").json()["total"]["lookups"] == 1
    assert source.read_times == 1


@pytest.mark.proves("dashboard/idle")
@pytest.mark.usefixtures("often")
def test_nothing_is_read_without_an_open_page(cache: TieredCache) -> None:
    source = Source()
    app = app_of(cache, source)
    with served(app) as site:
        assert site.ask("/").status == 200
        assert source.read_times == 0
        with Page(site) as page:
            page.event()
        slots = app._app._app.routes[5].endpoint.__self__._slots
        wait_until(lambda: slots._free == MAX_STREAMS, "the page is gone")
        before = source.read_times
        assert site.ask("/api/about").status == 200
        assert source.read_times == before


@pytest.mark.proves("dashboard/bounded")
def test_law_10_pages_are_bounded_and_a_closed_one_makes_room(cache: TieredCache) -> None:
    with served(app_of(cache, Source())) as site, ExitStack() as stack:
        pages = [stack.enter_context(Page(site)) for _ in range(MAX_STREAMS)]
        assert {page.status for page in pages} == {200}
        with Page(site) as one_too_many:
            assert one_too_many.status == 503
        assert site.ask("/api/now").status == 200, "it can still ask"
        pages[0].close()

        def has_room() -> bool:
            with Page(site) as another:
                return another.status == 200

        wait_until(has_room, "there is room")


@pytest.mark.proves("dashboard/stalled")
@pytest.mark.usefixtures("often")
def test_law_8_a_page_that_reads_nothing_is_disconnected(
    cache: TieredCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "SEND_S", 0.2)
    monkeypatch.setattr(event_stream.StreamSlots.__init__, "__defaults__", (1,))
    source = Source(trouble=["x" * 1_000_000])
    with served(app_of(cache, source)) as site, Page(site) as frozen:
        assert frozen.status == 200

        def has_room() -> bool:
            with Page(site) as another:
                return another.status == 200

        wait_until(has_room, "the frozen page is disconnected")


@pytest.mark.proves("dashboard/stalled")
def test_law_8_numbers_that_do_not_come_hold_up_nothing_else(
    cache: TieredCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking_calls, "WAIT_S", 0.2)
    release = threading.Event()

    def hang() -> FleetSnapshot:
        release.wait()
        return make_snapshot(1.0)

    try:
        with served(app_of(cache, hang)) as site:
            answer = site.ask("/api/now")
            assert (answer.status, "can't be read" in answer.json()["error"]) == (504, True)
            assert site.ask("/").status == 200
    finally:
        release.set()


def test_a_stream_without_numbers_ends_so_that_the_page_asks_again(
    cache: TieredCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocking_calls, "WAIT_S", 0.2)

    def fail() -> FleetSnapshot:
        raise OSError

    with served(app_of(cache, fail)) as site, Page(site) as page:
        assert page.status == 200
        with pytest.raises(EOFError):
            page.event()


@pytest.mark.usefixtures("often")
def test_numbers_that_fail_once_stay_and_say_so(cache: TieredCache) -> None:
    readings = iter([make_snapshot(1.0, lookups=7), None, make_snapshot(2.0, lookups=8)])

    def read() -> FleetSnapshot:
        found = next(readings, None)
        if found is None:
            msg = "away"
            raise OSError(msg)
        return found

    with served(app_of(cache, read)) as site, Page(site) as page:
        seen = [page.event() for _ in range(3)]
    assert [each["total"]["lookups"] for each in seen] == [7, 7, 8]
    assert [bool(each["trouble"]) for each in seen] == [False, True, False]
    assert "OSError" in seen[1]["trouble"][0]


def test_law_8_a_page_is_disconnected_when_the_server_ends_during_its_first_read() -> None:
    async def main() -> bool:
        made = Feed(lambda: make_snapshot(1.0), BlockingCalls())
        await made.latest("1m")
        made._due_s = math.inf  # only `end` can wake it
        made.end()
        return await made.until_next()

    assert not anyio.run(main)


@pytest.mark.proves("dashboard/idle")
def test_slow_snapshots_are_read_less_often() -> None:
    def read() -> FleetSnapshot:
        ends_s = time.thread_time() + 0.03
        while time.thread_time() < ends_s:
            pass
        return make_snapshot(1.0)

    async def due_in_s() -> float:
        made = Feed(read, BlockingCalls())
        began_s = time.monotonic()
        await made.latest("1m")
        return made._due_s - began_s

    assert anyio.run(due_in_s) > feed.EVERY_S


def test_a_window_that_there_is_not(cache: TieredCache) -> None:
    with served(app_of(cache, Source())) as site:
        assert site.ask("/api/now?window=2m").status == 400
        assert site.ask("/api/stream?window=2m").status == 400


@pytest.mark.proves("dashboard/mounted")
def test_it_is_served_below_any_path_and_over_wsgi(cache: TieredCache) -> None:
    from a2wsgi import ASGIMiddleware, WSGIMiddleware
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from tiered_cache.dashboard import dashboard_app

    token = "a-token-of-24-characters"
    mounted = Starlette(routes=[Mount("/cache", dashboard_app(cache, token=token))])
    with served(mounted) as site:
        assert site.ask("/cache/static/js/main.js").status == 200
        first = site.ask("/cache/")
        assert (first.status, first.headers["location"]) == (303, "login")
        done = site.ask("/cache/login", f"token={token}".encode(), origin=f"http://{site.host}")
        assert "Path=/cache" in done.headers["set-cookie"]
        cookie = done.headers["set-cookie"].partition(";")[0]
        assert site.ask("/cache/api/about", cookie=cookie).json()["live"] is True

    # The two libraries have types of their own for the same protocol.
    wsgi = ASGIMiddleware(cast(Any, dashboard_app(cache, live=False)))
    with served(cast(Any, WSGIMiddleware(wsgi))) as site:
        assert site.ask("/api/about").json()["live"] is False
        assert site.ask("/api/about", host="evil.example").status == 421
        assert site.post("/api/search", {"text": ""}).json()["keys"] == []
