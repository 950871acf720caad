"""The command's page from end to end: two processes at work, three real tiers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.dashboard.browser import Pages
from tests.dashboard.live import Load, dashboard, settings_of
from tiered_cache.testing import ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Browser, Page

_LEAVE_S = 60


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server for one test, which kills it."""
    with ValkeyServer() as made:
        yield made


def count(number: int) -> str:
    return f"{number:,}"


def wait_for_text(page: Page, selector: str, wanted: str) -> None:
    page.locator(selector, has_text=re.compile(rf"^\s*{re.escape(wanted)}")).first.wait_for()


@pytest.fixture
def settings(tmp_path: Path, server: ValkeyServer, namespace: str) -> Mapping[str, str]:
    return settings_of(str(tmp_path / "disk"), server.url, namespace)


@pytest.mark.proves("dashboard/numbers", "dashboard/server-killed")
def test_two_processes_three_tiers_and_a_server_that_dies(
    browser: Browser,
    server: ValkeyServer,
    settings: Mapping[str, str],
    tmp_path: Path,
    namespace: str,
) -> None:
    pages = Pages(browser, "live")
    loads = [Load(str(tmp_path / "disk"), server.url, namespace, str(seed)) for seed in (1, 2)]
    try:
        with dashboard("--allow-changes", **settings) as (url, _):
            page = pages.open(url)
            page.get_by_text("Live · 2 processes on 1 host").wait_for()
            page.check("input[value=all]", force=True)
            page.wait_for_selector("#flow-picture svg")
            the_numbers_are_those_of_the_processes(page, loads)
            pages.picture(page, "at-work")
            an_entry_is_found_and_deleted(page)
            the_dead_server_is_seen(page, server, loads)
            pages.picture(page, "server-dead")
            pages.close()
    finally:
        pages.close()
        for load in loads:
            load.close()
    assert pages.wrong == []


def the_numbers_are_those_of_the_processes(page: Page, loads: list[Load]) -> None:
    stats = [load.pause() for load in loads]

    def total(name: str) -> str:
        return count(sum(each[name] for each in stats))

    wait_for_text(page, '#summary [data-field="lookups"]', total("lookups"))
    wait_for_text(page, '#summary [data-field="computes"]', total("computes"))
    for at, name in enumerate(["memory", "disk", "redis"]):
        for field in ("lookups", "hits"):
            wanted = count(sum(each["tiers"][at][field] for each in stats))
            wait_for_text(page, f'[data-tier="{name}"] [data-field="{field}"]', wanted)
    for load, each in zip(loads, stats, strict=True):
        row = f'[data-process="{load.pid}"] [data-field="lookups"]'
        wait_for_text(page, row, count(each["lookups"]))
    hits = sum(each["hits"] for each in stats)
    rate = hits / sum(each["lookups"] for each in stats)
    shown = page.inner_text('#summary [data-field="hit_rate"]')
    assert shown.startswith(f"{rate:.1%}".replace("%", "\u202f%"))
    assert "check_types" in page.inner_text("#functions-saved")


def an_entry_is_found_and_deleted(page: Page) -> None:
    page.fill("#search-text", "lint")
    page.press("#search-text", "Enter")
    page.click("#found button >> nth=0")
    page.locator("#entry .tag", has_text="repo:x").wait_for()
    page.click("#delete")
    page.click("#confirm-yes")
    page.get_by_text("Deleted.").wait_for()


def the_dead_server_is_seen(page: Page, server: ValkeyServer, loads: list[Load]) -> None:
    for load in loads:
        load.tell("run")
    os.kill(server.pid, signal.SIGKILL)
    page.wait_for_selector('[data-breaker="redis"][data-state="open"]')
    page.get_by_text("breaker open:").wait_for()
    page.get_by_text("The page shows this host only").wait_for()
    assert "open" in page.inner_text("#breakers .past")


@pytest.mark.proves("dashboard/stalled")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_order(
    settings: Mapping[str, str], number: signal.Signals, code: int
) -> None:
    with dashboard(**settings) as (url, process):
        streaming = urllib.request.urlopen(url + "api/stream", timeout=_LEAVE_S)
        assert streaming.readline().startswith(b"retry")
        process.send_signal(number)
        assert process.wait(_LEAVE_S) == code
        streaming.close()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def run(*arguments: str, code: int, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tiered_cache", "dashboard", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        timeout=_LEAVE_S,
    )
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.mark.proves("dashboard/listens-locally")
def test_a_dashboard_open_to_others_is_not_served() -> None:
    assert "set TIERED_CACHE_DASHBOARD_TOKEN or --token" in run(
        "--host", "0.0.0.0", "--port", "0", code=3
    )
    assert "16 characters" in run("--token", "short", code=3)
    assert "is not a port" in run("--port", "70000", code=2)


def test_a_stack_that_no_other_process_shares_is_told() -> None:
    with dashboard(TIERED_CACHE_TIERS='["memory"]') as (_, process):
        assert process.stderr is not None
        assert process.stderr.readline() == "Press Ctrl-C to stop it.\n"
        assert "has no shared tier" in process.stderr.readline()


def test_the_token_may_be_a_variable() -> None:
    token = {"TIERED_CACHE_DASHBOARD_TOKEN": "a-token-of-24-characters"}
    with dashboard("--host", "0.0.0.0", **token) as (url, _):
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url, timeout=_LEAVE_S) as answer:
            assert answer.url.endswith("/login")
