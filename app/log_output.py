"""Writes log lines, and waits for nobody: a pipe that is full because nobody reads it would stop the whole service.

What does not fit is left out and counted. The next lines that fit say how many were.
"""

import logging
import os
import select
import stat
import sys
from typing import Final, TextIO

_AT_ONCE: Final = 4096
"""A pipe takes so many bytes as a whole or not at all (PIPE_BUF)."""


class Output(logging.StreamHandler[TextIO]):
    """The standard error. A file or a terminal is written to as usual, a pipe without waiting for its reader."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._pipe = _pipe_of(sys.stderr)
        self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write the lines of a record, or as many of them as fit."""
        if self._pipe is None:
            super().emit(record)
            return
        try:
            if self._left_out:
                left_out, self._left_out = self._left_out, 0
                why = "%d lines were left out here: nobody read the log"
                said = logging.LogRecord(__name__, logging.WARNING, __file__, 0, why, (left_out,), None)
                if not self._write(self._pipe, self.format(said)):
                    self._left_out = left_out + self.format(record).count("\n") + 1
                    return
            self._write(self._pipe, self.format(record))
        except Exception:  # noqa: BLE001 - as logging's own handlers have it: a log that fails ends nothing
            self.handleError(record)

    def _write(self, pipe: int, lines: str) -> bool:
        """Whether all of them did fit. Those that did not are counted."""
        left = f"{lines}{self.terminator}".encode(errors="backslashreplace")
        while left:
            end = len(left) if len(left) <= _AT_ONCE else left.rfind(b"\n", 0, _AT_ONCE) + 1 or _AT_ONCE
            try:
                if not select.select((), (pipe,), (), 0)[1]:
                    raise BlockingIOError
                os.write(pipe, left[:end])
            except BlockingIOError:
                self._left_out += left.count(b"\n")
                return False
            left = left[end:]
        return True


def _pipe_of(stream: TextIO) -> int | None:
    """The pipe that a stream leads to, opened anew so that writing does not wait; None if it is no pipe.

    Whoever else has the pipe open goes on waiting, as they are used to. Where it cannot be opened anew, we look whether
    there is room, which is enough for all but two workers at the same moment.
    """
    try:
        number = stream.fileno()
        if not stat.S_ISFIFO(os.fstat(number).st_mode):
            return None
    except (OSError, ValueError):
        return None
    try:
        return os.open(f"/dev/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return number
