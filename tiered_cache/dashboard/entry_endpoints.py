"""Endpoints that look up and change single entries."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tiered_cache.dashboard.blocking_calls import WAIT_S, BlockingCalls
from tiered_cache.dashboard.entry_browser import EntryBrowser
from tiered_cache.dashboard.request_body import BadRequestError, read_text_field
from tiered_cache.dashboard.responses import error_response, json_response
from tiered_cache.errors import InvalidKeyError, TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from tiered_cache.cache import TieredCache
    from tiered_cache.dashboard.access_rules import AccessRules

__all__ = ["EntryEndpoints"]

_log = logging.getLogger("tiered_cache.dashboard")


class EntryEndpoints:
    """Searches keys, explains an entry, deletes it, and invalidates a tag."""

    def __init__(self, cache: TieredCache, rules: AccessRules) -> None:
        self._rules = rules
        self._calls = BlockingCalls()
        self._browser = EntryBrowser(cache, show_values=rules.show_values)

    async def search(self, request: Request) -> Response:
        """The keys that contain a text."""
        return await self._answer(request, "text", self._browser.search)

    async def explain(self, request: Request) -> Response:
        """The state of a key in each tier."""
        return await self._answer(request, "key", self._browser.explain)

    async def delete(self, request: Request) -> Response:
        """Delete an entry, if the rules allow it."""
        return await self._change(request, "key", self._browser.delete)

    async def invalidate(self, request: Request) -> Response:
        """Invalidate a tag, if the rules allow it."""
        return await self._change(request, "tag", self._browser.invalidate)

    async def _change(
        self, request: Request, field: str, call: Callable[[str], dict[str, Any]]
    ) -> Response:
        if not self._rules.allow_changes:
            return error_response(
                403, "this dashboard is read-only: restart it with --allow-changes"
            )
        return await self._answer(request, field, call)

    async def _answer(
        self, request: Request, field: str, call: Callable[[str], dict[str, Any]]
    ) -> Response:
        """The result of `call` with the string `field` of the request, or the error."""
        try:
            text = await read_text_field(request, field)
            return json_response(await self._calls.run(call, text))
        except (BadRequestError, InvalidKeyError) as error:
            return error_response(400, str(error))
        except TimeoutError:
            return error_response(504, f"no answer within {WAIT_S:g} s")
        except TieredCacheError as error:
            return error_response(502, str(error))
        except Exception as error:
            _log.exception("the dashboard failed to answer %s", request.url.path)
            return error_response(500, type(error).__name__)
