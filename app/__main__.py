"""Where `./usher`, `python -m app` and `usher` begin. The commands are in `app/server/commands.py`.

Loading them takes a second. Ctrl-C ends the program without a traceback, in that second too.
"""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Final

EXIT_INTERRUPTED: Final = 130


def main(words: list[str] | None = None) -> int:
    """Run one command, by default the one of the command line.

    Returns:
        The exit code: 0 for success, 1 for a failure, 2 for wrong arguments, 3 for a setting that is not allowed, 130
        after Ctrl-C (`serve` ends with 0 then).
    """
    usual = signal.getsignal(signal.SIGINT)
    # In the background of a script, Ctrl-C is not for us; and only the main thread hears of it.
    hears_ctrl_c = usual is not signal.SIG_IGN and threading.current_thread() is threading.main_thread()
    if hears_ctrl_c:
        signal.signal(signal.SIGINT, _leave)
    from app.server.commands import run  # here, and not above: Ctrl-C must find its handler

    if hears_ctrl_c:
        signal.signal(signal.SIGINT, usual)
    try:
        return run(words)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _leave(number: int, frame: FrameType | None) -> None:
    """Nothing was started yet, so nothing has to be stopped."""
    os._exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
