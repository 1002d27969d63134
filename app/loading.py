"""Loading takes a good part of a second. Ctrl-C ends the program without a traceback, in that part too."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

EXIT_INTERRUPTED: Final = 130


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """In the block, modules are imported and nothing else happens: Ctrl-C ends the program at once."""
    usual = signal.getsignal(signal.SIGINT)
    # In the background of a script, Ctrl-C is not for us; and only the main thread hears of it.
    if usual is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _leave(number: int, frame: FrameType | None) -> None:
    """Nothing was started yet, so nothing has to be stopped."""
    os._exit(EXIT_INTERRUPTED)
