"""A Lua script that the server runs as one step."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.tiers.redis._connection import Command

__all__ = ["Script", "with_its_text"]

_texts: dict[str, str] = {}


class Script:
    """A script, called by its digest: the server knows it from the first call on."""

    def __init__(self, text: str) -> None:
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        _texts[self._digest] = text

    def call(self, names: Sequence[bytes], arguments: Sequence[object]) -> Command:
        """The command that runs it."""
        return ("EVALSHA", self._digest, len(names), *names, *arguments)


def with_its_text(command: Command) -> Command:
    """The same call, for a server that does not know the script yet."""
    return ("EVAL", _texts[str(command[1])], *command[2:])
