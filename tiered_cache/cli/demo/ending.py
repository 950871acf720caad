"""Ending in order, also when somebody else asks for it."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

__all__ = ["ended_in_order"]


@contextlib.contextmanager
def ended_in_order() -> Generator[None]:
    """Within the block SIGTERM and SIGHUP unwind the stack as Ctrl-C does.

    Their default would end the process on the spot, and leave its server and directories behind.
    Signal handlers belong to the main thread; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM, signal.SIGHUP]
    before = {number: signal.signal(number, _leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
