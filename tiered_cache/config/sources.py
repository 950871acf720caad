"""The sources of settings in files: those that are trusted, and those that are not."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache.config.layers import Layer
from tiered_cache.config.settings_files import (
    SettingsFile,
    named_file,
    project_files,
    user_file,
)
from tiered_cache.config.trust import TrustList, all_are_trusted
from tiered_cache.config.untrusted import permitted

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from tiered_cache.config.mistakes import Mistake

__all__ = ["Sources", "UntrustedFile", "find_sources", "is_trusted"]

_log = logging.getLogger("tiered_cache.config")


class UntrustedFile(NamedTuple):
    """A project file that the user does not trust.

    Attributes:
        file: The file.
        layer: The settings of it that hold.
        ignored: The names of the others.
        mistakes: The mistakes because of which it could not be read.
    """

    file: SettingsFile
    layer: Layer
    ignored: tuple[str, ...]
    mistakes: tuple[Mistake, ...]

    def report(self, mistakes: Sequence[Mistake]) -> None:
        """Log once what is ignored of the file, and how to allow it."""
        if mistakes:
            _warn_once(
                f"{self.file.name} is not trusted and has a mistake, so it is ignored: "
                f"{mistakes[0].field}. `tiered-cache config check` explains it"
            )
        elif self.ignored:
            _warn_once(
                f"{self.file.name} is not trusted, so these settings in it are ignored: "
                f"{', '.join(self.ignored)}. To allow them: tiered-cache trust {self.file.path}"
            )


class Sources(NamedTuple):
    """The layers of files, the strongest first.

    Attributes:
        trusted: Those of trusted files.
        untrusted: The project files that are not trusted, weaker than all others.
    """

    trusted: Sequence[Layer]
    untrusted: Sequence[UntrustedFile]


def find_sources(config_file: str | os.PathLike[str] | None, mistakes: list[Mistake]) -> Sources:
    """The files of settings: the one that is named, or else those of the project and of the user.

    Args:
        config_file: The file that the program names; `None` for the variable.
        mistakes: The mistakes of trusted files are added here.
    """
    named, is_named = named_file(config_file, mistakes)
    if is_named:
        return Sources([] if named is None else [Layer(named.name, named.data, {})], [])
    trusted: list[Layer] = []
    untrusted: list[UntrustedFile] = []
    for file in project_files():
        if is_trusted(file):
            mistakes += file.mistakes
            trusted.append(Layer(file.name, file.data, {}))
        elif not file.is_ours:
            _warn_once(
                f"{file.name} belongs to another user, so it is ignored. To allow it: tiered-cache "
                f"trust {file.path}"
            )
        else:
            kept, ignored = permitted(file.data)
            layer = Layer(f"{file.name} (untrusted)", kept, {}, is_trusted=False)
            untrusted.append(UntrustedFile(file, layer, tuple(ignored), file.mistakes))
    own = user_file()
    if own is not None:
        mistakes += own.mistakes
        trusted.append(Layer(own.name, own.data, {}))
    return Sources(trusted, untrusted)


def is_trusted(file: SettingsFile) -> bool:
    """Whether the user trusts a project file, by `TIERED_CACHE_TRUST` or by the list."""
    return all_are_trusted() or TrustList().has(file.path, file.digest)


@functools.cache
def _warn_once(message: str) -> None:
    _log.warning("%s", message)
