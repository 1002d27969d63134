"""After COMMIT the world is told, before the caller is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from app.services.news import News
from app.services.ports import Away
from app.services.seat_maps.announcer import Announcer


class Cache:
    """Notes what it is told, in the order in which everything happens; `is_open` lets it answer."""

    def __init__(self) -> None:
        self.happened: list[object] = []
        self.taken_in: list[tuple[int, int, list[object]]] = []
        self.asked = asyncio.Event()
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.is_away = False

    async def move(self, map_versions: Mapping[int, int], news: Sequence[tuple[int, bytes]] = ()) -> None:
        self.asked.set()
        await self.is_open.wait()
        if self.is_away:
            raise Away
        self.happened.append(dict(map_versions))

    def take_in(self, screening_id: int, news: News, map_version: int) -> None:
        self.taken_in.append((screening_id, map_version, list(self.happened)))

    async def warn(self) -> None:
        self.happened.append("everybody was warned")

    def told(self, who: str) -> Callable[[], None]:
        """For the callback of one caller."""
        return lambda: self.happened.append(who)


@asynccontextmanager
async def announcing(cache: Cache) -> AsyncIterator[Announcer]:
    announcer = Announcer(cache, cache.warn, cache.take_in)  # type: ignore[arg-type]  # it needs no more than this
    running = asyncio.ensure_future(announcer.run())
    yield announcer
    running.cancel()
    await asyncio.wait((running,))


async def test_our_own_maps_know_before_anybody() -> None:
    cache = Cache()
    async with announcing(cache) as announcer:
        cache.is_open.clear()
        announcer.announce({1: 5, 2: 7}, cache.told("the caller"), {1: News(2, 3, ())})
        taken_in = list(cache.taken_in)
        cache.is_open.set()
        await announcer.tell({9: 1})

    assert taken_in == [(1, 5, [])]


async def test_the_world_is_told_before_the_caller() -> None:
    cache = Cache()
    async with announcing(cache) as announcer:
        cache.is_open.clear()
        announcer.announce({1: 5}, cache.told("the caller"))
        await cache.asked.wait()
        before = list(cache.happened)
        cache.is_open.set()
        await announcer.tell({9: 1})

    assert before == []
    assert cache.happened == [{1: 5}, "the caller", {9: 1}]


async def test_what_was_committed_meanwhile_is_told_together() -> None:
    cache = Cache()
    async with announcing(cache) as announcer:
        cache.is_open.clear()
        announcer.announce({1: 5}, cache.told("first"))
        await cache.asked.wait()
        announcer.announce({1: 6}, cache.told("second"))
        announcer.announce({2: 9, 1: 7}, cache.told("third"))
        cache.is_open.set()
        await announcer.tell({})

    assert cache.happened == [{1: 5}, "first", {1: 7, 2: 9}, "second", "third"]


async def test_the_latest_state_is_told_in_whatever_order_they_come() -> None:
    cache = Cache()
    async with announcing(cache) as announcer:
        announcer.announce({1: 8}, cache.told("first"))
        await announcer.tell({1: 7})  # an organizer's edit that was committed first and comes second

    assert cache.happened == [{1: 8}, "first"]


async def test_without_anything_to_tell_the_caller_is_told_at_once() -> None:
    cache = Cache()
    async with announcing(cache) as announcer:
        announcer.announce({}, cache.told("the caller"))
        assert cache.happened == ["the caller"]


async def test_who_cannot_tell_warns_everybody_before_the_caller_is_told() -> None:
    cache = Cache()
    cache.is_away = True
    async with announcing(cache) as announcer:
        await announcer.tell({1: 5})
        cache.happened.append("the caller was told")

    assert cache.happened == ["everybody was warned", "the caller was told"]


async def test_a_mistake_of_ours_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache()
    async with announcing(cache) as announcer:
        announcer.announce({1: 5}, cache.told("the caller"), {1: "no news"})  # type: ignore[dict-item]  # the mistake
        await announcer.tell({2: 6})

    assert cache.happened == ["everybody was warned", "the caller"]
    assert [record.getMessage() for record in caplog.records] == ["could not announce changes"]


async def test_at_the_end_everybody_is_called_back() -> None:
    cache = Cache()
    async with announcing(cache) as announcer:
        cache.is_open.clear()
        announcer.announce({1: 5}, cache.told("who was being announced"))
        await cache.asked.wait()
        announcer.announce({1: 6}, cache.told("who waited"))
    announcer.announce({1: 7}, cache.told("who came too late"))

    assert cache.happened == ["who was being announced", "who waited", "who came too late"]
