"""JSON responses of the dashboard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["error_response", "json_response"]


def json_response(
    content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with `content` as JSON in ASCII."""
    # A key may have lone surrogates, which UTF-8 can't encode: they stay escaped.
    return Response(json.dumps(content), status, headers, "application/json")


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """A response that reports an error, as `{"error": message}`."""
    return json_response({"error": message}, status, headers)
