"""After COMMIT the world is told, before the caller is."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from app.services.announcer import Announcer
from app.services.ports import Away


class Cache:
    """Notes what it is told, in the order in which everything happens; `is_open` lets it answer."""

    def __init__(self) -> None:
        self.happened: list[object] = []
        self.asked = asyncio.Event()
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.is_away = False

    async def move(self, states: Mapping[int, int], news: Sequence[tuple[int, bytes]] = ()) -> None:
        self.asked.set()
        await self.is_open.wait()
        if self.is_away:
            raise Away
        self.happened.append(dict(states))

    async def warn(self) -> None:
        self.happened.append("everybody was warned")


@asynccontextmanager
async def announcing(cache: Cache) -> AsyncIterator[Announcer]:
    announcer = Announcer(cache, cache.warn)  # type: ignore[arg-type]  # it needs no more than this
    running = asyncio.ensure_future(announcer.run())
    yield announcer
    running.cancel()
    await asyncio.wait((running,))


async def test_the_world_is_told_before_the_caller() -> None:
    cache, told = Cache(), asyncio.Event()
    async with announcing(cache) as announcer:
        cache.is_open.clear()
        announcer.announce({1: 5}, lambda: cache.happened.append("the caller was told") or told.set())
        await cache.asked.wait()
        before = list(cache.happened)
        cache.is_open.set()
        await told.wait()

    assert before == []
    assert cache.happened == [{1: 5}, "the caller was told"]


async def test_what_was_committed_meanwhile_is_told_together() -> None:
    cache, told = Cache(), asyncio.Event()
    async with announcing(cache) as announcer:
        cache.is_open.clear()
        announcer.announce({1: 5}, lambda: cache.happened.append("first"))
        await cache.asked.wait()
        announcer.announce({1: 6}, lambda: cache.happened.append("second"))
        announcer.announce({2: 9, 1: 7}, lambda: cache.happened.append("third") or told.set())
        cache.is_open.set()
        await told.wait()

    assert cache.happened == [{1: 5}, "first", {1: 7, 2: 9}, "second", "third"]


async def test_the_latest_state_is_told_in_whatever_order_they_come() -> None:
    cache, told = Cache(), asyncio.Event()
    async with announcing(cache) as announcer:
        announcer.announce({1: 8}, lambda: None)
        announcer.announce({1: 7}, told.set)  # an organizer's edit was committed first and came second
        await told.wait()

    assert cache.happened == [{1: 8}]


async def test_without_anything_to_tell_the_caller_is_told_at_once() -> None:
    cache = Cache()
    async with announcing(cache) as announcer:
        announcer.announce({}, lambda: cache.happened.append("the caller was told"))

        assert cache.happened == ["the caller was told"]


async def test_who_cannot_tell_warns_everybody_before_the_caller_is_told() -> None:
    cache = Cache()
    cache.is_away = True
    async with announcing(cache) as announcer:
        await announcer.tell({1: 5})
        cache.happened.append("the caller was told")

    assert cache.happened == ["everybody was warned", "the caller was told"]


async def test_at_the_end_everybody_is_called_back() -> None:
    cache = Cache()
    called: list[str] = []
    async with announcing(cache) as announcer:
        cache.is_open.clear()
        announcer.announce({1: 5}, lambda: called.append("who was being announced"))
        await cache.asked.wait()
        announcer.announce({1: 6}, lambda: called.append("who waited"))
    announcer.announce({1: 7}, lambda: called.append("who came too late"))

    assert called == ["who was being announced", "who waited", "who came too late"]
