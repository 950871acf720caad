"""The project files that the user trusts, by path and content."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from tiered_cache._process.user_directory import user_directory
from tiered_cache.config.environment import PREFIX
from tiered_cache.config.settings_files import is_private
from tiered_cache.errors import ConfigurationError

__all__ = ["TRUST_VARIABLE", "TrustList", "all_are_trusted"]

TRUST_VARIABLE = PREFIX + "TRUST"
_FILE_NAME = "trusted.json"


def all_are_trusted() -> bool:
    """Whether `TIERED_CACHE_TRUST=1` says that project files may be used, as in jobs on one's own code."""
    return os.environ.get(TRUST_VARIABLE, "").strip().lower() in ("1", "true", "yes")


class TrustList:
    """The list of trusted project files, in the user's directory.

    A digest stays trusted for its path until the path is revoked, so that switching between branches
    asks only once for each content. Each change replaces the file in one step; of two changes at the
    same instant, one may be lost and must be repeated.
    """

    def __init__(self) -> None:
        folder = user_directory("data")
        self.path: Path | None = None if folder is None else folder / _FILE_NAME

    def paths(self) -> dict[str, list[str]]:
        """The digests of each trusted path. A list that others may write, or no list, trusts nothing."""
        found = self._read()
        return {} if found is None else found

    def _read(self) -> dict[str, list[str]] | None:
        """The list, empty if there is none; `None` if it is damaged or not the user's."""
        if self.path is None or not os.path.lexists(self.path):
            return {}
        if not self.path.is_file() or not is_private(self.path):
            return None
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            return None
        return {
            path: [each for each in digests if isinstance(each, str) and each]
            for path, digests in found.items()
            if isinstance(digests, list)
        }

    def _read_to_change(self) -> dict[str, list[str]]:
        found = self._read()
        if found is None:
            msg = f"the list of trusted files {self.path} is damaged, or other users may write it: correct or remove it"
            raise ConfigurationError(msg)
        return found

    def has(self, path: Path, digest: str) -> bool:
        """Whether a file is trusted with its present content."""
        return bool(digest) and digest in self.paths().get(str(path), [])

    def add(self, path: Path, digest: str) -> None:
        """Trust a file with its present content.

        Raises:
            ConfigurationError: The list can't be written, or is damaged.
        """
        paths = self._read_to_change()
        digests = paths.setdefault(str(path), [])
        if digest not in digests:
            digests.append(digest)
        self._write(paths)

    def revoke(self, path: Path) -> bool:
        """Trust no content of a path any more; whether one was trusted. Raises as `add` does."""
        paths = self._read_to_change()
        if paths.pop(str(path), None) is None:
            return False
        self._write(paths)
        return True

    def _write(self, paths: dict[str, list[str]]) -> None:
        if self.path is None:
            msg = "no home directory was found to keep the list of trusted files: set HOME, or set TIERED_CACHE_TRUST=1 for this process"
            raise ConfigurationError(msg)
        text = json.dumps(paths, indent=1, sort_keys=True) + "\n"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=_FILE_NAME)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                Path(name).replace(self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            msg = f"the list of trusted files {self.path} can't be written: {error.strerror}"
            raise ConfigurationError(msg) from error
