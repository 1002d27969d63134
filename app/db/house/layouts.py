"""The seats of a theater, as they stand and as they were: read whole, written a set at a time."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.house.layouts import SeatDraft, categories_of
from app.domain.house.rebuilding import Place, Rebuilding
from app.domain.seats import Layout, Point, Seat

PORTION: Final = 2_000
"""So many seats are handed over at a time: 50,000 in one statement keep the event loop for 160 ms."""

# One statement, so that the revision and the seats are of one moment. Columns as arrays, a portion of the seats in each
# row: 50,000 seats are 25 rows, and no row takes long to read. A theater without seats gives one row.
_LAYOUT = text(f"""
    SELECT theaters.layout_revision, theaters.focal_x, theaters.focal_y, count(seats.id) AS size,
           array_agg(seats.place) AS places, array_agg(seats.removed_at IS NOT NULL) AS removed,
           array_agg(seats.id) AS ids, array_agg(seats.label) AS labels, array_agg(seats.section) AS sections,
           array_agg(seats.row) AS rows, array_agg(seats.number) AS numbers, array_agg(seats.category) AS categories,
           array_agg(seats.accessible) AS accessible, array_agg(seats.companion) AS companions,
           array_agg(seats.restricted_view) AS restricted_views, array_agg(seats.x) AS xs, array_agg(seats.y) AS ys,
           array_agg(seats.aisle_after) AS aisles
      FROM theaters LEFT JOIN (
           SELECT seats.*, row_number() OVER (ORDER BY seats.removed_at, seats.position) AS place
             FROM seats WHERE seats.theater_id = CAST(:theater_id AS bigint)) AS seats
           ON seats.theater_id = theaters.id
     WHERE theaters.id = CAST(:theater_id AS bigint)
     GROUP BY theaters.id, (seats.place - 1) / {PORTION}
     ORDER BY (seats.place - 1) / {PORTION}
""")  # noqa: S608 - our own number

_FORMER_LAYOUT = text("""
    SELECT CAST(seats AS text) AS seats, focal_x, focal_y FROM former_layouts
     WHERE theater_id = CAST(:theater_id AS bigint) AND revision = :revision
""")
# Under the lock of the theater, before the seats are changed: once, and only if somebody goes on standing on them.
_KEEP_FORMER = text("""
    INSERT INTO former_layouts (theater_id, revision, focal_x, focal_y, seats)
    SELECT theaters.id, theaters.layout_revision, theaters.focal_x, theaters.focal_y,
           (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'id', seats.id, 'label', label, 'section', section, 'row', seats.row, 'number', number,
                       'category', category, 'accessible', accessible, 'companion', companion,
                       'restricted_view', restricted_view, 'x', x, 'y', y, 'aisle_after', aisle_after)
                       ORDER BY position), '[]')
              FROM seats WHERE seats.theater_id = theaters.id AND seats.removed_at IS NULL)
      FROM theaters
     WHERE theaters.id = CAST(:theater_id AS bigint)
       AND EXISTS (SELECT FROM screenings
                    WHERE screenings.theater_id = theaters.id AND screenings.layout_revision = theaters.layout_revision
                      AND screenings.id <> ALL(CAST(:moving AS bigint[])))
       AND NOT EXISTS (SELECT FROM former_layouts AS kept
                        WHERE kept.theater_id = theaters.id AND kept.revision = theaters.layout_revision)
""")

_ADD = """
    INSERT INTO seats (theater_id, position, {id} label, section, row, number, category,
                       accessible, companion, restricted_view, x, y, aisle_after)
    SELECT CAST(:theater_id AS bigint), CAST(:before AS bigint) + draft.position, {draft_id} draft.label, draft.section,
           draft.row, draft.number, draft.category, draft.accessible, draft.companion, draft.restricted_view, draft.x,
           draft.y, draft.aisle_after
      FROM unnest(CAST(:label AS text[]), CAST(:section AS text[]), CAST(:row AS text[]), CAST(:number AS integer[]),
                  CAST(:category AS text[]), CAST(:accessible AS boolean[]), CAST(:companion AS boolean[]),
                  CAST(:restricted_view AS boolean[]), CAST(:x AS double precision[]), CAST(:y AS double precision[]),
                  CAST(:aisle_after AS boolean[]))
           WITH ORDINALITY AS draft (label, section, row, number, category, accessible, companion,
                                     restricted_view, x, y, aisle_after, position)
     ORDER BY draft.position
"""
_ADD_WITH_NEXT_IDS = text(_ADD.format(id="", draft_id=""))
_ADD_WITH_IDS_FROM = text(
    _ADD.format(id="id,", draft_id="CAST(:first_id AS bigint) + draft.position - 1,").replace(
        "SELECT", "OVERRIDING SYSTEM VALUE SELECT", 1
    )
)
_COLUMNS = (
    "label", "section", "row", "number", "category", "accessible", "companion", "restricted_view", "x", "y",
    "aisle_after",
)  # fmt: skip

_DRAFTS = """
    unnest(CAST(:id AS bigint[]), CAST(:position AS integer[]), CAST(:label AS text[]), CAST(:section AS text[]),
           CAST(:row AS text[]), CAST(:number AS integer[]), CAST(:category AS text[]), CAST(:accessible AS boolean[]),
           CAST(:companion AS boolean[]), CAST(:restricted_view AS boolean[]), CAST(:x AS double precision[]),
           CAST(:y AS double precision[]), CAST(:aisle_after AS boolean[]))
        AS draft (id, position, label, section, row, number, category, accessible, companion, restricted_view, x, y,
                  aisle_after)
"""
_KEEP = text(f"""
    UPDATE seats
       SET position = draft.position, label = draft.label, section = draft.section, row = draft.row,
           number = draft.number, category = draft.category, accessible = draft.accessible, companion = draft.companion,
           restricted_view = draft.restricted_view, x = draft.x, y = draft.y, aisle_after = draft.aisle_after,
           removed_at = NULL
      FROM {_DRAFTS}
     WHERE seats.id = draft.id
       AND (seats.removed_at IS NOT NULL OR
            (seats.position, seats.label, seats.section, seats.row, seats.number, seats.category, seats.accessible,
             seats.companion, seats.restricted_view, seats.x, seats.y, seats.aisle_after)
            IS DISTINCT FROM
            (draft.position, draft.label, draft.section, draft.row, draft.number, draft.category, draft.accessible,
             draft.companion, draft.restricted_view, draft.x, draft.y, draft.aisle_after))
""")  # noqa: S608 - our own names
_BUILD = text(f"""
    INSERT INTO seats (theater_id, position, label, section, row, number, category, accessible, companion,
                       restricted_view, x, y, aisle_after)
    SELECT CAST(:theater_id AS bigint), draft.position, draft.label, draft.section, draft.row, draft.number,
           draft.category, draft.accessible, draft.companion, draft.restricted_view, draft.x, draft.y, draft.aisle_after
      FROM {_DRAFTS}
     ORDER BY draft.position
""")  # noqa: S608 - our own names
_FORMER = text(f"""
    SELECT array_agg(gone.place) AS places, array_agg(gone.id) AS ids, array_agg(gone.section) AS sections,
           array_agg(gone.row) AS rows, array_agg(gone.number) AS numbers
      FROM (SELECT id, section, row, number, row_number() OVER (ORDER BY removed_at, position) AS place
              FROM seats WHERE theater_id = CAST(:theater_id AS bigint) AND removed_at IS NOT NULL) AS gone
     GROUP BY (gone.place - 1) / {PORTION}
     ORDER BY (gone.place - 1) / {PORTION}
""")  # noqa: S608 - our own number
_TAKE_OUT = text("UPDATE seats SET removed_at = statement_timestamp() WHERE id = ANY(CAST(:seat_ids AS bigint[]))")

_CATEGORIES = text("""
    SELECT category FROM seats WHERE theater_id = CAST(:theater_id AS bigint) AND removed_at IS NULL
     GROUP BY category ORDER BY min(position)
""")

_THEATER_OF = text("""
    SELECT seats.theater_id
      FROM unnest(CAST(:seat_ids AS bigint[])) WITH ORDINALITY AS wanted (id, place) JOIN seats ON seats.id = wanted.id
     ORDER BY wanted.place LIMIT 1
""")


async def read(connection: AsyncConnection, theater_id: int, revision: int | None = None) -> Layout | None:
    """The layout of a theater as it stands, or as it was at a revision, if that is kept. None: no such theater."""
    rows = (await connection.execute(_LAYOUT, {"theater_id": theater_id})).all()
    if not rows:
        return None
    if len(rows) == 1:
        standing = _standing(theater_id, rows)
    else:
        standing = await asyncio.to_thread(_standing, theater_id, rows)
    if revision is None or revision >= standing.revision:
        return standing
    return await _former(connection, standing, revision) or standing


def _standing(theater_id: int, rows: Sequence[Any]) -> Layout:
    """The layout as it stands, from all rows of it."""
    seats, former = [], {}
    for row in rows if rows[0].size else ():
        for _, is_gone, *facts in _in_order(row[4:]):
            if is_gone:
                former[facts[0]] = facts[1]
            else:
                seats.append(Seat(*facts))
    return Layout(theater_id, rows[0].layout_revision, tuple(seats), former, _point(rows[0]))


def _in_order(columns: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The rows that these columns are made of, in the order of the first: no aggregate promises one."""
    return sorted(zip(*columns, strict=True))


async def _former(connection: AsyncConnection, standing: Layout, revision: int) -> Layout | None:
    """The layout as it was. Whoever is not in it, now or ever, has a label for old tickets."""
    given = {"theater_id": standing.theater_id, "revision": revision}
    kept = (await connection.execute(_FORMER_LAYOUT, given)).one_or_none()
    if kept is None:
        return None
    return await asyncio.to_thread(_as_kept, kept, standing, revision)


def _as_kept(kept: Row[Any], standing: Layout, revision: int) -> Layout:
    seats = tuple(Seat(**{**seat, "x": float(seat["x"]), "y": float(seat["y"])}) for seat in orjson.loads(kept.seats))
    others = {**standing.former, **{seat.id: seat.label for seat in standing.seats}}
    for seat in seats:
        others.pop(seat.id, None)
    return Layout(standing.theater_id, revision, seats, others, _point(kept))


def _point(row: Row[Any]) -> Point | None:
    """Where people look, from a row that says so."""
    return None if row.focal_x is None else Point(row.focal_x, row.focal_y)


async def keep_former(connection: AsyncConnection, theater_id: int, moving: Sequence[int]) -> None:
    """Keep the layout as it stands, if there are screenings that go on standing on it: all but the `moving` ones.

    Kept already, it is not written again.
    """
    await connection.execute(_KEEP_FORMER, {"theater_id": theater_id, "moving": list(moving)})


async def add(
    connection: AsyncConnection, theater_id: int, drafts: Sequence[SeatDraft], first_id: int | None = None
) -> None:
    """Insert the seats of a theater that has none, in this order. Their ids begin with `first_id`, or are generated."""
    for before in range(0, len(drafts), PORTION):
        portion = drafts[before : before + PORTION]
        columns: dict[str, object] = {name: [getattr(draft, name) for draft in portion] for name in _COLUMNS}
        given = {"theater_id": theater_id, "before": before, **columns}
        if first_id is None:
            await connection.execute(_ADD_WITH_NEXT_IDS, given)
        else:
            await connection.execute(_ADD_WITH_IDS_FROM, {"first_id": first_id + before, **given})


async def former_places(connection: AsyncConnection, theater_id: int) -> dict[int, Place]:
    """Where the seats stood that were taken out of a theater, by their ids; the last one comes last."""
    portions = (await connection.execute(_FORMER, {"theater_id": theater_id})).all()

    def places() -> dict[int, Place]:
        return {
            seat_id: (section, row, number)
            for portion in portions
            for _, seat_id, section, row, number in _in_order(portion)
        }

    return await asyncio.to_thread(places) if portions else {}


async def rebuild(connection: AsyncConnection, theater_id: int, rebuilding: Rebuilding) -> None:
    """Write a changed layout down: who goes, who stays, who comes back, who is new.

    In this order a label is never there twice: others may get the label of one who goes, or who has another one now.
    """
    await connection.execute(_TAKE_OUT, {"seat_ids": [seat.id for seat in rebuilding.gone]})
    for statement, columns in await asyncio.to_thread(_portions, rebuilding):
        await connection.execute(statement, {"theater_id": theater_id, **columns})


def _portions(rebuilding: Rebuilding) -> list[tuple[TextClause, dict[str, object]]]:
    """What is written, in its order: a statement and the columns of some seats, with their positions and ids."""
    kept: list[tuple[int, SeatDraft, int | None]] = []
    back, new = kept[:], kept[:]
    for position, (draft, seat_id) in enumerate(rebuilding.seats, start=1):
        as_what = new if seat_id is None else back if seat_id in rebuilding.back else kept
        as_what.append((position, draft, seat_id))
    portions: list[tuple[TextClause, dict[str, object]]] = []
    for statement, seats in ((_KEEP, kept), (_KEEP, back), (_BUILD, new)):
        for before in range(0, len(seats), PORTION):
            portion = seats[before : before + PORTION]
            columns: dict[str, object] = {name: [getattr(draft, name) for _, draft, _ in portion] for name in _COLUMNS}
            columns |= {"id": [seat_id for *_, seat_id in portion], "position": [position for position, *_ in portion]}
            portions.append((statement, columns))
    return portions


async def categories(connection: AsyncConnection, theater_id: int, revision: int | None = None) -> tuple[str, ...]:
    """The categories that the seats of a theater have, or had at a revision that is kept."""
    layout = None if revision is None else await read(connection, theater_id, revision)
    if layout is not None:
        return categories_of(layout.seats)
    return tuple((await connection.execute(_CATEGORIES, {"theater_id": theater_id})).scalars())


async def theater_of(connection: AsyncConnection, seat_ids: Sequence[int]) -> int | None:
    """The theater of the first of these seats that exists; None if none does."""
    theater: int | None = (await connection.execute(_THEATER_OF, {"seat_ids": list(seat_ids)})).scalar_one_or_none()
    return theater
