"""A map that goes on: whatever happens, it says to the byte what one that is read anew would say."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import get_ident
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.seat_maps.seat_events import SeatChange
from app.domain.house.layouts import RowPlan, SectionPlan, lay_out
from app.domain.money import Money
from app.domain.seat_maps.nearness import Nearness
from app.domain.seat_maps.occupancy import Occupancy, Taken
from app.domain.seats import Layout, Seat, SeatStatus
from app.schemas import availability
from app.schemas.availability import SeatTexts
from app.services.news import News
from app.services.running import beside
from app.services.seat_maps import seat_map as seat_map_module
from app.services.seat_maps.seat_map import SeatMap
from tests.domain.states import HOLD, NOON

GONE = 999
"""A seat that was taken out of the house. Somebody may still have a claim to it."""

REVISIONS = 2


def house() -> Layout:
    """More seats than are written in one go, and a last few."""
    plans = [SectionPlan(name, [RowPlan(f"{name}{row}", 15) for row in range(5)]) for name in ("Stalls", "Circle")]
    seats = (
        Seat(at, each.label, each.section, each.row, each.number, each.category, x=each.x, y=each.y)
        for at, each in enumerate(lay_out(plans), start=1)
    )
    return Layout(1, 1, tuple(seats))


LAYOUT = house()
TEXTS = SeatTexts(LAYOUT, {"standard": Money(2500, "EUR")})

SEATS = st.integers(1, 12) | st.integers(1, len(LAYOUT.seats)) | st.just(GONE)
STATUSES = st.sampled_from((SeatStatus.AVAILABLE, SeatStatus.RESERVED, SeatStatus.BOOKED, SeatStatus.BLOCKED))


@dataclass(slots=True)
class Truth:
    """What PostgreSQL would have."""

    claims: dict[int, Taken] = field(default_factory=dict)
    version: int = 0
    now: datetime = NOON

    def change(self, commands: Sequence[Sequence[tuple[int, SeatStatus, int]]]) -> News:
        """A batch: each command changes some seats, or none; holds end after so many seconds."""
        after, changes = self.version, list[SeatChange]()
        for seats in commands:
            self.version += 1
            for seat_id, status, seconds in seats:
                end = self.now + timedelta(seconds=seconds) if status is SeatStatus.RESERVED else None
                changes.append(SeatChange(self.version, seat_id, status, end, 1, None))
                self.claims[seat_id] = Taken(seat_id, status, end)
                if status is SeatStatus.AVAILABLE:
                    del self.claims[seat_id]
        return News(after, self.version, tuple(changes))

    @property
    def map_version(self) -> int:
        return self.version + REVISIONS

    def read_anew(self) -> SeatMap:
        claims = tuple(self.claims.values())
        return SeatMap(Occupancy(1, 1, 1, self.map_version, self.version, TEXTS.prices, claims), TEXTS, self.now)


def at_once(making: Coroutine[Any, Any, bytes]) -> bytes:
    """What a small map gives: for that nobody waits."""
    with pytest.raises(StopIteration) as done:
        making.send(None)
    made: bytes = done.value.value
    return made


def said(seat_map: SeatMap) -> tuple[object, ...]:
    """All that it says to everybody."""
    return (
        seat_map.etag,
        seat_map.counts,
        seat_map.full(),
        seat_map.compact(),
        at_once(seat_map.filtered(SeatStatus.AVAILABLE, "Circle")),
        at_once(seat_map.free_list()),
        [seat_map.free_labels(near) for near in (None, 1, 77, GONE)],
    )


BATCHES = st.lists(
    st.lists(st.tuples(SEATS, STATUSES, st.integers(1, 10)), max_size=4, unique_by=lambda change: change[0]), max_size=3
)


@given(st.lists(st.tuples(BATCHES, st.integers(0, 6), st.booleans()), max_size=10), st.booleans())
def test_a_map_that_goes_on_says_what_one_that_is_read_anew_says(
    evening: list[tuple[list[list[tuple[int, SeatStatus, int]]], int, bool]], is_asked_at_once: bool
) -> None:
    truth = Truth()
    seat_map = truth.read_anew()
    if is_asked_at_once:
        said(seat_map)

    for commands, seconds, is_asked in evening:
        assert seat_map.take_in(truth.change(commands), truth.map_version)
        truth.now += timedelta(seconds=seconds)
        if is_asked:
            assert said(seat_map.as_of(truth.now)) == said(truth.read_anew())

    assert said(seat_map.as_of(truth.now)) == said(truth.read_anew())


@given(st.lists(BATCHES, min_size=2, max_size=6), st.data())
def test_news_that_are_known_in_part_are_taken_in_from_there(
    batches: list[list[list[tuple[int, SeatStatus, int]]]], data: st.DataObject
) -> None:
    truth = Truth()
    seat_map, seen_at = truth.read_anew(), data.draw(st.integers(0, len(batches) - 1))
    told: list[News] = []
    for number, commands in enumerate(batches):
        told.append(truth.change(commands))
        if number < seen_at:
            seat_map.take_in(told[-1], truth.map_version)

    all_of_it = News(0, truth.version, tuple(change for news in told for change in news.changes))

    assert seat_map.take_in(all_of_it, truth.map_version)
    assert said(seat_map) == said(truth.read_anew())


def test_news_that_do_not_join_on_are_not_taken_in() -> None:
    truth = Truth()
    seat_map = truth.read_anew()
    before = said(seat_map)
    truth.change([[(1, SeatStatus.BOOKED, 0)]])

    was_taken_in = seat_map.take_in(truth.change([[(2, SeatStatus.BOOKED, 0)]]), truth.map_version)

    assert not was_taken_in
    assert said(seat_map) == before


def test_news_after_an_edit_are_not_taken_in() -> None:
    truth = Truth()
    seat_map = truth.read_anew()
    before = said(seat_map)

    was_taken_in = seat_map.take_in(truth.change([[(1, SeatStatus.BOOKED, 0)]]), truth.map_version + 1)

    assert not was_taken_in
    assert said(seat_map) == before


def test_news_that_are_older_than_the_map_change_nothing() -> None:
    truth = Truth()
    news = truth.change([[(1, SeatStatus.RESERVED, 300)]])
    old_map_version = truth.map_version
    truth.change([[(1, SeatStatus.BOOKED, 0)]])
    seat_map = truth.read_anew()

    assert not seat_map.take_in(news, old_map_version)
    assert said(seat_map) == said(truth.read_anew())


def test_a_hold_that_ran_out_moves_the_tag_and_frees_its_seat() -> None:
    truth = Truth()
    seat_map = truth.read_anew()
    seat_map.take_in(truth.change([[(1, SeatStatus.RESERVED, int(HOLD.total_seconds()))]]), truth.map_version)
    tag = seat_map.etag

    seat_map.as_of(NOON + HOLD)

    assert seat_map.etag != tag
    assert seat_map.counts["available"] == len(LAYOUT.seats)
    assert seat_map.free_labels(near=1)[0] == LAYOUT.by_id[1].label


def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The house is large: what is made of all its seats is not made at once."""
    monkeypatch.setattr(seat_map_module, "AT_ONCE", 1)
    monkeypatch.setattr(beside, "AT_ONCE", 1)


async def test_a_large_map_is_written_in_portions_and_has_what_changes_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(availability, "_PORTION", 1)
    large(monkeypatch)
    truth = Truth()
    seat_map = truth.read_anew()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            seat_map.take_in(truth.change([[(turns % 3 + 1, SeatStatus.BOOKED, 0)]]), truth.map_version)
            await asyncio.sleep(0)
            if turns == 5:
                return

    TEXTS.write()
    told = asyncio.ensure_future(others())
    await seat_map.write_up()

    assert turns >= len(LAYOUT.seats) // 64
    await told
    assert seat_map.full() == truth.read_anew().full()


async def test_what_a_large_map_is_asked_for_is_as_it_was_when_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = Truth()
    seat_map = truth.read_anew()
    expected = at_once(seat_map.filtered(None, "Stalls"))
    large(monkeypatch)

    asked = asyncio.ensure_future(seat_map.filtered(None, "Stalls"))
    await asyncio.sleep(0)  # it is being written, elsewhere
    assert not asked.done()
    seat_map.take_in(truth.change([[(1, SeatStatus.BOOKED, 0)]]), truth.map_version)

    assert await asked == expected


async def test_what_finds_the_nearest_seats_of_a_large_house_is_built_in_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built_in: list[int] = []

    class Watched(Nearness):
        def __init__(self, layout: Layout) -> None:
            built_in.append(get_ident())
            super().__init__(layout)

    expected = Truth().read_anew().free_labels(1)
    monkeypatch.setattr(availability, "Nearness", Watched)
    large(monkeypatch)
    texts = SeatTexts(LAYOUT, TEXTS.prices)
    seat_map = SeatMap(Occupancy(1, 1, 1, 2, 0, TEXTS.prices, ()), texts, NOON)

    labels = await seat_map.nearest_labels(1)

    assert labels == expected
    assert len(built_in) == 1
    assert built_in[0] != get_ident()
