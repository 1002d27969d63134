"""The layouts that a process remembers."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import get_ident
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.house import layouts as db
from app.domain.house.layouts import RowPlan, SectionPlan, lay_out
from app.domain.house.rebuilding import rebuild
from app.domain.refusals import NotFound
from app.domain.seats import Layout, Seat
from app.services.house.layout_texts import AT_ONCE, LayoutTexts
from app.services.layouts import Layouts
from app.services.pictures import Pictures
from tests.order import of_both

THEATER_A, THEATER_B = 1, 2


@contextmanager
def statements_of(engine: AsyncEngine) -> Iterator[list[str]]:
    """Every statement that is sent to PostgreSQL within the block."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


async def test_a_layout_has_its_seats_in_order(demo_engine: AsyncEngine) -> None:
    layout = await Layouts(demo_engine).at(THEATER_A, 1)

    assert [seat.id for seat in layout.seats] == list(range(1, 81))
    assert (layout.seats[0].label, layout.seats[-1].label) == ("A1", "D20")


async def test_many_who_need_a_layout_at_once_cause_one_reading(demo_engine: AsyncEngine) -> None:
    layouts = Layouts(demo_engine)

    with statements_of(demo_engine) as sent:
        found = await asyncio.gather(*(layouts.at(THEATER_A, 1) for _ in range(20)))

    assert len(sent) == 1
    assert all(layout is found[0] for layout in found)


async def test_a_newer_revision_is_read_again(demo_engine: AsyncEngine) -> None:
    layouts = Layouts(demo_engine)
    await layouts.at(THEATER_A, 1)
    async with demo_engine.begin() as connection:
        await connection.execute(text("UPDATE seats SET category = 'royal' WHERE id = 1"))
        await connection.execute(text("UPDATE theaters SET layout_revision = 2 WHERE id = 1"))

    layout = await layouts.at(THEATER_A, 2)

    assert (layout.revision, layout.by_id[1].category) == (2, "royal")


async def test_who_knows_only_the_older_revision_gets_the_newer_one(demo_engine: AsyncEngine) -> None:
    layouts = Layouts(demo_engine)
    async with demo_engine.begin() as connection:
        await connection.execute(text("UPDATE theaters SET layout_revision = 2 WHERE id = 1"))
    newer = await layouts.at(THEATER_A, 2)

    assert await layouts.at(THEATER_A, 1) is newer


async def test_a_seat_that_was_taken_out_is_not_in_the_layout(demo_engine: AsyncEngine) -> None:
    async with demo_engine.begin() as connection:
        await connection.execute(text("UPDATE seats SET removed_at = now() WHERE id = 1"))

    layout = await Layouts(demo_engine).at(THEATER_A, 1)

    assert 1 not in layout.by_id


async def test_layouts_not_asked_for_longest_are_given_up_first(demo_engine: AsyncEngine) -> None:
    layouts = Layouts(demo_engine, seats_kept=99)
    await layouts.at(THEATER_A, 1)
    await layouts.at(THEATER_B, 1)

    with statements_of(demo_engine) as sent:
        await layouts.at(THEATER_B, 1)
        await layouts.at(THEATER_A, 1)

    assert len(sent) == 1


async def test_a_house_larger_than_all_that_is_kept_stays_until_another_is_asked_for(demo_engine: AsyncEngine) -> None:
    layouts = Layouts(demo_engine, seats_kept=50)
    large = await layouts.at(THEATER_A, 1)

    assert layouts.at_hand(THEATER_A, 1) is large
    await layouts.at(THEATER_B, 1)
    assert layouts.at_hand(THEATER_A, 1) is None


async def test_a_layout_that_is_only_looked_through_does_not_count_as_asked_for(demo_engine: AsyncEngine) -> None:
    layouts = Layouts(demo_engine, seats_kept=100)
    async with demo_engine.begin() as connection:
        await connection.execute(text("INSERT INTO theaters (id, name, timezone) VALUES (77, 'Field', 'UTC')"))
    await layouts.at(THEATER_A, 1)
    await layouts.at(THEATER_B, 1)

    assert layouts.theater_of(81) == THEATER_B
    await layouts.at(77, 1)

    assert layouts.at_hand(THEATER_A, 1) is None
    assert layouts.at_hand(THEATER_B, 1) is not None


async def test_a_theater_that_does_not_exist_has_no_layout(demo_engine: AsyncEngine) -> None:
    with pytest.raises(NotFound):
        await Layouts(demo_engine).at(99, 1)


async def test_a_theater_without_seats_has_an_empty_layout(demo_engine: AsyncEngine) -> None:
    async with demo_engine.begin() as connection:
        await connection.execute(text("INSERT INTO theaters (id, name, timezone) VALUES (77, 'Field', 'UTC')"))

    assert (await Layouts(demo_engine).at(77, 1)).seats == ()


async def test_a_large_layout_is_read_in_portions_and_made_in_a_thread(
    demo_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 2 * db.PORTION + 3
    drafts = lay_out([SectionPlan("Stalls", [RowPlan("A", size)], "standard")])
    made_in: list[int] = []

    def standing(theater_id: int, rows: Sequence[Any]) -> Layout:
        made_in.append(get_ident())
        assert [row.size for row in rows] == [db.PORTION, db.PORTION, 4]
        return as_usual(theater_id, rows)

    as_usual = db._standing
    monkeypatch.setattr(db, "_standing", standing)
    async with demo_engine.begin() as connection:
        await connection.execute(text("INSERT INTO theaters (id, name, timezone) VALUES (77, 'Field', 'UTC')"))
        await db.add(connection, 77, drafts)
        await connection.execute(text("UPDATE seats SET removed_at = now() WHERE theater_id = 77 AND number = 2"))
        await db.add(connection, 77, lay_out([SectionPlan("Box", [RowPlan("B", 1)], "standard")]))
        layout = await db.read(connection, 77)
        places = await db.former_places(connection, 77)

    assert layout is not None
    assert {seat.number for seat in layout.seats if seat.section == "Stalls"} == {*range(1, size + 1)} - {2}
    assert [seat.number for seat in layout.seats if seat.section == "Stalls"] == [1, *range(3, size + 1)]
    assert [*layout.former.values()] == ["A2"]
    assert places == dict.fromkeys(layout.former, ("Stalls", "A", 2))
    assert get_ident() not in made_in
    assert made_in


async def test_a_large_layout_is_written_in_portions(demo_engine: AsyncEngine) -> None:
    size = 2 * db.PORTION + 3
    standing = Layout(77, 1, ())
    async with demo_engine.begin() as connection:
        await connection.execute(text("INSERT INTO theaters (id, name, timezone) VALUES (77, 'Field', 'UTC')"))
        with statements_of(demo_engine) as sent:
            drafts = lay_out([SectionPlan("Stalls", [RowPlan("A", size)], "standard")])
            await db.rebuild(connection, 77, rebuild(standing, drafts))
        assert sum("INSERT INTO seats" in one for one in sent) == 3
        before = await db.read(connection, 77)
        assert before is not None
        moved = [replace(draft, x=draft.x + 1) for draft in drafts]
        with statements_of(demo_engine) as sent:
            await db.rebuild(connection, 77, rebuild(before, moved))
        assert sum("UPDATE seats" in one and "draft" in one for one in sent) == 3
        after = await db.read(connection, 77)

    assert after is not None
    assert [seat.id for seat in after.seats] == [seat.id for seat in before.seats]
    assert [seat.x for seat in after.seats] == [draft.x for draft in moved]


async def rebuilt(engine: AsyncEngine, *labels: str, theater_id: int = THEATER_B) -> None:
    """The house loses these seats, and what has begun keeps them."""
    async with engine.begin() as connection:
        await db.keep_former(connection, theater_id, moving=[])
        given = {"theater_id": theater_id, "labels": list(labels)}
        taken_out = "UPDATE seats SET removed_at = now() WHERE theater_id = :theater_id AND label = ANY(:labels)"
        await connection.execute(text(taken_out), given)
        moved = "UPDATE theaters SET layout_revision = layout_revision + 1 WHERE id = :theater_id"
        await connection.execute(text(moved), {"theater_id": theater_id})


async def test_a_former_layout_is_there_beside_the_present_one(demo_engine: AsyncEngine) -> None:
    layouts = Layouts(demo_engine)
    before = await layouts.at(THEATER_B, 1)
    await rebuilt(demo_engine, "A1", "A2")

    present, former = await layouts.at(THEATER_B, 2), await layouts.at(THEATER_B, 1)

    assert [len(present.seats), len(former.seats)] == [18, 20]
    assert former is before
    assert layouts.at_hand(THEATER_B, 2) is present


async def test_a_former_layout_is_read_as_it_was(demo_engine: AsyncEngine) -> None:
    before = await Layouts(demo_engine).at(THEATER_B, 1)
    places = "UPDATE seats SET x = x / 3, y = -1e-7, accessible = true, companion = true WHERE id = 82"
    async with demo_engine.begin() as connection:
        await connection.execute(text(places))
    as_it_was = await Layouts(demo_engine).at(THEATER_B, 1)
    await rebuilt(demo_engine, "A1")
    async with demo_engine.begin() as connection:
        await connection.execute(text("UPDATE seats SET label = 'Box', x = 99, category = 'royal' WHERE id = 82"))
        for statement in of_both("layout_revision = 1", "theater_id = 2"):
            await connection.execute(text(statement))

    former = await Layouts(demo_engine).at(THEATER_B, 1)

    assert former == as_it_was != before
    assert (former.revision, former.former) == (1, {})
    assert {type(seat.x) for seat in former.seats} == {type(seat.y) for seat in former.seats} == {float}


async def test_a_former_layout_has_a_label_for_every_seat_that_was_ever_there(demo_engine: AsyncEngine) -> None:
    await rebuilt(demo_engine, "A1")
    async with demo_engine.begin() as connection:
        for statement in of_both("layout_revision = 2", "id = 3"):
            await connection.execute(text(statement))
    await rebuilt(demo_engine, "A2")
    async with demo_engine.begin() as connection:
        await connection.execute(text("UPDATE seats SET removed_at = NULL WHERE id = 81"))

    former = await Layouts(demo_engine).at(THEATER_B, 2)

    assert (former.revision, 81 in former.by_id, 82 in former.by_id) == (2, False, True)
    assert former.label_of(81) == "A1"


async def test_many_who_need_a_former_layout_cause_one_reading(demo_engine: AsyncEngine) -> None:
    layouts = Layouts(demo_engine)
    await rebuilt(demo_engine, "A1")

    with statements_of(demo_engine) as sent:
        found = await asyncio.gather(*(layouts.at(THEATER_B, 1) for _ in range(20)))

    assert len(sent) == 2
    assert all(layout is found[0] for layout in found)


async def test_a_revision_that_nobody_stands_on_is_not_kept(demo_engine: AsyncEngine) -> None:
    async with demo_engine.begin() as connection:
        await db.keep_former(connection, THEATER_B, moving=[2, 3])

        assert (await connection.execute(text("SELECT count(*) FROM former_layouts"))).scalar_one() == 0


async def test_a_layout_at_hand_stays_the_same_one(demo_engine: AsyncEngine) -> None:
    layouts = Layouts(demo_engine)
    async with demo_engine.begin() as connection:
        await connection.execute(text("UPDATE theaters SET layout_revision = 3 WHERE id = 1"))
    present = await layouts.at(THEATER_A, 3)

    assert await layouts.at(THEATER_A, 1) is present
    assert await layouts.at(THEATER_A, 2) is present
    assert layouts.at_hand(THEATER_A, 3) is present


# --- what is made of a large one, in a thread ------------------------------------------------------------------------

LARGE = Layout(1, 1, tuple(Seat(at, f"A{at}", "S", "A", at, "any", x=float(at)) for at in range(1, AT_ONCE + 2)))


@pytest.mark.parametrize("kind", [LayoutTexts, Pictures])
async def test_what_is_made_of_a_large_layout_is_made_once(kind: type[LayoutTexts | Pictures]) -> None:
    kept = kind()

    found = await asyncio.gather(*(kept.of(LARGE) for _ in range(5)))

    assert all(each is found[0] for each in found)


@pytest.mark.parametrize("kind", [LayoutTexts, Pictures])
async def test_whoever_waits_gets_it_though_the_first_one_went_away(kind: type[LayoutTexts | Pictures]) -> None:
    kept = kind()
    first, second = (asyncio.ensure_future(kept.of(LARGE)) for _ in range(2))
    await asyncio.sleep(0)  # the first begins, the second waits for it

    first.cancel()

    assert await second is await kept.of(LARGE)
    assert first.cancelled()
