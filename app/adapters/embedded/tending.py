"""Looks after the embedded servers while Usher serves: one that has ended is started again, with one log line.

What cannot be started again is told to whoever serves, who then ends: nobody is served without PostgreSQL, and whoever
runs Usher is to know why.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from subprocess import SubprocessError
from typing import Final, Protocol

from app.adapters.embedded.account import EmbeddedError
from app.adapters.embedded.servers import EmbeddedServers

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.2
ATTEMPTS: Final = 3
PAUSE_SECONDS: Final = 1.0
"""Between two attempts."""

SHORT_LIFE_SECONDS: Final = 2.0
SHORT_LIVES: Final = 10
"""Who ends so often, each time so soon, does not get well by being started again."""


class Tended(Protocol):
    """A server of ours."""

    @property
    def name(self) -> str: ...
    @property
    def ended(self) -> str | None: ...
    @property
    def is_within_reach(self) -> bool: ...
    def must_be_whole(self) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class Tender:
    """Tends the servers of a home, in a thread of its own, from `start` to `stop`.

    The thread outlives what it starts: when the thread that started a child ends, the kernel thinks the parent did.
    """

    def __init__(self, servers: EmbeddedServers, give_up: Callable[[], None]) -> None:
        """`give_up` is called, in that thread, when a server cannot be started again; `reason` says why."""
        self._servers: Sequence[Tended] = [each for each in (servers.postgresql, servers.valkey) if each is not None]
        self._give_up = give_up
        self._stopping = threading.Event()
        self._starting: Tended | None = None
        self._thread = threading.Thread(target=self._tend, name="tender", daemon=True)
        self._short_lives: dict[str, int] = {}
        self._began: dict[str, float] = {}
        self.reason: str | None = None
        """Why it has given up; None: it has not."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Start no server any more. The servers are as they are."""
        self._stopping.set()
        if (starting := self._starting) is not None:
            starting.stop()  # nobody waits any longer until it is ready
        self._thread.join()

    def _tend(self) -> None:
        try:
            while not self._stopping.wait(LOOK_SECONDS):
                for server in self._servers:
                    self._look_after(server)
        except EmbeddedError as reason:
            self._leave(str(reason))
        except Exception as error:
            log.exception("unhandled exception while the servers were tended")
            self._leave(f"The embedded servers cannot be tended: {type(error).__name__}")

    def _leave(self, reason: str) -> None:
        if not self._stopping.is_set():
            self.reason = reason
            self._give_up()
            self._stopping.wait()  # what this thread has started ends with it, and somebody may still be served

    def _look_after(self, server: Tended) -> None:
        """Start it again if it has ended. Raises EmbeddedError if that cannot be done."""
        server.must_be_whole()
        how = server.ended
        if how is None and server.is_within_reach:
            return
        began = time.monotonic()
        self._must_live_longer(server, began)
        if how is None:
            how = "its socket was deleted"
            server.stop()
        self._start_again(server)
        if not self._stopping.is_set():
            self._began[server.name] = time.monotonic()
            log.warning(
                "%s had ended (%s) and was started again, in %.1f s", server.name, how, time.monotonic() - began
            )

    def _start_again(self, server: Tended) -> None:
        """Raises EmbeddedError when the last attempt has failed."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._starting = server
                if not self._stopping.is_set():
                    server.start()
                return
            except (EmbeddedError, OSError, SubprocessError) as failed:
                if attempt == ATTEMPTS:
                    raise EmbeddedError(f"{server.name} has ended and cannot be started again: {failed}") from failed
                server.must_be_whole()
            finally:
                self._starting = None
            if self._stopping.wait(PAUSE_SECONDS):
                return

    def _must_live_longer(self, server: Tended, now: float) -> None:
        """Count lives that were short. Raises EmbeddedError if there were too many, one after the other."""
        is_short = now - self._began.get(server.name, float("-inf")) < SHORT_LIFE_SECONDS
        lives = self._short_lives[server.name] = self._short_lives.get(server.name, 0) + 1 if is_short else 0
        if lives >= SHORT_LIVES:
            raise EmbeddedError(f"{server.name} ends again and again, as soon as it was started: see its log.")
