"""The page's own files: read once, and served from memory."""

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

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8",
}
"""By the end of a file's name: a browser that may not guess must be told right, whatever the
system's table of types says."""


class _Asset(NamedTuple):
    content: bytes
    type: str
    tag: str


class Assets:
    """The files by their path, such as `"js/main.js"`.

    Nothing else can be asked for, so that no path leads out of them. Immutable, so safe for any
    thread.
    """

    def __init__(self) -> None:
        self._assets = dict(_walk(files("tiered_cache.dashboard") / "static", ""))

    def respond(self, request: Request, path: str) -> Response:
        """The file at `path`, or that the browser has it already, or that there is none."""
        found = self._assets.get(path)
        if found is None:
            return PlainTextResponse("There is no such file.\n", 404)
        headers = {"Cache-Control": "no-cache", "ETag": found.tag}
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.type, headers=headers)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, _Asset]]:
    for each in folder.iterdir():
        name = prefix + each.name
        if each.is_dir():
            yield from _walk(each, name + "/")
            continue
        kind = _TYPES.get(each.name.rpartition(".")[2])
        if kind is not None:
            content = each.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            yield name, _Asset(content, kind, tag)
