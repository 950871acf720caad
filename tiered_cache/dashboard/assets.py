"""The static files of the page, read once and served from memory."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

__all__ = ["Assets"]

_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8",
}
"""Media types by file suffix.

With `nosniff` a browser rejects a script of another type, and the tables of systems differ.
"""


class _Asset(NamedTuple):
    content: bytes
    media_type: str
    etag: str


class Assets:
    """The static files by path, such as `"js/main.js"`.

    Only paths of files that were found at construction are served, so no path leads out of the
    directory. Immutable, so safe for any thread.
    """

    def __init__(self) -> None:
        self._assets = dict(_walk(files("tiered_cache.dashboard") / "static", ""))

    def respond(self, request: Request, path: str) -> Response:
        """The file at `path`; 304 if the browser has it; 404 if there is none."""
        asset = self._assets.get(path)
        if asset is None:
            return PlainTextResponse("File not found.\n", 404)
        headers = {"Cache-Control": "no-cache", "ETag": asset.etag}
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, _Asset]]:
    for each in folder.iterdir():
        name = prefix + each.name
        if each.is_dir():
            yield from _walk(each, name + "/")
            continue
        media_type = _MEDIA_TYPES.get(each.name.rpartition(".")[2])
        if media_type is not None:
            content = each.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            yield name, _Asset(content, media_type, etag)
