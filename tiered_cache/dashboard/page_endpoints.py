"""Endpoints of the page itself: its files, the login form, and the options that it shows."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response

from tiered_cache.dashboard.assets import Assets
from tiered_cache.dashboard.request_body import BadRequestError, read_body
from tiered_cache.dashboard.responses import error_response, json_response

if TYPE_CHECKING:
    from starlette.requests import Request

    from tiered_cache.dashboard.access_rules import AccessRules

__all__ = ["PageEndpoints"]


class PageEndpoints:
    """Serves the page's files, logs browsers in, and describes the dashboard."""

    def __init__(self, rules: AccessRules, title: str) -> None:
        self._rules = rules
        self._title = title
        self._assets = Assets()

    async def index(self, request: Request) -> Response:
        """The page."""
        return self._assets.respond(request, "index.html")

    async def static(self, request: Request) -> Response:
        """A script, a style sheet or an image of the page."""
        return self._assets.respond(request, request.path_params["path"])

    async def login(self, request: Request) -> Response:
        """The login form, or the response to a posted one."""
        if request.method != "POST":
            return self._assets.respond(request, "login.html")
        try:
            form = parse_qs((await read_body(request)).decode(), max_num_fields=10)
        except (BadRequestError, ValueError) as error:
            return error_response(400, str(error))
        if not self._rules.is_token(form.get("token", [""])[0]):
            return RedirectResponse("login#wrong", 303)
        return self._logged_in(request)

    def _logged_in(self, request: Request) -> Response:
        response = RedirectResponse(".", 303)
        response.set_cookie(
            self._rules.cookie,
            self._rules.session,
            path=request.scope.get("root_path") or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    async def about(self, request: Request) -> Response:
        """The version, the title and the access rules that change the page."""
        return json_response(
            {
                "version": version("tiered-cache"),
                "title": self._title,
                "allow_changes": self._rules.allow_changes,
                "show_values": self._rules.show_values,
                "live": self._rules.live,
            }
        )
