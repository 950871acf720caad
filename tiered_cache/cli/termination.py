"""Signals that end a command which must clean up."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

__all__ = ["orderly_termination"]

_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def orderly_termination() -> Generator[None]:
    """Within the block, the first SIGINT, SIGTERM or SIGHUP raises; later ones are ignored.

    By default SIGTERM and SIGHUP end the process at once, so its server and its directories would
    stay behind. So would a second, impatient Ctrl-C in the middle of the cleaning. No-op outside the
    main thread, which alone handles signals.

    Raises:
        KeyboardInterrupt: SIGINT came.
        SystemExit: Another of them came; the code is 128 plus its number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # `nohup` ignores SIGHUP, so an ignored signal stays ignored.
    handled = [each for each in _REQUESTS if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.getsignal(each) for each in handled}

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    for each in handled:
        signal.signal(each, leave)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
