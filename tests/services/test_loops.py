"""The loops in the background: they go on whatever happens, and say what an operator should know, once.

One that a mistake of ours broke begins anew, and the others do not notice.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from httpx import AsyncClient

from app import outages
from app.db.heartbeat import Heartbeat
from app.domain.refusals import Busy, NotFound
from app.outages import POSTGRESQL, REDIS, SPEAKERS, Speakers, Turn, Watch
from app.services.box_office.office import BoxOffice
from app.services.live.live import Live
from app.services.people.revocations import Revocations
from app.services.ports import Away
from app.services.running import loops as module
from app.services.running.loops import every, for_good, running
from app.services.seat_maps.announcer import Announcer
from app.services.seat_maps.reconciler import Reconciler
from app.services.sweeper import Sweeper
from tests.conftest import OpenApp
from tests.races.buyers import codes, seats, somebody


def breaking_once(loop: Callable[[Any], Any], broken: list[object]) -> Callable[[Any], Any]:
    """This loop, which breaks off the first time that it is begun."""

    async def run(owner: object) -> None:
        if not broken:
            broken.append(owner)
            raise ZeroDivisionError
        await loop(owner)

    return run


@pytest.mark.parametrize("owner", [Heartbeat, BoxOffice, Announcer, Reconciler, Live, Revocations, Sweeper])
async def test_a_loop_that_broke_off_begins_anew_and_people_are_served(
    open_app: OpenApp,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: type,
) -> None:
    broken: list[object] = []
    monkeypatch.setattr(owner, "run", breaking_once(owner.run, broken))  # type: ignore[attr-defined]  # they all have one

    client = await open_app(sweep=True)
    buyer = await somebody(client)

    assert codes([await buyer.hold("A1")]) == [201]
    assert await seats(client) == {"A1": "reserved"}
    assert len(broken) == 1
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "unhandled exception in a background loop; it is started again"
    ]


async def test_a_box_office_that_breaks_off_over_a_batch_serves_the_next(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = await somebody(client)
    serve = BoxOffice._serve

    async def break_off(*_: object) -> None:
        monkeypatch.setattr(BoxOffice, "_serve", serve)
        raise ZeroDivisionError

    monkeypatch.setattr(BoxOffice, "_serve", break_off)
    answers = [await buyer.hold("A1"), await buyer.hold("A1")]

    assert codes(answers) == [201, "busy"]
    assert "unknown" in answers[0].json()["detail"]


# --- every so often


@pytest.fixture(autouse=True)
def nothing_was_said() -> Iterator[None]:
    """As in a process that has just begun."""
    SPEAKERS.set_up(None)
    yield
    SPEAKERS.set_up(None)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the loops of a test paused, so to say: no time passes."""
    made: list[float] = []

    async def sleep(seconds: float) -> None:
        made.append(seconds)

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=sleep))
    return made


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged since the last call."""
    caplog.set_level(logging.INFO, "app")

    def said() -> list[str]:
        found = [f"{record.levelname.lower()} {record.getMessage()}" for record in caplog.records]
        caplog.clear()
        return found

    return said


def story(*outcomes: float | Exception | None) -> Callable[[], Awaitable[float | None]]:
    """It comes out like this, time after time; then it is cancelled."""
    left = list(outcomes)

    async def tell() -> float | None:
        if not left:
            raise asyncio.CancelledError
        if isinstance(outcome := left.pop(0), Exception):
            raise outcome
        return outcome

    return tell


async def tell(*outcomes: float | Exception | None) -> None:
    """Tell such a story to its end."""
    with pytest.raises(asyncio.CancelledError):
        await every(7, story(*outcomes), "sweep")


async def test_a_story_says_how_long_to_wait_or_it_is_as_long_as_ever(pauses: list[float]) -> None:
    await tell(None, 0.5, 0, ConnectionRefusedError(), None)

    assert pauses == [7, 0.5, 0, 7, 7]


@pytest.mark.parametrize(
    ("error", "begins", "is_over"),
    [
        (
            ConnectionRefusedError(),
            "PostgreSQL is not reachable: ConnectionRefusedError",
            "PostgreSQL is reachable again",
        ),
        (Away(), "Redis is not reachable: Away", "Redis is reachable again"),
        (
            Busy("Too many requests are waiting."),
            "cannot sweep for now, will retry: Too many requests are waiting.",
            "can sweep again",
        ),
        (NotFound("screening"), "cannot sweep for now, will retry: NotFound", "can sweep again"),
    ],
)
async def test_an_outage_is_one_line_when_it_begins_and_one_when_it_is_over(
    pauses: list[float],
    lines: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    begins: str,
    is_over: str,
) -> None:
    monkeypatch.setattr(outages, "ECHO_SECONDS", 0.0)
    await tell(None, error, error, error, None, None, error, None)

    assert lines() == [f"warning {begins}", f"info {is_over}"] * 2


async def test_a_loop_that_breaks_off_again_and_again_says_so_once(
    pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    left = [ZeroDivisionError(), ZeroDivisionError(), ZeroDivisionError()]

    async def loop() -> None:
        raise left.pop() if left else asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await for_good(loop)

    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_a_mistake_of_ours_is_said_with_its_traceback_and_not_time_after_time(
    pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    await tell(ZeroDivisionError(), ZeroDivisionError(), KeyError("seat"), None, ZeroDivisionError())

    assert [record.getMessage() for record in caplog.records] == ["could not sweep"] * 2
    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [ZeroDivisionError, KeyError]
    assert len(pauses) == 5


async def test_of_all_who_notice_an_outage_one_says_so(lines: Callable[[], list[str]]) -> None:
    with Watch() as one, Watch() as other:
        one.meet(POSTGRESQL, "gone")
        other.meet(POSTGRESQL, "gone as well")
        other.meet(REDIS, "gone")
        assert lines() == ["warning PostgreSQL is not reachable: gone", "warning Redis is not reachable: gone"]

        one.all_is_well()
        assert lines() == ["info PostgreSQL is reachable again"]

        other.all_is_well()
        assert lines() == ["info Redis is reachable again"]


async def test_who_watches_no_more_keeps_nobody_from_saying_it(lines: Callable[[], list[str]]) -> None:
    with Watch() as gone:
        gone.meet(REDIS, "gone")
    with Watch() as watch:
        watch.meet(REDIS, "still gone")

    assert lines() == ["warning Redis is not reachable: gone", "warning Redis is not reachable: still gone"]


async def test_what_is_left_of_an_outage_that_is_over_is_no_other_one(lines: Callable[[], list[str]]) -> None:
    with Watch() as watch:
        watch.meet(POSTGRESQL, "gone")
        watch.all_is_well()
        watch.meet(POSTGRESQL, "a connection that had died")
        watch.all_is_well()
    assert lines() == ["warning PostgreSQL is not reachable: gone", "info PostgreSQL is reachable again"]


async def test_it_is_said_once_it_is_more_than_that(
    lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Watch() as watch:
        watch.meet(POSTGRESQL, "gone")
        watch.all_is_well()
        watch.meet(POSTGRESQL, "gone again")
        monkeypatch.setattr(outages, "ECHO_SECONDS", 0.0)
        watch.meet(POSTGRESQL, "still gone")

    assert lines()[2:] == ["warning PostgreSQL is not reachable: still gone"]


# --- of several workers


@pytest.fixture
def workers(tmp_path: Path) -> Callable[[], Speakers]:
    """Workers of one service, so to say."""

    def one() -> Speakers:
        speakers = Speakers()
        speakers.set_up(tmp_path)
        return speakers

    return one


def test_of_several_workers_one_says_it(workers: Callable[[], Speakers], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = workers(), workers()

    assert (first.turn(REDIS), second.turn(REDIS)) == (Turn.OURS, Turn.ANOTHERS)
    assert second.turn(POSTGRESQL) is Turn.OURS

    first.leave(REDIS, is_over=True)
    assert second.turn(REDIS) is Turn.NOBODYS  # who comes late has met the same outage
    monkeypatch.setattr(outages, "ECHO_SECONDS", -1.0)
    assert second.turn(REDIS) is Turn.OURS


def test_a_worker_that_watches_no_more_leaves_it_to_another(workers: Callable[[], Speakers]) -> None:
    first, second = workers(), workers()
    assert first.turn(REDIS) is Turn.OURS

    first.leave(REDIS, is_over=False)

    assert second.turn(REDIS) is Turn.OURS


def die(worker: Speakers) -> None:
    """As when it is killed: the kernel closes its files."""
    for file in worker._files.values():
        os.close(file)


def test_when_the_worker_who_said_that_it_began_has_died_one_of_the_others_says_that_it_is_over(
    workers: Callable[[], Speakers],
) -> None:
    first, second, third = workers(), workers(), workers()
    assert [each.turn(REDIS) for each in (first, second, third)] == [Turn.OURS, Turn.ANOTHERS, Turn.ANOTHERS]
    since = time.time()
    assert not second.inherits(REDIS, since)

    die(first)

    assert second.inherits(REDIS, since)
    assert not third.inherits(REDIS, since)
    second.leave(REDIS, is_over=True)
    assert not third.inherits(REDIS, since)


def test_of_an_outage_that_was_said_to_be_over_nothing_is_inherited(workers: Callable[[], Speakers]) -> None:
    first, second = workers(), workers()
    assert (first.turn(REDIS), second.turn(REDIS)) == (Turn.OURS, Turn.ANOTHERS)
    since = time.time()

    first.leave(REDIS, is_over=True)

    assert not second.inherits(REDIS, since)


@pytest.mark.parametrize("dies", [False, True])
def test_a_worker_that_noticed_too_says_that_it_is_over_only_if_nobody_else_can(
    workers: Callable[[], Speakers], tmp_path: Path, lines: Callable[[], list[str]], dies: bool
) -> None:
    speaker = workers()
    SPEAKERS.set_up(tmp_path)
    assert speaker.turn(REDIS) is Turn.OURS

    with Watch() as watch:
        watch.meet(REDIS, "gone")
        if dies:
            die(speaker)
        else:
            speaker.leave(REDIS, is_over=True)
        watch.all_is_well()

    assert lines() == (["info Redis is reachable again"] if dies else [])


# --- for as long as a block lasts


async def test_what_the_block_raises_ends_its_loops_and_leaves_as_it_is() -> None:
    ended = asyncio.Event()

    async def loop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def break_off() -> None:
        async with running([loop()]):
            await asyncio.sleep(0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await break_off()

    assert ended.is_set()
