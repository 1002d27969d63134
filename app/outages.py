"""What an operator is told of what comes and goes: one line when it begins and one when it is over.

However many notice an outage, in however many workers, one says it. What goes wrong again and again is said seldom.
"""

import fcntl
import logging
import os
import time
from enum import Enum, auto
from pathlib import Path
from typing import Final, NamedTuple, Self

from cachetools import TTLCache

log = logging.getLogger(__name__)

SAID_AGAIN_SECONDS: Final = 60.0
"""What goes wrong again and again is said so often."""

ECHO_SECONDS: Final = 2.0
"""What is noticed so soon after an outage was over is what is left of it: a connection that had died, say."""


class Outage(NamedTuple):
    """Something that comes and goes: what to say when it begins, and when it is over."""

    begins: str
    is_over: str


POSTGRESQL: Final = Outage("PostgreSQL is not reachable", "PostgreSQL is reachable again")
READ_ONLY: Final = Outage("PostgreSQL is read-only, nothing can be sold", "PostgreSQL can be written again")
REDIS: Final = Outage("Redis is not reachable", "Redis is reachable again")
UNWRITABLE: Final = Outage("Redis cannot be written, maps come from PostgreSQL", "Redis can be written again")


class Seldom:
    """Things that go wrong: each is due to be said once a minute."""

    def __init__(self) -> None:
        self._said: TTLCache[object, None] = TTLCache(maxsize=100, ttl=SAID_AGAIN_SECONDS)

    def is_due(self, what: object) -> bool:
        """Whether this is to be said now; then it is not again for a while."""
        if what in self._said:
            return False
        self._said[what] = None
        return True


class Turn(Enum):
    """Whose turn it is to say that something is out."""

    OURS = auto()
    ANOTHERS = auto()
    NOBODYS = auto()
    """An outage has just been over. Ask again."""


class Speakers:
    """Which of several workers says that something is out: whoever has locked a file for it, until it is over.

    The kernel unlocks the files of a worker that dies, and one of those who noticed too says that it is over. In a file
    is when its outage was over.
    """

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._files: dict[Outage, int] = {}
        self._over: dict[Outage, float] = {}

    def set_up(self, directory: Path | None) -> None:
        """`directory` is where the workers of a service meet; None: there is one worker, who says everything."""
        self._directory = directory
        self._over.clear()

    def turn(self, outage: Outage) -> Turn:
        """Whose turn it is to say that it begins. If it is ours, say when it is over, and `leave` then."""
        silent_since = time.time() - ECHO_SECONDS
        if self._over.get(outage, 0.0) > silent_since:
            return Turn.NOBODYS
        return Turn.OURS if self._directory is None else self._lock(outage, self._directory, silent_since)

    def inherits(self, outage: Outage, since: float) -> bool:
        """Whether another one's turn is ours now, to say that it is over, and to `leave`.

        That other one, who said that it began, is gone, and nobody has said since then (in seconds, as `time.time`)
        that it is over.
        """
        return self._directory is not None and self._lock(outage, self._directory, since) is Turn.OURS

    def leave(self, outage: Outage, *, is_over: bool) -> None:
        """It is over; or this process watches no more."""
        file, now = self._files.pop(outage, None), time.time()
        if is_over:
            self._over[outage] = now
        if file is not None:
            os.pwrite(file, f"{now if is_over else 0.0}\n".encode(), 0)
            os.close(file)

    def _lock(self, outage: Outage, directory: Path, silent_since: float) -> Turn:
        name = directory / f"{outage.begins.replace(' ', '-').lower()}.outage"
        try:
            file = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:  # better said by everybody than by nobody
            return Turn.OURS
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return Turn.ANOTHERS
        was_over = float(os.pread(file, 32, 0).partition(b"\n")[0] or 0)
        if was_over >= silent_since:
            os.close(file)
            return Turn.NOBODYS
        self._files[outage] = file
        return Turn.OURS


SPEAKERS: Final = Speakers()
"""Of this process."""

_KNOWN: Final[dict[Outage, tuple[Turn, float]]] = {}
"""What this process knows to be out, who has said so, and since when."""


class Watch:
    """One of those who notice outages. However many do, an outage is one line when it begins and one when it is over.

    Whoever watches no more has said nothing: the next to notice says it anew.
    """

    def __init__(self) -> None:
        self._met: set[Outage] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for outage in self._met & _KNOWN.keys():
            _forget(outage, is_over=False)

    def meet(self, outage: Outage, why: str) -> None:
        """It is out."""
        self._met.add(outage)
        if outage in _KNOWN or (turn := SPEAKERS.turn(outage)) is Turn.NOBODYS:
            return
        _KNOWN[outage] = turn, time.time()
        if turn is Turn.OURS:
            log.warning("%s: %s", outage.begins, why)

    def all_is_well(self) -> None:
        """Whatever was out is back."""
        for outage in self._met & _KNOWN.keys():
            if _forget(outage, is_over=True) is Turn.OURS:
                log.info("%s", outage.is_over)
        self._met.clear()


def _forget(outage: Outage, *, is_over: bool) -> Turn:
    turn, since = _KNOWN.pop(outage)
    if is_over and turn is Turn.ANOTHERS and SPEAKERS.inherits(outage, since):
        turn = Turn.OURS
    SPEAKERS.leave(outage, is_over=is_over)
    return turn
