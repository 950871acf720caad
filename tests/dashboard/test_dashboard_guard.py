"""Access to the dashboard: hosts, origins, tokens, and the restrictions of browsers."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tiered_cache.dashboard import dashboard_app
from tiered_cache.dashboard.access_rules import MIN_TOKEN_LENGTH, AccessRules
from tiered_cache.dashboard.host_names import host_of
from tiered_cache.dashboard.request_body import MAX_BODY_BYTES
from tiered_cache.dashboard.server import bind
from tiered_cache.errors import ConfigurationError, TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dashboard.conftest import Site
    from tiered_cache import TieredCache

TOKEN = "a-token-of-24-characters"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:8765", "127.9.9.9"]
)
def test_it_is_reached_by_loopback_names(serve: Callable[..., Site], host: str) -> None:
    assert serve().ask("/api/about", host=host).status == 200


@pytest.mark.proves("dashboard/rebinding")
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "user@127.0.0.1",
        "192.0.2.1",
        "127.0.0.1:80:80",
        "127.0.0.1/",
        "",
        None,
    ],
)
def test_a_foreign_name_that_points_here_is_refused(
    serve: Callable[..., Site], host: str | None
) -> None:
    answer = serve(token=None).ask("/api/about", host=host)
    assert answer.status in (400, 421)
    assert b"version" not in answer.body


def test_a_name_can_be_allowed(serve: Callable[..., Site]) -> None:
    site = serve(allowed_hosts=["cache.example.org"])
    assert site.ask("/api/about", host="Cache.example.org:8765").status == 200
    assert site.ask("/api/about", host="example.org").status == 421


def test_with_a_token_every_address_is_this_host(serve: Callable[..., Site]) -> None:
    site = serve(token=TOKEN)
    bearer = f"Bearer {TOKEN}"
    assert site.ask("/api/about", host="192.0.2.1:80", authorization=bearer).status == 200
    assert site.ask("/api/about", host="evil.example", authorization=bearer).status == 421


@pytest.mark.proves("dashboard/cross-site")
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_may_not_ask(serve: Callable[..., Site], site: str) -> None:
    ours = serve(allow_changes=True)
    for path in ("/api/now", "/api/stream", "/static/js/main.js"):
        assert ours.ask(path, sec_fetch_site=site, sec_fetch_mode="no-cors").status == 403
    assert ours.post("/api/explain", {"key": "a"}, sec_fetch_site=site).status == 403


def test_a_link_from_another_site_opens_the_page(serve: Callable[..., Site]) -> None:
    link: dict[str, Any] = {
        "sec_fetch_site": "cross-site",
        "sec_fetch_mode": "navigate",
        "sec_fetch_dest": "document",
    }
    assert serve().ask("/", **link).status == 200
    assert serve().ask("/", **{**link, "sec_fetch_dest": "iframe"}).status == 403


@pytest.mark.proves("dashboard/cross-site")
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "file://127.0.0.1", "http://[", "", None],
)
def test_a_forged_change_is_refused(
    serve: Callable[..., Site], cache: TieredCache, origin: str | None
) -> None:
    cache.set("key", 1)
    site = serve(allow_changes=True)
    assert site.post("/api/delete", {"key": "key"}, origin=origin).status == 403
    assert "key" in cache
    assert site.post("/api/delete", {"key": "key"}).json()["deleted"] is True
    assert "key" not in cache


@pytest.mark.proves("dashboard/cross-site")
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_content_types_of_forms_are_refused(
    serve: Callable[..., Site], cache: TieredCache, kind: str
) -> None:
    cache.set("key", 1)
    answer = serve(allow_changes=True).post("/api/delete", {"key": "key"}, content_type=kind)
    assert answer.status == 400
    assert "key" in cache


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_changes_are_made_by_one_method(
    serve: Callable[..., Site], cache: TieredCache, method: str
) -> None:
    cache.set("key", 1)
    site = serve(allow_changes=True)
    said = json.dumps({"key": "key"}).encode()
    answer = site.ask("/api/delete", said, method=method, origin=f"http://{site.host}")
    assert answer.status == 405
    assert "access-control-allow-origin" not in answer.headers
    assert "key" in cache


@pytest.mark.proves("dashboard/read-only")
@pytest.mark.parametrize(
    ("path", "said"), [("delete", {"key": "key"}), ("invalidate", {"tag": "t"})]
)
def test_it_only_reads_unless_changes_are_allowed(
    serve: Callable[..., Site], cache: TieredCache, path: str, said: dict[str, str]
) -> None:
    cache.set("key", 1, tags={"t"})
    answer = serve().post(f"/api/{path}", said)
    assert (answer.status, "key" in cache) == (403, True)
    assert "--allow-changes" in answer.json()["error"]


@pytest.mark.proves("dashboard/read-only")
def test_values_are_not_shown_unless_allowed(
    serve: Callable[..., Site], cache: TieredCache
) -> None:
    cache.set("key", "a-secret-value")
    assert b"a-secret-value" not in serve().post("/api/explain", {"key": "key"}).body
    assert b"a-secret-value" in serve(show_values=True).post("/api/explain", {"key": "key"}).body


@pytest.mark.proves("dashboard/metrics")
def test_metrics_are_guarded_like_every_route(
    serve: Callable[..., Site], cache: TieredCache
) -> None:
    cache.get("key")
    site = serve(token=TOKEN, title="reports")
    assert site.ask("/metrics").status == 401
    bearer = f"Bearer {TOKEN}"
    assert site.ask("/metrics", host="evil.example", authorization=bearer).status == 421
    scraped = site.ask("/metrics", authorization=bearer)
    assert scraped.status == 200
    assert scraped.headers["content-type"].startswith("text/plain")
    assert b'tiered_cache_lookups_total{cache="reports",outcome="miss"} 1.0' in scraped.body


@pytest.mark.proves("dashboard/token")
@pytest.mark.parametrize(
    "path",
    ["/api/about", "/api/now", "/api/stream", "/api/search", "/api/nothing", "/login/../api/about"],
)
def test_without_the_token_nothing_is_told(serve: Callable[..., Site], path: str) -> None:
    site = serve(token=TOKEN)
    for said in (None, "Bearer wrong", f"Basic {TOKEN}"):
        answer = site.ask(path, authorization=said)
        assert answer.status in (401, 404)
        assert b"version" not in answer.body


@pytest.mark.proves("dashboard/token")
def test_logging_in_gives_a_cookie_that_only_this_site_sends(serve: Callable[..., Site]) -> None:
    site = serve(token=TOKEN)
    first = site.ask("/")
    assert (first.status, first.headers["location"]) == (303, "login")
    assert b'name="token"' in site.ask("/login").body
    form = {"origin": f"http://{site.host}", "content_type": "application/x-www-form-urlencoded"}
    wrong = site.ask("/login", b"token=wrong", **form)
    assert (wrong.status, "set-cookie" in wrong.headers) == (303, False)
    right = site.ask("/login", f"token={TOKEN}".encode(), **form)
    assert right.status == 303
    cookie = right.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict"} <= {each.strip() for each in cookie.split(";")}
    assert TOKEN not in cookie
    assert site.ask("/", cookie=cookie.partition(";")[0]).status == 200
    assert site.ask("/", cookie="other=1; " + cookie.partition(";")[0]).status == 200
    name = cookie.partition("=")[0]
    for forged in (f"{name}=", f"{name}=x", "=", "\x7f"):
        assert site.ask("/api/about", cookie=forged).status == 401


def test_the_token_of_another_dashboard_is_no_session(serve: Callable[..., Site]) -> None:
    one, other = AccessRules(token=TOKEN), AccessRules(token=TOKEN + "2")
    assert one.cookie != other.cookie
    assert not one.is_session(other.session)
    assert not AccessRules().is_session(AccessRules().session)
    assert not AccessRules().is_token("")


@pytest.mark.proves("dashboard/content-policy")
@pytest.mark.parametrize("path", ["/", "/login", "/static/js/main.js", "/api/about", "/nothing"])
def test_every_answer_keeps_the_browser_on_a_short_leash(
    serve: Callable[..., Site], path: str
) -> None:
    headers = serve().ask(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert "access-control-allow-origin" not in headers


def test_a_refusal_has_the_same_headers(serve: Callable[..., Site]) -> None:
    assert "content-security-policy" in serve().ask("/", host="evil.example").headers


@pytest.mark.proves("dashboard/content-policy")
@pytest.mark.parametrize("page", ["/", "/login"])
def test_no_page_has_a_script_or_style_in_itself_or_from_elsewhere(
    serve: Callable[..., Site], page: str
) -> None:
    text = serve().ask(page).body.decode()
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|https?://|//\w", text)


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fapp.py",
        "/etc/passwd",
        "js",
        "js/",
        "js/../../access_rules.py",
    ],
)
def test_no_path_leads_out_of_the_pages_files(serve: Callable[..., Site], path: str) -> None:
    assert serve().ask(f"/static/{path}").status == 404


def test_a_file_that_the_browser_has_is_not_sent_again(serve: Callable[..., Site]) -> None:
    site = serve()
    first = site.ask("/static/js/main.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = site.ask("/static/js/main.js", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"{}", b'{"key": 1}', b'{"key": ""}', b"\xff", b"[" * 100_000],
)
def test_a_malformed_body_is_refused(serve: Callable[..., Site], body: bytes) -> None:
    site = serve()
    answer = site.ask(
        "/api/explain", body, origin=f"http://{site.host}", content_type="application/json"
    )
    assert answer.status == 400
    assert answer.json()["error"]


@pytest.mark.proves("dashboard/bounded")
def test_law_10_a_request_that_is_too_long_is_refused(serve: Callable[..., Site]) -> None:
    answer = serve().post("/api/search", {"text": "x" * MAX_BODY_BYTES})
    assert (answer.status, answer.json()) == (
        400,
        {"error": "the request is longer than 524,288 bytes"},
    )


@pytest.mark.parametrize("path", ["/login", "/api/search"])
def test_a_request_that_breaks_off_is_refused(cache: TieredCache, path: str) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    headers = {
        b"host": b"localhost",
        b"origin": b"http://localhost",
        b"content-type": b"application/json",
    }
    scope = {"type": "http", "method": "POST", "path": path, "headers": [*headers.items()]}
    anyio.run(dashboard_app(cache), {**scope, "query_string": b""}, receive, send)
    assert sent[0]["status"] == 400


def test_a_web_socket_is_refused(cache: TieredCache) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/api/stream", "headers": [(b"host", b"localhost")]}
    anyio.run(dashboard_app(cache), scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.proves("dashboard/listens-locally")
def test_a_short_token_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=str(MIN_TOKEN_LENGTH)):
        AccessRules(token="short")


@pytest.mark.parametrize("name", ["http://a", "a:80", "a/b", "", "*", "-a"])
def test_an_invalid_host_name_is_refused(cache: TieredCache, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a host name"):
        dashboard_app(cache, allowed_hosts=[name])
    with pytest.raises(ConfigurationError, match="write a list"):
        dashboard_app(cache, allowed_hosts="a")


@pytest.mark.parametrize(
    ("header", "host"),
    [("a:1", "a"), ("A.", "a"), ("[::1]:1", "::1"), ("a@b", None), ("a:b", None), ("a/b", None)],
)
def test_the_host_of_a_header(header: str, host: str | None) -> None:
    assert host_of(header) == host


@pytest.mark.proves("dashboard/listens-locally")
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_beyond_this_machine_it_needs_a_token(host: str) -> None:
    with pytest.raises(ConfigurationError, match="token"):
        bind(host, 0, has_token=False)


def test_with_a_token_it_may_listen_everywhere() -> None:
    bind("0.0.0.0", 0, has_token=True).close()


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TieredCacheError, match=f"can't listen on port {port} of 127.0.0.1"):
            bind("127.0.0.1", port, has_token=False)
    with pytest.raises(ConfigurationError, match="unknown host"):
        bind("nowhere.invalid", 0, has_token=True)


def test_without_its_libraries_the_dashboard_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['starlette'] = None\n"
        "from tiered_cache import MemoryTier, TieredCache\n"
        "from tiered_cache.dashboard import dashboard_app\n"
        "from tiered_cache.errors import MissingExtraError\n"
        "try: dashboard_app(TieredCache([MemoryTier()]))\n"
        "except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ("the dashboard needs starlette: pip install 'tiered-cache[dashboard]'\n")
