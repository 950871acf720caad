"""A real browser, with pages that record errors of scripts and requests to other origins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.needs import browser_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

__all__ = ["SCREENSHOTS", "Pages", "held", "open_browser", "redraw"]

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
"""The directory of screenshots; continuous integration keeps it."""

_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_WAIT_MS = 30_000


def open_browser() -> Iterator[Browser]:
    """Chromium, without a window. A test that uses it is marked `needs_browser`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=_OPTIONS)
        yield browser
        browser.close()


class Pages:
    """Opens pages, and collects their errors in `wrong`.

    Args:
        browser: The browser.
        name: The name of the test, for the screenshots.
    """

    def __init__(self, browser: Browser, name: str) -> None:
        self._browser = browser
        self._name = name
        self._contexts: list[Any] = []
        self.wrong: list[str] = []

    def open(self, url: str, *, width: int = 1440, scheme: str = "light") -> Page:
        """A page at `url`, in a browser without cookies and storage."""
        context = self._browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(_WAIT_MS)
        self._contexts.append(context)
        page = context.new_page()
        origin = urlsplit(url).netloc
        page.on("console", lambda each: self._note(each.type in ("error", "warning"), each.text))
        page.on("pageerror", lambda error: self._note(True, str(error)))
        page.on(
            "request",
            lambda each: self._note(urlsplit(each.url).netloc != origin, f"asked for {each.url}"),
        )
        page.goto(url)
        if page.locator("#entry").count():
            page.wait_for_selector("#entry .empty")  # the page shows this when its handlers are set
        return page

    def _note(self, wrong: bool, text: str) -> None:
        if wrong:
            self.wrong.append(text)

    def picture(self, page: Page, name: str) -> None:
        """Write a screenshot of the whole page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.evaluate("document.querySelector('.top')?.style.setProperty('position', 'static')")
        # Written here, because playwright's `path=` leaves a thread behind.
        picture = page.screenshot(full_page=True)
        (SCREENSHOTS / f"{self._name}-{name}.png").write_bytes(picture)

    def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            context.close()


_REDRAW = """async (times) => {
  const [tiers, flow, summary, health, processes] = await Promise.all(
    ["tiers", "flow", "summary", "health", "processes"].map((name) => import(`./static/js/${name}.js`)));
  const numbers = await (await fetch("api/now?window=15m")).json();
  const at = (id) => document.getElementById(id);
  for (let turn = 0; turn < times; turn += 1) {
    for (const tier of numbers.tiers) { tier.lookups += 7; tier.hits += 5; }
    numbers.total.lookups += 7;
    summary.showSummary(at("summary"), numbers);
    flow.showFlow(at("flow-picture"), numbers);
    tiers.showTiers(at("tiers-table"), numbers);
    health.showHealth({ breakers: at("breakers"), queue: at("queue"), bus: at("bus") }, numbers);
    processes.showProcesses(at("processes-body"), numbers);
    if (turn % 50 === 0) await new Promise(requestAnimationFrame);
  }
}"""


def redraw(page: Page, times: int) -> None:
    """Draw changed numbers `times` times, as the page does in as many seconds."""
    page.evaluate(_REDRAW, times)


def held(page: Page) -> dict[str, int]:
    """The size of a page's heap and its number of nodes, after garbage collection."""
    session = page.context.new_cdp_session(page)
    for _ in range(3):  # an element is freed one collection after its wrapper
        session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"]
    nodes = session.send("Memory.getDOMCounters")["nodes"]
    session.detach()
    return {"heap": int(heap), "nodes": int(nodes)}


def wait_for_count(page: Page, selector: str, count: int) -> None:
    """Wait until `count` elements match.

    `wait_for_function` is no option: it calls `eval`, which the page's policy forbids.
    """
    found = page.locator(selector)
    found.nth(count).wait_for(state="detached")
    found.nth(count - 1).wait_for(state="attached")
