"""The keys of answers: every input of an answer, and nothing else."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiered_cache.demo.analyses import Analysis, Source

__all__ = ["answer_key"]

_OWN_CODE = ("analyses.py", "nesting.py")


def answer_key(analysis: Analysis, source: Source) -> str:
    """The key of the answer of `analysis` about `source`.

    A stale answer is worse than a slow one. So every input of the answer is part of the key: a
    changed input makes a new key, and nothing has to be invalidated. The path is no input. Equal
    files in two places share their answers.
    """
    return ":".join(
        (
            # Each analysis has its own answer about the same file.
            analysis.name,
            # The content, not the modification time: a checkout changes times, an edit can keep them.
            # Cryptographic, because strangers write the files.
            hashlib.sha256(source.content).hexdigest(),
            # pyflakes treats an `__init__.py` as a package, and is less strict about its `__all__`.
            "package" if source.is_package else "module",
            # Another version of the analyzer may find something else.
            _analyzer(analysis.package),
            # Another version of Python has another grammar and another syntax tree.
            _python(),
            # Our own analysis, and our handling of the analyzers' results, have no version number.
            _own_code(),
        )
    )


@functools.cache
def _analyzer(package: str | None) -> str:
    return f"{package}-{importlib.metadata.version(package)}" if package else "own"


@functools.cache
def _python() -> str:
    return f"{sys.implementation.name}-{platform.python_version()}"


@functools.cache
def _own_code() -> str:
    digest = hashlib.sha256()
    for name in _OWN_CODE:
        digest.update(files("tiered_cache.demo").joinpath(name).read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
