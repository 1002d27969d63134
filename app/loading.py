"""Loading takes a second or two. Ctrl-C ends the program without a traceback, in that part too.

What is loaded stays as long as the process, and is next to all there is: the garbage collector would look through it
again and again and find nothing. Without it, to load what serves takes an eighth less (*measured*: 1.3 s of a
processor, not 1.5).
"""

import contextlib
import gc
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
    with nothing_to_collect(), _left_at_once():
        yield


@contextlib.contextmanager
def nothing_to_collect() -> Iterator[None]:
    """In the block, next to everything that is made stays: the garbage collector does not look."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _left_at_once() -> Iterator[None]:
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
