"""Request bodies of the dashboard: read with bounds, and parsed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["MAX_BODY_BYTES", "BadRequestError", "read_body", "read_text_field"]

MAX_BODY_BYTES = 512 * 1024
"""Largest body of a request. A key of 64 KiB with each character escaped fits."""

_BODY_S = 10.0


class BadRequestError(Exception):
    """The request is malformed; the message says how."""


async def read_body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        BadRequestError: It is too long, too slow or incomplete.
    """
    body = bytearray()
    try:
        with anyio.fail_after(_BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    msg = f"the request is longer than {MAX_BODY_BYTES:,} bytes"
                    raise BadRequestError(msg)
    except TimeoutError:
        msg = f"the request did not arrive within {_BODY_S:g} s"
        raise BadRequestError(msg) from None
    except ClientDisconnect:
        msg = "the request is incomplete"
        raise BadRequestError(msg) from None
    return bytes(body)


async def read_text_field(request: Request, field: str) -> str:
    """The string `field` of the JSON object in a request.

    Raises:
        BadRequestError: There is no such field, or the body can't be read.
    """
    body = await read_body(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        msg = f"the content type is {media_type!r}: send application/json"
        raise BadRequestError(msg)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        msg = "the request is not valid JSON"
        raise BadRequestError(msg) from None
    text = content.get(field) if isinstance(content, dict) else None
    if not isinstance(text, str):
        msg = f"expected a JSON object with the string {field!r}"
        raise BadRequestError(msg)
    return text
