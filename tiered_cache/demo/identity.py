"""The keys of answers: everything that an answer depends on, and nothing else."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import sys
from importlib.resources import files
from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    from tiered_cache.demo.analyses import Analysis, Source

__all__ = ["answer_key"]

_OWN_CODE = ("analyses.py", "nesting.py")


def answer_key(analysis: Analysis, source: Source) -> str:
    """The key of what `analysis` says about `source`.

    A stale answer is worse than a slow one, so whatever can change the answer is in the key, and
    a change makes a new key; nothing has to be invalidated. The path is not in it: the same
    content has the same answer wherever it lies.
    """
    return ":".join(
        (
            # Four answers about the same file must not be taken for one another.
            analysis.name,
            # The bytes, not the file's time: a checkout changes times, an edit can keep them.
            xxhash.xxh3_128_hexdigest(source.content),
            # pyflakes takes an `__init__.py` for a package and asks less of its `__all__`.
            "package" if source.is_package else "module",
            # Another version of the analyzer may find something else.
            _analyzer(analysis.package),
            # The parser is Python's: another version has another grammar and another tree.
            _python(),
            # Our metric, and what we make of the analyzers' results: edited without a version.
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
    digest = xxhash.xxh3_64()
    for name in _OWN_CODE:
        digest.update(files("tiered_cache.demo").joinpath(name).read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()
