"""The names by which functions and classes are the same in every process."""

from __future__ import annotations

import os.path
import sys
from typing import Any

from tiered_cache.keys.canonical import UnstableError, parts, text

__all__ = ["encode_named", "module_identity", "qualified"]

_MAIN = ("__main__", "__mp_main__")
"""The main program, in itself and in the processes that `multiprocessing` spawns for it."""


def module_identity(module: str, namespace: dict[str, Any]) -> tuple[str, str]:
    """A module's name for people, and what must be added to it to tell it from all others.

    Every script is called `__main__`, so a script is told apart by its file, and a module that is
    run with `python -m` by its real name. An interactive session has neither.

    Args:
        module: The module's `__name__`.
        namespace: Its globals.
    """
    if module not in _MAIN:
        return module, ""
    spec = namespace.get("__spec__")
    if spec is not None and spec.name not in _MAIN:
        return spec.name, ""
    file = namespace.get("__file__")
    return "__main__", "" if file is None else os.path.abspath(file)  # noqa: PTH100 - pathlib is slow to import


def qualified(kind: type) -> bytes:
    """The encoded name of a class whose instances are encoded by their parts."""
    return _identified(b"q", kind.__module__, kind.__qualname__)


def encode_named(value: Any, _depth: int) -> bytes:
    """The encoding of a function or class: its name, if that leads to it.

    Raises:
        UnstableError: It is a lambda, local, bound to an object, or not what its name stands for
            (a wrapper that took over the name of what it wraps, say).
    """
    name: str = value.__qualname__
    module: str = getattr(value, "__module__", None) or ""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value:
        what = "class" if isinstance(value, type) else "function"
        reason = f"is the {what} {name}, which can't be found under that name in its module"
        raise UnstableError(reason)
    return _identified(b"Q", module, name)


def _identified(tag: bytes, module: str, name: str) -> bytes:
    namespace = vars(sys.modules[module]) if module in sys.modules else {}
    shown, rest = module_identity(module, namespace)
    return parts(tag, [text(b"s", shown), text(b"s", rest), text(b"s", name)])
