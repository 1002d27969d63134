"""The processes that serve: this one alone, or children that are started again when they end."""

import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import Final

from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.adapters.embedded.process import how_it_ended

log = logging.getLogger(__name__)

READY_SECONDS: Final = 0.1
"""How long a worker that is starting may take to say whether it serves; it is asked again."""


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
        self._starting: set[Process] = set()
        self.failed = False
        """A worker ended before it was listening: no worker can start."""

    def leave(self) -> None:
        """Stop, as after a signal. From any thread."""
        self.should_exit.set()

    def keep_subprocess_alive(self) -> None:
        """Start a worker anew that has ended or hangs; one line when it goes, and one when another is in its place."""
        before = list(self.processes)
        ended = [process for process in before if not process.process.is_alive()]
        with _deaf_to_ctrl_c():
            super().keep_subprocess_alive()
        for gone, process in zip(before, self.processes, strict=True):
            if process is gone:
                continue
            how = how_it_ended(gone.exitcode or 0) if gone in ended else "it did not answer"
            log.warning("worker %d has ended (%s): another one is started", gone.pid, how)
            self._starting.discard(gone)
            self._starting.add(process)
        for process in [each for each in self._starting if each.is_ready(READY_SECONDS)]:
            self._starting.remove(process)
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
