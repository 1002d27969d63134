"""Whether a worker is given up: it may load for long and be busy for long, but it must not hang."""

from multiprocessing import Pipe
from types import SimpleNamespace
from typing import cast

import pytest
from uvicorn.supervisors.multiprocess import Process

from app.server.workers import HANGS_SECONDS, LOADS_SECONDS, Watch


class Worker:
    """A worker at the other end of the line, that answers when a test says so."""

    def __init__(self) -> None:
        self.parent_conn, self._line = Pipe()
        self.process = SimpleNamespace(is_alive=lambda: self.exitcode is None)
        self.exitcode: int | None = None

    def watched(self, *, is_serving: bool = False) -> Watch:
        return Watch(cast("Process", self), is_serving=is_serving)

    def answer(self, *, is_serving: bool) -> int:
        """Answer everything that was asked. How much it was."""
        count = 0
        while self._line.poll():
            self._line.recv()
            self._line.send(is_serving)
            count += 1
        return count


@pytest.mark.parametrize(("is_serving", "patience"), [(False, LOADS_SECONDS), (True, HANGS_SECONDS)])
def test_a_silent_worker_is_given_up_but_not_too_soon(is_serving: bool, patience: float) -> None:
    watch = Worker().watched(is_serving=is_serving)

    assert [watch.why_it_is_given_up(now) for now in (0.0, 5.5, patience)] == [None] * 3
    assert watch.why_it_is_given_up(patience + 0.5) == f"it did not answer for {patience:.0f} seconds"


def test_whoever_answers_in_time_stays_however_long_it_takes_each_time() -> None:
    worker = Worker()
    watch = worker.watched(is_serving=True)

    for look in range(20):
        assert watch.why_it_is_given_up(look * (HANGS_SECONDS - 1)) is None
        assert worker.answer(is_serving=True) == 1


def test_a_worker_that_is_starting_serves_as_soon_as_it_says_so() -> None:
    worker = Worker()
    watch = worker.watched()

    for now in range(10):
        assert watch.why_it_is_given_up(float(now)) is None
    assert worker.answer(is_serving=False) == 1  # it was asked once, and has loaded now
    assert watch.why_it_is_given_up(10.0) is None
    assert not watch.is_serving
    worker.answer(is_serving=True)
    assert watch.why_it_is_given_up(11.0) is None
    assert watch.is_serving


def test_a_worker_that_has_ended_is_given_up_at_once() -> None:
    worker = Worker()
    watch = worker.watched(is_serving=True)
    worker.exitcode = -9

    assert watch.why_it_is_given_up(0.0) == "signal 9, SIGKILL"


def test_a_worker_whose_line_is_cut_is_looked_at_again() -> None:
    worker = Worker()
    watch = worker.watched(is_serving=True)
    worker._line.close()

    assert watch.why_it_is_given_up(0.0) is None
    assert watch.why_it_is_given_up(1.0) is None
