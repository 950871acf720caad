"""The exporters of a stack: they send its statistics and events to another system."""

from __future__ import annotations

import functools
import logging
import threading
from typing import TYPE_CHECKING, Any

from tiered_cache._extensions import EXPORTERS, extension, extensions
from tiered_cache.config.redaction import safe
from tiered_cache.config.signatures import check_signature
from tiered_cache.errors import ConfigurationError, TieredCacheError
from tiered_cache_policies.suggestions import suggestion_before

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tiered_cache.cache import TieredCache

    Start = Callable[..., Callable[[], object]]

__all__ = ["check_exporter", "start_exporters"]

_log = logging.getLogger("tiered_cache.config")

_STOP_S = 5.0
"""Seconds that the closing of a cache waits for an exporter."""


def check_exporter(name: str, options: Mapping[str, Any]) -> None:
    """Check an exporter and its options without starting it; imports its module.

    Raises:
        ConfigurationError: No package registers it, or two do, it can't be loaded, or it does not
            accept the options.
        MissingExtraError: It needs an extra that is not installed.
    """
    check_signature(f"the exporter {name}", _start_of(name), options, "the cache")


def start_exporters(cache: TieredCache, chosen: Mapping[str, Mapping[str, Any]]) -> None:
    """Start exporters, which stop when the cache is closed.

    One that fails to start is logged and left out: no cache depends on its exporters. No text of its
    error is logged, which may quote the options.

    Args:
        cache: The open cache.
        chosen: The options of each exporter, by its name.

    Raises:
        ConfigurationError: As for `check_exporter`.
    """
    for name, options in chosen.items():
        check_exporter(name, options)
        try:
            stop = _start_of(name)(cache, **options)
        except Exception as error:
            detail = f": {error.message}" if isinstance(error, TieredCacheError) else ""
            _log.warning(
                "The exporter %r failed to start: %s%s", name, type(error).__name__, detail
            )
            continue
        if callable(stop):
            cache._call_at_close(functools.partial(_stop, name, stop))  # noqa: SLF001 - a hook of the face
        else:
            _log.warning("The exporter %r returned no function that ends it", name)


def _stop(name: str, stop: Callable[[], object]) -> None:
    """Stop an exporter, in a thread: one that hangs must not keep the cache from being closed."""
    thread = threading.Thread(
        target=_stop_now, args=(name, stop), name=f"tiered-cache-stop-{name}", daemon=True
    )
    try:
        thread.start()
    except RuntimeError:  # the interpreter ends
        _stop_now(name, stop)
        return
    thread.join(_STOP_S)
    if thread.is_alive():
        _log.warning("The exporter %r did not stop within %g s", name, _STOP_S)


def _stop_now(name: str, stop: Callable[[], object]) -> None:
    try:
        stop()
    except Exception as error:
        _log.warning("The exporter %r failed to stop: %s", name, type(error).__name__)


def _start_of(name: str) -> Start:
    found = extension(EXPORTERS, name)
    if found is None:
        names = [each.name for each in extensions(EXPORTERS)]
        problem = (
            f"there is no exporter called {safe('exporters', name)!r}: expected one of "
            f"{', '.join(names)}; packages register others under the entry point group {EXPORTERS}"
        )
        raise ConfigurationError(suggestion_before(problem, name, names))
    start: Start = found.load()
    return start
