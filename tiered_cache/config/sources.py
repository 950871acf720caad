"""The sources of settings in files: those that are trusted, and those that are not."""

from __future__ import annotations

import logging
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.config.layers import Layer
from tiered_cache.config.mistakes import Mistake
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
    from pathlib import Path

__all__ = ["Sources", "UntrustedFile", "find_sources", "is_trusted"]

_log = logging.getLogger("tiered_cache.config")
_told: set[tuple[Path, str]] = set()
_MOST_NAMES = 10
_LONGEST_NAME = 60


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
                self.file,
                f"{self.file.name} is not trusted and has a mistake, so it is ignored: "
                f"{_short(mistakes[0].field)}. `tiered-cache config check` explains it",
            )
        elif self.ignored:
            _warn_once(
                self.file,
                f"{self.file.name} is not trusted, so these settings in it are ignored: "
                f"{self.names_ignored}. To allow them: {self.command}",
            )

    @property
    def names_ignored(self) -> str:
        """The names of the ignored settings, the first ones of many."""
        names = [_short(each) for each in self.ignored[:_MOST_NAMES]]
        more = len(self.ignored) - len(names)
        return ", ".join(names) + (f" and {more} more" if more else "")

    @property
    def command(self) -> str:
        """The command that trusts the file, to be pasted into a shell."""
        return f"tiered-cache trust {shlex.quote(str(self.file.path))}"


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
                file,
                f"{file.name} belongs to another user, so it is ignored. To allow it: tiered-cache "
                f"trust {shlex.quote(str(file.path))}",
            )
        else:
            untrusted.append(_untrusted(file))
    own = user_file()
    if own is not None:
        mistakes += own.mistakes
        trusted.append(Layer(own.name, own.data, {}))
    return Sources(trusted, untrusted)


def _untrusted(file: SettingsFile) -> UntrustedFile:
    name = f"{file.name} (untrusted)"
    mistakes = file.mistakes
    kept: dict[str, Any] = {}
    ignored: list[str] = []
    try:
        kept, ignored = permitted(file.data)
    except Exception as error:  # nothing in a stranger's file may make a tool fail
        mistakes = (Mistake(name, "the file", type(error).__name__, "", "correct the file"),)
    return UntrustedFile(file, Layer(name, kept, {}, is_trusted=False), tuple(ignored), mistakes)


def is_trusted(file: SettingsFile) -> bool:
    """Whether the user trusts a project file, by `TIERED_CACHE_TRUST` or by the list."""
    return all_are_trusted() or TrustList().has(file.path, file.digest)


def _warn_once(file: SettingsFile, message: str) -> None:
    """Log a warning about a file, once for each content."""
    told = (file.path, file.digest)
    if told not in _told:
        _told.add(told)
        _log.warning("%s", _printable(message))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def _printable(text: str) -> str:
    """`text` on one line: a stranger chose a part of it."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
