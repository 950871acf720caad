"""Ending in order, also when somebody asks for it from outside."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

__all__ = ["ended_in_order"]

_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def ended_in_order() -> Generator[None]:
    """Within the block the first request to end unwinds the stack, and later ones don't disturb it.

    By default SIGTERM and SIGHUP would end the process on the spot and leave its server and its
    directories behind, and so would a second, impatient Ctrl-C in the middle of the cleaning.

    Raises:
        KeyboardInterrupt: SIGINT came.
        SystemExit: Another request came; the code is 128 and its number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's business
        return
    # What is ignored, as `nohup` has it, stays ignored.
    asked = [each for each in _REQUESTS if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.getsignal(each) for each in asked}

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        for each in asked:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    for each in asked:
        signal.signal(each, leave)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
