"""The error for a value that has no stable encoding, with the place where it was found."""

from __future__ import annotations

from typing import NoReturn

from tiered_cache.errors import InvalidKeyError

__all__ = ["UnstableError"]

_PATH_SHOWN = 8


class UnstableError(Exception):
    """A value has no stable encoding.

    Attributes:
        reason: The fault of the value, such as `"is a m.Foo"`.
        path: The steps that lead to the value, innermost first, such as `["[0]", "['x']"]`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []

    def found_in(self, place: str) -> NoReturn:
        """Raise this error again, from the container that holds the value at `place`."""
        self.path.append(place)
        raise self

    def explain(self, argument: str, function: str) -> InvalidKeyError:
        """The error for the caller of `function`, which was given the value in `argument`."""
        path = "".join(reversed(self.path[-_PATH_SHOWN:])) + (
            "…" if self.path[_PATH_SHOWN:] else ""
        )
        msg = (
            f"Argument {argument!r}{path} of {function} {self.reason}, which has no stable key: "
            "pass a plain value, define __cache_key__() on its class, or give key="
        )
        return InvalidKeyError(msg)
