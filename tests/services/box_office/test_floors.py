"""What a process knows of which seats are free: it follows what was written, and nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from app.db.box_office.reading import Found, Wanted
from app.db.box_office.taken import MissedRow, TakenRow
from app.db.seat_maps.seat_events import SeatChange
from app.domain.box_office.screening_state import ScreeningState
from app.domain.seat_finding.floor import Floor
from app.domain.seats import SeatStatus
from app.services.box_office import floors as module
from app.services.box_office.floors import Floors
from app.services.news import News
from app.services.pictures import Pictures
from tests.domain.states import LAYOUT, NOON, empty_house

SCREENING = 7


async def opened(
    floors: Floors,
    version: int,
    taken: Sequence[int] = (),
    missed: Sequence[MissedRow] = (),
    screening: int = SCREENING,
) -> tuple[Floor, Wanted]:
    """The floor of a batch that finds the screening in this version, and what it wanted to read."""
    state = house(screening, version)
    asked, wanted = {screening: LAYOUT}, Wanted()
    await floors.want(asked, wanted)
    read = Found(NOON, taken=[TakenRow(screening, [*taken])] if wanted.taken and taken else [], missed=[*missed])
    lost = await floors.take_in({screening: state}, asked, wanted, read)
    if lost:
        again = Wanted(taken={(each,) for each in lost})
        assert not await floors.take_in(
            {screening: state}, asked, again, Found(NOON, taken=[TakenRow(screening, [*taken])])
        )
        wanted.taken |= again.taken
    floors.lay(state, NOON)
    assert state.floor is not None
    return state.floor, wanted


def house(screening: int, version: int) -> ScreeningState:
    state = empty_house(id=screening)
    return replace(state, version=version)


def free_in(floor: Floor) -> set[int]:
    return {seat.id for seat in floor.picture.seats(floor.free)}


def news(after: int, *taken: int) -> News:
    version = after + len(taken)
    changes = (SeatChange(after + at, seat, SeatStatus.RESERVED, None, 1, None) for at, seat in enumerate(taken, 1))
    return News(after, version, tuple(changes))


async def test_what_was_decided_but_not_written_is_not_believed() -> None:
    floors = Floors(Pictures())
    floor, _ = await opened(floors, 3, taken=[1])
    floor.mark(2, is_free=False)

    again, wanted = await opened(floors, 3)

    assert not wanted.taken
    assert free_in(again) == {2, 3, 4, 5, 6}


async def test_what_was_written_is_known_with_all_that_is_remembered() -> None:
    floors = Floors(Pictures())
    floor, _ = await opened(floors, 3, taken=[1])
    floor.mark(2, is_free=False)
    floors.follow({SCREENING: news(3, 2)}, {SCREENING: floor})

    again, wanted = await opened(floors, 4)

    assert wanted.missed == {(SCREENING, 4)}
    assert again is floor
    assert free_in(again) == {3, 4, 5, 6}


async def test_who_only_asked_leaves_what_is_remembered() -> None:
    floors = Floors(Pictures())
    floor, _ = await opened(floors, 3)
    floors.follow({}, {SCREENING: floor})

    assert (await opened(floors, 3))[0] is floor


async def test_a_batch_that_came_after_changes_of_others_is_read_again() -> None:
    floors = Floors(Pictures())
    floor, _ = await opened(floors, 3)
    floor.mark(2, is_free=False)
    floors.follow({SCREENING: news(4, 2)}, {SCREENING: floor})

    missed = [MissedRow(SCREENING, 5, 2, True), MissedRow(SCREENING, 4, 6, True)]
    again, wanted = await opened(floors, 5, missed=missed)

    assert wanted.missed == {(SCREENING, 3)}
    assert free_in(again) == {1, 3, 4, 5}


async def test_changes_by_a_batch_in_which_nobody_asked_are_followed() -> None:
    floors = Floors(Pictures())
    await opened(floors, 3)
    floors.follow({SCREENING: news(3, 5, 6)}, {})

    again, wanted = await opened(floors, 5)

    assert not wanted.taken
    assert free_in(again) == {1, 2, 3, 4}


async def test_where_something_is_missing_all_is_read() -> None:
    floors = Floors(Pictures())
    await opened(floors, 3)

    again, wanted = await opened(floors, 6, taken=[4], missed=[MissedRow(SCREENING, 6, 4, True)])

    assert wanted.taken == {(SCREENING,)}
    assert free_in(again) == {1, 2, 3, 5, 6}


async def test_what_is_forgotten_while_a_batch_reads_is_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 1)
    floors = Floors(Pictures())
    await opened(floors, 3, taken=[1])
    asked, wanted = {SCREENING: LAYOUT}, Wanted()
    await floors.want(asked, wanted)
    await opened(floors, 0, screening=8)

    lost = await floors.take_in({SCREENING: house(SCREENING, 3)}, asked, wanted, Found(NOON))

    assert lost == {SCREENING}


async def test_the_screening_that_was_asked_for_first_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    floors = Floors(Pictures())
    first, _ = await opened(floors, 1, screening=1)
    await opened(floors, 1, screening=2)
    floors.follow({}, {1: first})
    await opened(floors, 1, screening=3)

    wanted = Wanted()
    await floors.want({1: LAYOUT, 2: LAYOUT, 3: LAYOUT}, wanted)

    assert (wanted.taken, wanted.missed) == ({(2,)}, {(1, 1), (3, 1)})
