"""Draws the pictures of the documentation: `make pictures`. Two processes work for 90 s."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.dashboard.browser import open_browser
from tests.dashboard.live import Load, dashboard, settings_of
from tiered_cache.testing import ValkeyServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLACE = Path(__file__).parents[2] / "docs" / "images"
MAX_BYTES = 150_000
WORK_S = 90.0


def main() -> None:
    """Draw all pictures."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, ValkeyServer() as server:
        # Two machines with disks of their own share a server.
        places = (f"{folder}/1", server.url, "analysis")
        loads = [Load(f"{folder}/{seed}", *places[1:], str(seed)) for seed in (1, 2)]
        try:
            with dashboard("--allow-changes", **settings_of(*places)) as (url, process):
                for browser in open_browser():
                    watching = browser.new_page()  # the charts grow while a page is open
                    watching.goto(url)
                    watching.wait_for_timeout(WORK_S * 1000)
                    draw(browser, url)
                process.send_signal(signal.SIGINT)
        finally:
            for load in loads:
                load.close()


def draw(browser: Browser, url: str) -> None:
    """Draw the page for each width and scheme, and two sections of it."""
    for name, width, height, scheme in (
        ("dashboard-light", 1200, 900, "light"),
        ("dashboard-dark", 1200, 900, "dark"),
        ("dashboard-phone", 390, 844, "dark"),
    ):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = context.new_page()
        page.goto(url)
        page.check("input[value='1m']", force=True)
        page.get_by_text("saved in the last minute").wait_for()
        page.wait_for_selector("#chart-rate canvas")
        page.wait_for_timeout(1500)
        keep(name, page.screenshot())
        if name == "dashboard-light":
            page.fill("#search-text", "lint")
            page.press("#search-text", "Enter")
            page.click("#found button >> nth=0")
            page.wait_for_selector("#delete")
            keep("dashboard-what-if", page.locator("#what-if").screenshot())
            keep("dashboard-entries", page.locator("#entries").screenshot())
        context.close()


def keep(name: str, picture: bytes) -> None:
    """Write a picture, unless it is too large for a repository."""
    if len(picture) > MAX_BYTES:
        sys.exit(f"{name} has {len(picture):,} bytes, {MAX_BYTES:,} are allowed")
    (PLACE / f"{name}.png").write_bytes(picture)
    print(f"{name}: {len(picture):,} bytes")


if __name__ == "__main__":
    main()
