"""The processes that serve: this one alone, or children that are started again when they end."""

import contextlib
import logging
import signal
import socket
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import Final

from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.adapters.embedded.process import how_it_ended

log = logging.getLogger(__name__)

HANGS_SECONDS: Final = 30.0
"""A worker that serves and does not answer for so long hangs: it is killed. It may be a machine with too much to do."""
LOADS_SECONDS: Final = 120.0
"""The same for one that is starting: it cannot answer before it has loaded its program."""


class OneWorker(Server):
    """A server that prints the banner as soon as it is listening."""

    def __init__(self, config: Config, banner: str) -> None:
        super().__init__(config)
        self._banner = banner

    def leave(self) -> None:
        """Stop, as after a signal. From any thread."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._banner, flush=True)


class ManyWorkers(Multiprocess):
    """Worker processes; the banner is printed once, as soon as all of them are listening."""

    def __init__(self, config: Config, sockets: list[socket.socket], banner: str) -> None:
        super().__init__(config, sockets)
        self._banner = banner
        self._watched: dict[Process, Watch] = {}
        self.failed = False
        """A worker ended before it was listening: no worker can start."""

    def leave(self) -> None:
        """Stop, as after a signal. From any thread."""
        self.should_exit.set()

    def keep_subprocess_alive(self) -> None:
        """Start a worker anew that has ended or hangs; one line when it goes, and one when another is in its place.

        In the place of uvicorn's own, which waits for each answer, and kills a worker that loads for more than five
        seconds: on a machine that is busy enough none would ever serve again.
        """
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            watch = self._watched.setdefault(process, Watch(process))
            was_serving = watch.is_serving
            how = watch.why_it_is_given_up(time.monotonic())
            if how is not None:
                del self._watched[process]
                self.processes[index] = self._in_place_of(process, how)
            elif watch.is_serving and not was_serving:
                log.info("worker %d serves in its place", process.pid)

    def init_processes(self) -> None:
        with _deaf_to_ctrl_c():
            super().init_processes()
        waiting = list(self.processes)
        while waiting and not self.should_exit.is_set():
            self.handle_signals()
            if any(process.exitcode is not None for process in waiting) and not self.should_exit.is_set():
                self.failed = True
                self.should_exit.set()
            waiting = [process for process in waiting if not process.wait_until_ready(1, self.should_exit)]
        if not waiting:
            print(self._banner, flush=True)
        self._watched = {process: Watch(process, is_serving=True) for process in self.processes}

    def _in_place_of(self, gone: Process, how: str) -> Process:
        """Another worker, unless the one that is gone could not start: no other could either."""
        gone.kill()
        gone.join()
        if gone.exitcode == STARTUP_FAILURE:
            log.error("worker %d could not start (%s): Usher stops", gone.pid, how)
            self.failed = True
            self.should_exit.set()
            return gone
        log.warning("worker %d has ended (%s): another one is started", gone.pid, how)
        process = Process(self.config, self.sockets)
        with _deaf_to_ctrl_c():
            process.start()
        return process


class Watch:
    """Asks a worker again and again whether it serves, and never waits for the answer."""

    def __init__(self, process: Process, *, is_serving: bool = False) -> None:
        self.is_serving = is_serving
        self._process = process
        self._asked_at: float | None = None

    def why_it_is_given_up(self, now: float) -> str | None:
        """In words, for the log; None: it is not. `now`: monotonic seconds."""
        if not self._process.process.is_alive():
            return how_it_ended(self._process.exitcode or 0)
        with contextlib.suppress(OSError, EOFError):  # it has ended just now: the next look sees that
            self._talk(now)
        patience = HANGS_SECONDS if self.is_serving else LOADS_SECONDS
        is_silent = self._asked_at is not None and now - self._asked_at > patience
        return f"it did not answer for {patience:.0f} seconds" if is_silent else None

    def _talk(self, now: float) -> None:
        line = self._process.parent_conn
        while line.poll():
            serves: bool = line.recv()
            self.is_serving |= serves
            self._asked_at = None
        if self._asked_at is None:
            line.send(b"ping")
            self._asked_at = now


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started in here never hear SIGINT, not even while Python loads: their parent stops them.

    If the parent gets one meanwhile, it hears it at the end.
    """
    resource_tracker.ensure_running()  # it comes with the first process otherwise, and would end the blocking
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
