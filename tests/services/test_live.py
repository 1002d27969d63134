"""What listeners are told of one screening, whatever becomes of the news: each once, in order, nothing missing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg
import orjson
import pytest
from httpx import AsyncClient

from app.db.seat_maps import seat_events
from app.db.seat_maps.seat_events import Changes, SeatChange
from app.domain.refusals import Busy, NotFound, RateLimited
from app.resources import Resources
from app.services.live import broadcast as broadcasts
from app.services.live.broadcast import Broadcast, pause_after
from app.services.live.listener_limits import ListenerLimits
from app.services.live.listeners import Ending, Message
from app.services.live.live import Live
from app.services.news import News, merged, news_from, news_json
from tests.conftest import OpenApp, resources_of
from tests.order import edit
from tests.patience import patience
from tests.races.buyers import somebody

Json: TypeAlias = dict[str, Any]
Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

END = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)


class Deaf:
    """A feed that hears nothing by itself; a test hands it the news."""

    def __init__(self) -> None:
        self.watched: set[int] = set()
        self.hear: Callable[[int, bytes | None], None] = lambda *_: None
        self.begun = asyncio.Event()

    def watch(self, screening_id: int) -> None:
        self.watched.add(screening_id)

    def unwatch(self, screening_id: int) -> None:
        self.watched.discard(screening_id)

    async def run(self, hear: Callable[[int, bytes | None], None]) -> None:
        self.hear = hear
        self.begun.set()
        await asyncio.Event().wait()

    def publish(self, news: News, screening_id: int = 1) -> None:
        """As if somebody had committed this."""
        self.hear(screening_id, news_json(news))


class Ear:
    """A listener of a test."""

    door = "websocket"
    version = 0

    def __init__(self, user_id: int | None = None) -> None:
        self.user_id = user_id
        self.told: asyncio.Queue[Json] = asyncio.Queue()
        self.heard: list[Message] = []
        self.ended: list[Ending] = []
        self.checks = 0

    def tell(self, message: Message) -> None:
        self.heard.append(message)
        self.told.put_nowait(orjson.loads(message.json))

    def end(self, why: Ending) -> None:
        self.ended.append(why)

    async def check(self) -> None:
        self.checks += 1

    async def next(self) -> Json:
        """The next message."""
        async with patience():
            return await self.told.get()


@pytest.fixture
def feed() -> Deaf:
    return Deaf()


@pytest.fixture
async def live(resources: Resources, feed: Deaf) -> AsyncIterator[Live]:
    """Live seats of the test's database, on a feed that the test is."""
    opened = Live(resources.engine, resources.layouts, feed, ListenerLimits(None, 1_000))
    running = asyncio.ensure_future(opened.run())
    await feed.begun.wait()
    yield opened
    running.cancel()
    await asyncio.wait((running,))


@asynccontextmanager
async def watching(live: Live, listener: Ear, since: int | None = None) -> AsyncIterator[Broadcast]:
    """A listener who was confirmed."""
    async with live.watching(1, listener, since, "somewhere") as broadcast:
        assert (await listener.next())["type"] == "connection_confirmed"
        yield broadcast


def change(version: int, seat_id: int = 1, status: str = "reserved", **more: Any) -> SeatChange:
    return SeatChange(version, seat_id, status, more.get("until"), more.get("by"), more.get("before"))


def news(version: int, *changes: SeatChange, after: int | None = None) -> News:
    return News(version - 1 if after is None else after, version, changes or (change(version),))


def test_news_is_read_as_it_was_written() -> None:
    written = News(3, 5, (change(4, by=7, until=END), change(5, 2, "available", before=7)))

    assert news_from(news_json(written)) == written


@pytest.mark.parametrize(
    "nonsense", [b"", b"{}", b"[1,2]", b"[1,2,[[3]]]", b"[1,2,3]", b"\xff", b'[1,2,[[1,1,"x","y",1,1]]]']
)
def test_what_is_no_news_is_refused(nonsense: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - all of them
        news_from(nonsense)


def test_a_merged_update_is_the_last_change_and_knows_who_lost_the_seat() -> None:
    changes = [change(1, by=7), change(2, status="available", before=7), change(3, by=8), change(4, 2, by=9)]

    updates = merged(changes)

    assert (updates[1].change.user_id, updates[1].lost_by) == (8, {7})
    assert updates[1].seen_by(7).previous_user_id == 7
    assert updates[1].seen_by(8).previous_user_id is None
    assert (updates[2].change.user_id, updates[2].lost_by) == (9, frozenset())


def test_whoever_got_a_seat_back_has_not_lost_it() -> None:
    updates = merged([change(1, status="available", before=7), change(2, by=7)])

    assert updates[1].lost_by == frozenset()


async def test_news_that_overtook_other_news_is_told_in_order(live: Live, feed: Deaf) -> None:
    ear = Ear()
    async with watching(live, ear):
        feed.publish(news(2, change(2, 2)))
        feed.publish(news(3, change(3, 3)))
        feed.publish(news(1, change(1, 1)))

        told: list[int] = []
        while len(told) < 3:
            message = await ear.next()
            told += [update["seat_id"] for update in message["updates"]]

    assert told == [1, 2, 3]
    assert message["version"] == 3


async def test_news_that_comes_twice_or_in_part_is_told_once(live: Live, feed: Deaf) -> None:
    ear = Ear()
    async with watching(live, ear):
        feed.publish(news(1))
        assert (await ear.next())["version"] == 1
        feed.publish(news(1))
        feed.publish(news(2, change(1, 1), change(2, 2), after=0))

        message = await ear.next()

    assert (message["version"], [update["seat_id"] for update in message["updates"]]) == (2, [2])


async def test_news_that_was_lost_is_read_when_the_next_one_shows_it(
    live: Live, feed: Deaf, client: AsyncClient
) -> None:
    ear, buyer = Ear(), await somebody(client)
    async with watching(live, ear):
        await buyer.hold("A1")
        await buyer.hold("A2")
        feed.publish(news(2, change(2, 2, by=1)))

        message = await ear.next()

    assert (message["version"], [update["label"] for update in message["updates"]]) == (2, ["A1", "A2"])


async def test_news_that_was_lost_is_noticed_by_a_look(live: Live, client: AsyncClient) -> None:
    ear, buyer = Ear(), await somebody(client)
    async with watching(live, ear):
        await buyer.hold("A1")

        await live.look()

        assert (await ear.next())["version"] == 1


async def test_when_the_feed_may_have_missed_something_it_is_read_at_once(
    live: Live, feed: Deaf, client: AsyncClient
) -> None:
    ear, buyer = Ear(), await somebody(client)
    async with watching(live, ear):
        await buyer.hold("A1")

        feed.hear(1, None)

        assert (await ear.next())["version"] == 1


async def test_news_that_nobody_understands_counts_as_lost(live: Live, feed: Deaf, client: AsyncClient) -> None:
    ear, buyer = Ear(), await somebody(client)
    async with watching(live, ear):
        await buyer.hold("A1")

        feed.hear(1, b"nonsense")

        assert (await ear.next())["version"] == 1


async def test_more_than_can_be_told_is_a_resync(
    live: Live, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "MOST_MISSED", 1)
    ear, buyer = Ear(), await somebody(client)
    async with watching(live, ear):
        await buyer.hold("A1", "A2")
        await live.look()
        assert await ear.next() == {"type": "resync", "screening_id": 1, "version": 1, "reason": "too_old"}

        await buyer.hold("A3")
        await live.look()
        assert (await ear.next())["version"] == 2


async def test_when_the_house_is_changed_everybody_reads_the_map_again(live: Live, database: Database) -> None:
    ear = Ear()
    async with watching(live, ear):
        await edit(database, "revision = revision + 1", "id = 1")

        await live.look()

        assert await ear.next() == {"type": "resync", "screening_id": 1, "version": 0, "reason": "house_changed"}


async def test_one_message_is_made_for_everybody_and_one_for_each_owner(live: Live, feed: Deaf) -> None:
    ears = [Ear(), Ear(), Ear(7), Ear(7), Ear(8), Ear(9)]
    async with watching(live, ears[0]) as broadcast:
        for ear in ears[1:]:
            await broadcast.join(ear, None)
            await ear.next()
        feed.publish(news(1, change(1, 1, by=7), change(1, 2, status="available", before=8)))
        last = Ear()
        await broadcast.join(last, 0)
        await last.next()
        assert (await last.next())["version"] == 1

    made = [ear.heard[-1] for ear in ears]
    assert len({id(message) for message in made}) == 3
    assert made[0] is made[1] is made[5]
    assert made[2] is made[3]
    owners, losers = orjson.loads(made[2].json)["updates"], orjson.loads(made[4].json)["updates"]
    assert [(each["status"], each["is_mine"]) for each in owners] == [("reserved_by_me", True), ("available", False)]
    assert [each["previously_reserved_by"] for each in losers] == [None, 8]
    assert b"7" not in made[0].json.replace(b'"seat_id":7', b"")


async def test_whoever_joins_in_the_middle_is_told_the_rest_and_no_more(
    live: Live, feed: Deaf, client: AsyncClient
) -> None:
    buyer = await somebody(client)
    early, late = Ear(), Ear()
    async with watching(live, early) as broadcast:
        await buyer.hold("A1")
        await buyer.hold("A2")
        # The broadcast has not heard of these yet; whoever read the map knows them.
        await broadcast.join(late, 1)
        assert (await late.next())["version"] == 1
        missed = await late.next()
        assert (missed["version"], [each["label"] for each in missed["updates"]]) == (2, ["A2"])

        feed.publish(news(3, change(1, 1), change(2, 2), change(3, 3), after=0))

        assert [each["label"] for each in (await early.next())["updates"]] == ["A1", "A2", "A3"]
        assert [each["label"] for each in (await late.next())["updates"]] == ["A3"]


async def test_what_is_in_memory_is_not_read_again(live: Live, feed: Deaf, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(live, Ear()) as broadcast:
        feed.publish(news(1))
        feed.publish(news(2, change(2, 2)))
        first = Ear()
        await broadcast.join(first, 0)

        async def read(_: int) -> None:
            raise AssertionError("PostgreSQL was asked")

        monkeypatch.setattr(broadcast, "_read_since", read)
        late = Ear()
        await broadcast.join(late, 1)

        assert (await late.next())["version"] == 1


async def test_who_missed_more_than_the_map_costs_reads_the_map(
    live: Live, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seat_events, "MOST_AT_ONCE", 2)
    buyer = await somebody(client)
    for label in ("A1", "A2", "A3"):
        await buyer.hold(label)

    enough, too_much = Ear(), Ear()
    async with watching(live, enough, since=1), watching(live, too_much, since=0):
        missed = await enough.next()
        assert (missed["version"], [each["label"] for each in missed["updates"]]) == (3, ["A2", "A3"])
        assert await too_much.next() == {"type": "resync", "screening_id": 1, "version": 3, "reason": "too_old"}


async def test_who_comes_back_together_is_read_for_once(
    live: Live, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = await somebody(client)
    await buyer.hold("A1")
    reads: list[int] = []
    ears = [Ear() for _ in range(10)]
    async with watching(live, Ear()) as broadcast:
        read = broadcast._read_since

        async def counted(version: int) -> Changes | None:
            reads.append(version)
            return await read(version)

        monkeypatch.setattr(broadcast, "_read_since", counted)
        await asyncio.gather(*(broadcast.join(ear, 0) for ear in ears))

    assert reads == [0, 0], "one for who came first, one for all the others"
    for ear in ears:
        assert (await ear.next())["type"] == "connection_confirmed"
        assert [each["label"] for each in (await ear.next())["updates"]] == ["A1"]


async def test_memory_is_bounded_and_what_is_older_is_read(
    live: Live, feed: Deaf, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "KEPT", 2)
    ear, buyer = Ear(), await somebody(client)
    async with watching(live, ear) as broadcast:
        for number in range(1, 9):
            await buyer.toggle("A1")
            feed.publish(news(number, change(number)))
            while (await ear.next())["version"] < number:
                pass
        late = Ear()
        await broadcast.join(late, 0)

    assert len(broadcast._changes) <= 5
    assert [(await late.next())["version"] for _ in range(2)] == [0, 8]


async def test_an_unknown_screening_is_not_watched(live: Live, feed: Deaf) -> None:
    with pytest.raises(NotFound):
        async with live.watching(999, Ear(), None, "somewhere"):
            pass

    assert feed.watched == set()
    assert len(live.limits) == 0


async def test_a_screening_is_given_up_when_the_last_has_left(live: Live, feed: Deaf) -> None:
    async with watching(live, Ear()):
        async with watching(live, Ear()):
            assert feed.watched == {1}
        assert feed.watched == {1}

    assert feed.watched == set()


async def test_whoever_is_known_is_checked_and_nobody_stays_when_it_stops(live: Live) -> None:
    anybody, known = Ear(), Ear(7)
    async with watching(live, anybody), watching(live, known):
        await live.check()
        live.stop()

        assert (anybody.checks, known.checks) == (0, 1)
        assert anybody.ended == known.ended == [Ending.STOPPING]
    with pytest.raises(Busy):
        async with watching(live, Ear()):
            pass


def test_a_crowd_has_room_for_so_many_of_one_address_and_so_many_in_all() -> None:
    limits = ListenerLimits(per_address=2, per_process=3)
    limits.enter("here")
    limits.enter("here")
    with pytest.raises(RateLimited):
        limits.enter("here")
    limits.enter("there")
    with pytest.raises(Busy):
        limits.enter("elsewhere")

    limits.leave("here")
    limits.enter("here")

    assert len(limits) == 3


async def test_two_processes_tell_each_other(client: AsyncClient, open_app: OpenApp) -> None:
    other = await open_app()
    ear, buyer = Ear(), await somebody(client)
    async with resources_of(other).live.watching(1, ear, None, "somewhere"):
        await ear.next()
        await buyer.hold("A1")

        assert (await ear.next())["version"] == 1


async def test_an_end_is_told_when_it_comes(open_app: OpenApp) -> None:
    client = await open_app(sweep=True, reservation_timeout=5)  # so long, that its beginning is told before its end
    buyer = await somebody(client)
    me = (await buyer.ask("GET", "/me")).json()["id"]
    ear = Ear(me)
    async with resources_of(client).live.watching(1, ear, None, "somewhere"):
        await ear.next()
        await buyer.hold("A1")
        assert [each["status"] for each in (await ear.next())["updates"]] == ["reserved_by_me"]

        [ended] = (await ear.next())["updates"]

    assert (ended["status"], ended["previously_reserved_by"], ended["expires_at"]) == ("available", me, None)


def test_the_pause_after_telling_is_short_for_few_and_again_for_very_many() -> None:
    assert pause_after(0.001, 1) == 0.005
    assert pause_after(0.02, 50) == broadcasts.MERGED_SECONDS
    assert pause_after(0.15, 3) == pytest.approx(0.1)
    for worked in (0.001, 0.02, 0.1, 0.15, 0.2):
        assert pause_after(worked, 10) + 2 * worked <= 0.5, (
            "a change that just missed a telling waits for two and a pause"
        )
    assert pause_after(0.3, 1) == 0.15, "buyers get a third of the processor, whoever listens"
