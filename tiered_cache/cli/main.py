"""Running a command, and turning what goes wrong into a message and an exit code.

The libraries are imported by the commands that need them, when they run.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import (
    CONFIGURATION,
    FAILED,
    INTERRUPTED,
    OK,
    UNAVAILABLE,
)
from tiered_cache.cli.output import printable_lines, say
from tiered_cache.cli.parsing import make_parser
from tiered_cache.errors import (
    ConfigurationError,
    InvalidDurationError,
    InvalidKeyError,
    InvalidSizeError,
    TieredCacheError,
    TierUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code.

    Raises:
        SystemExit: The command line is wrong, or help was asked for.
    """
    _prepare_output()
    try:
        return _run(argv)
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        _discard_output()
        return OK
    except Exception as error:
        if isinstance(error, OSError):
            _discard_output()
        if os.environ.get("TIERED_CACHE_DEBUG"):
            raise
        say(f"tiered-cache: {printable_lines(_message(error))}")
        return _code_of(error)


def _discard_output() -> None:
    """Have nobody read what is still to be written: Python would try, and complain, at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _prepare_output() -> None:
    if sys.stdout is None:
        # The shell closed it (`>&-`): there is nobody to print for.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for good
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a key need not fit the locale


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = make_parser().parse_args(argv)
        code: int = import_module(arguments.module).run(arguments)
        return code
    finally:
        print(end="", flush=True)  # here a full disk or a closed pipe can still be reported


def _message(error: Exception) -> str:
    if isinstance(error, TieredCacheError | OSError):
        return str(error)
    # Its text may hold a value; and only its traceback helps.
    return f"{type(error).__name__}: TIERED_CACHE_DEBUG=1 shows where"


def _code_of(error: Exception) -> int:
    if isinstance(
        error, ConfigurationError | InvalidKeyError | InvalidDurationError | InvalidSizeError
    ):
        return CONFIGURATION
    return UNAVAILABLE if isinstance(error, TierUnavailableError) else FAILED
