"""The page in a real browser."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.dashboard.browser import Pages, held, redraw, wait_for_count
from tests.dashboard.conftest import served
from tests.dashboard.snapshots import make_snapshot, make_stats, same_windows, with_open_breaker
from tests.dashboard.test_dashboard_entries import HOSTILE
from tiered_cache.dashboard import feed
from tiered_cache.dashboard.access_rules import AccessRules
from tiered_cache.dashboard.app import Dashboard
from tiered_cache.dashboard.fleet_snapshot import FleetSnapshot
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tests.dashboard.conftest import Site
    from tiered_cache import TieredCache
    from tiered_cache.dashboard.fleet_snapshot import FleetSnapshot

SIZES = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]
FIRST = "#summary .fact"


@pytest.fixture
def site_of(cache: TieredCache) -> Iterator[Callable[..., Site]]:
    """Serves a snapshot under the given access rules."""
    with ExitStack() as stack:

        def serve(snapshot: FleetSnapshot, **rules: Any) -> Site:
            app = Dashboard(cache, AccessRules(**rules), "analysis", lambda: snapshot)
            return stack.enter_context(served(app))

        yield serve


@pytest.fixture
def pages(browser: Browser, request: pytest.FixtureRequest, site_of: object) -> Iterator[Pages]:
    """Opens pages, and closes them before the sites.

    Fails the test if a page logged an error, or sent a request to another origin.
    """
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")
    made = Pages(browser, name)
    yield made
    made.close()
    assert made.wrong == []


def full_snapshot(processes: int = 3) -> FleetSnapshot:
    """A snapshot that fills every part of the page, with the same numbers each time."""
    now = make_stats(20_000)
    memory, *rest = now.tiers
    rates = [min(0.95, 0.8 * size**0.1) for size in CURVE_SIZES]
    memory = replace(
        memory, curve=tuple(rate * memory.lookups for rate in rates), curve_lookups=memory.lookups
    )
    now = replace(now, tiers=(memory, *rest), queue_depth=3, queue_age_s=0.2, journal_bytes=4096)
    past = [
        (1_700_000_000.0 - 60 * minute, make_stats(20_000 - 1000 * minute))
        for minute in range(15, 0, -1)
    ]
    return make_snapshot(
        1_700_000_000.0,
        processes=processes,
        lookups=20_000,
        past=past,
        gone=2,
        windows=same_windows(now, 900.0),
    )


def text(page: Page, selector: str) -> str:
    """The visible text of an element, with plain spaces."""
    return re.sub(r"\s+", " ", page.locator(selector).inner_text()).strip()


def audit(page: Page) -> list[str]:
    """The serious violations that axe-core finds."""
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    found = axe.run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def overflow(page: Page) -> int:
    """The pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.proves("dashboard/readable")
@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_the_whole_page_is_shown_at_every_width_and_in_both_schemes(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages, width: int, scheme: str
) -> None:
    for key in HOSTILE:
        cache.set(key, 1, tags={"repo:x"})
    site = site_of(full_snapshot(), allow_changes=True, show_values=True)
    page = pages.open(site.url, width=width, scheme=scheme)
    page.wait_for_selector(FIRST)
    assert text(page, '#summary [data-field="seconds_saved"]').startswith("2 h 39 min")
    assert text(page, '#summary [data-field="lookups"]').startswith("20,000")
    assert text(page, "#status") == "Live · 3 processes on 1 host"
    page.wait_for_selector("#chart-rate canvas")
    assert page.get_attribute("html", "data-theme") == scheme
    page.fill("#search-text", "")
    page.press("#search-text", "Enter")
    page.click("#found button >> nth=0")
    page.wait_for_selector("#entry-key")
    assert overflow(page) == 0
    pages.picture(page, "page")
    assert audit(page) == []


@pytest.mark.proves("dashboard/readable")
def test_it_is_readable_when_there_is_nothing(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    site = site_of(make_snapshot(1_700_000_000.0, processes=1, rows=[]))
    for width, scheme in SIZES[::2]:
        page = pages.open(site.url, width=width, scheme=scheme)
        page.wait_for_selector(FIRST)
        assert text(page, "#status") == "Live · no process"
        assert "No lookups in this time window" in text(page, "#flow")
        assert "NaN" not in page.inner_text("body")
        assert "undefined" not in page.inner_text("body")
        assert "Infinity" not in page.inner_text("body")
        assert overflow(page) == 0
        pages.picture(page, str(width))
        assert audit(page) == []


@pytest.mark.proves("dashboard/readable")
def test_it_is_readable_when_a_tier_is_down(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    now = with_open_breaker(make_stats(5000), "redis", 1_700_000_000.0)
    snapshot = make_snapshot(
        1_700_000_000.0,
        lookups=5000,
        trouble=["The server can't be reached."],
        windows=same_windows(now, 60.0),
    )
    site = site_of(snapshot)
    for width, scheme in (SIZES[1], SIZES[2]):
        page = pages.open(site.url, width=width, scheme=scheme)
        page.wait_for_selector('[data-breaker="redis"][data-state="open"]')
        assert "connection refused" in text(page, '[data-breaker="redis"]')
        assert "12 skipped" in (page.text_content("#flow-picture svg") or "")
        assert "can't be reached" in text(page, "#notice")
        assert "Staleness bound none after a change" in text(page, "#summary")
        pages.picture(page, str(width))
        assert audit(page) == []


@pytest.mark.proves("dashboard/readable")
def test_it_is_readable_with_a_hundred_processes(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    site = site_of(full_snapshot(100))
    page = pages.open(site.url)
    page.wait_for_selector("#process-rows tbody tr >> nth=99")
    assert text(page, "#status") == "Live · 100 processes on 10 hosts"
    assert "and 2 more hosts" in text(page, "#process-hosts")
    box = page.locator("#process-rows").bounding_box()
    assert box is not None
    assert box["height"] < 600
    page.fill("#process-filter", "HOST-07")
    wait_for_count(page, "#process-rows tbody tr", 10)
    pages.picture(page, "page")
    assert audit(page) == []


def test_the_slider_shows_the_estimate_for_another_size(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    site = site_of(full_snapshot())
    page = pages.open(site.url)
    page.wait_for_selector("#what-if-said")
    assert text(page, "#what-if-said").startswith("memory twice as large: hit rate 80.0 % → 85.7 %")
    page.focus("#what-if-size")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    said = text(page, "#what-if-said")
    assert said.startswith("memory 4 times as large: hit rate 80.0 % → 91.9 %")
    assert said.endswith("more per hour")
    spoken = page.get_attribute("#what-if-size", "aria-valuetext") or ""
    assert re.sub(r"\s+", " ", spoken) == said
    page.keyboard.press("Home")
    assert "1/16 of its size" in text(page, "#what-if-said")
    assert text(page, "#what-if-said").endswith("less per hour")


@pytest.mark.proves("dashboard/hostile-key")
def test_hostile_keys_are_only_text(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    for key in HOSTILE:
        cache.set(key, "<i>value</i>", tags={"<u>tag</u>"})
    site = site_of(make_snapshot(1.0), allow_changes=True, show_values=True)
    page = pages.open(site.url, width=390)
    page.on("dialog", lambda dialog: pages.wrong.append(dialog.message))
    for key in HOSTILE:
        page.fill("#search-text", key[:4])
        with page.expect_response("**/api/search"):
            page.press("#search-text", "Enter")
        wait_for_count(page, "#found button", 1)
        page.click("#found button")
        page.wait_for_selector("#entry-key")
        page.locator("#entry .tag", has_text="<u>tag</u>").wait_for()
        assert "<i>value</i>" in page.inner_text("#entry pre")
        shown = page.inner_text("#entry-key")
        assert not re.search("[\u0000-\u0008\u200b-\u200f\u2028\u202e\ufeff]", shown)
        page.evaluate("document.getElementById('entry').replaceChildren()")
    inside = "#found script, #found img, #entry script, #entry img, #entry i, #entry u"
    assert page.locator(inside).count() == 0
    assert overflow(page) == 0


@pytest.mark.proves("dashboard/delete-confirmed")
def test_an_entry_is_deleted_after_it_was_confirmed(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    cache.set("report:1", 1)
    site = site_of(make_snapshot(1.0), allow_changes=True)
    page = pages.open(site.url)
    page.fill("#search-text", "report")
    page.click("#search button")
    page.click("#found button")
    page.click("#delete")
    page.wait_for_selector("#confirm[open]")
    assert page.evaluate("document.activeElement.id") == "confirm-no"
    assert audit(page) == []
    page.keyboard.press("Escape")
    page.wait_for_selector("#confirm:not([open])", state="attached")
    assert "report:1" in cache
    page.click("#delete")
    page.click("#confirm-yes")
    page.get_by_text("Deleted.").wait_for()
    assert "report:1" not in cache


def test_without_leave_there_is_nothing_to_delete_with(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    cache.set("report:1", "a-value", tags={"repo:x"})
    site = site_of(make_snapshot(1.0))
    page = pages.open(site.url)
    page.fill("#search-text", "report")
    page.click("#search button")
    page.click("#found button")
    page.wait_for_selector("#entry-key")
    assert page.locator("#entry button, #entry pre").count() == 0


@pytest.mark.proves("dashboard/keyboard")
def test_it_can_be_used_by_the_keyboard_alone(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    for number in range(3):
        cache.set(f"report:{number}", 1, tags={"repo:x"})

    site = site_of(full_snapshot(), allow_changes=True)
    page = pages.open(site.url)
    page.wait_for_selector("#what-if-size")

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement.matches(s)", selector):
                outline = "getComputedStyle(document.activeElement).outlineStyle"
                assert page.evaluate(outline) != "none" or selector.startswith("input")
                return
        pytest.fail(f"Tab does not reach {selector}")

    tab_to(".skip")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "numbers"
    page.evaluate("document.activeElement.blur()")
    page.reload()
    page.wait_for_selector("#what-if-size")
    tab_to("input[name=window]")
    page.keyboard.press("ArrowRight")
    page.get_by_text("saved in the last 24 hours").wait_for()
    tab_to("#theme")
    tab_to("#what-if-size")
    page.keyboard.press("End")
    assert "16 times as large" in text(page, "#what-if-said")
    tab_to("#search-text")
    page.keyboard.type("report")
    page.keyboard.press("Enter")
    page.wait_for_selector("#found button >> nth=2")
    tab_to("#found button")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#delete")
    chosen = page.inner_text("#entry-key")
    tab_to("#delete")
    page.keyboard.press("Enter")
    page.wait_for_selector("#confirm[open]")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Deleted.").wait_for()
    assert chosen not in cache
    assert page.evaluate("document.activeElement.id") == "entry-key"


def test_the_colours_are_chosen_and_remembered(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    site = site_of(make_snapshot(1.0))
    page = pages.open(site.url, scheme="light")
    page.wait_for_selector(FIRST)
    page.select_option("#theme", "dark")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.reload()
    page.wait_for_selector(FIRST)
    assert page.get_attribute("html", "data-theme") == "dark"


@pytest.mark.proves("dashboard/token")
def test_a_browser_logs_in(cache: TieredCache, site_of: Callable[..., Site], pages: Pages) -> None:
    token = "a-token-of-24-characters"
    site = site_of(make_snapshot(1.0), token=token)
    page = pages.open(site.url)
    page.fill("#token", "not-the-token-of-this")
    page.keyboard.press("Enter")
    page.get_by_text("Wrong token.").wait_for()
    assert audit(page) == []
    pages.picture(page, "form")
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector(FIRST)
    assert token not in page.url


def test_it_asks_where_it_is_not_pushed_to(
    cache: TieredCache, site_of: Callable[..., Site], pages: Pages
) -> None:
    site = site_of(full_snapshot(), live=False)
    page = pages.open(site.url)
    with page.expect_request("**/api/now?window=1m"):
        page.check("input[value='1m']", force=True)
    page.get_by_text("saved in the last minute").wait_for()
    assert text(page, "#status").startswith("Live")


@pytest.mark.proves("dashboard/bounded")
def test_law_10_a_page_does_not_grow(
    site_of: Callable[..., Site], pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the test draws: elements of another update would count until they are collected.
    for name in ("EVERY_S", "_SELDOM_S"):
        monkeypatch.setattr(feed, name, 600.0)
    site = site_of(full_snapshot(20))
    page = pages.open(site.url)
    page.wait_for_selector("#chart-rate canvas")
    redraw(page, 400)  # the browser's one-time allocations are made by then
    before = held(page)
    redraw(page, 400)
    assert held(page)["nodes"] <= before["nodes"]
