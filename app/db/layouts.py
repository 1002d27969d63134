"""The seats of theaters: read as whole layouts, written in sets."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.layouts import Rebuilding, SeatDraft
from app.domain.seats import Layout, Seat

# One statement, so that the revision and the seats are of one moment. A theater without seats gives one row.
_LAYOUT = text("""
    SELECT theaters.layout_revision,
           seats.id, seats.label, seats.section, seats.row, seats.number, seats.category,
           seats.accessible, seats.companion, seats.restricted_view, seats.x, seats.y, seats.removed_at
      FROM theaters LEFT JOIN seats ON seats.theater_id = theaters.id
     WHERE theaters.id = CAST(:theater_id AS bigint)
     ORDER BY seats.removed_at, seats.position
""")

_ADD = """
    INSERT INTO seats (theater_id, position, {id} label, section, row, number, category,
                       accessible, companion, restricted_view, x, y)
    SELECT CAST(:theater_id AS integer), draft.position, {draft_id} draft.label, draft.section, draft.row, draft.number,
           draft.category, draft.accessible, draft.companion, draft.restricted_view, draft.x, draft.y
      FROM unnest(CAST(:label AS text[]), CAST(:section AS text[]), CAST(:row AS text[]), CAST(:number AS integer[]),
                  CAST(:category AS text[]), CAST(:accessible AS boolean[]), CAST(:companion AS boolean[]),
                  CAST(:restricted_view AS boolean[]), CAST(:x AS double precision[]), CAST(:y AS double precision[]))
           WITH ORDINALITY AS draft (label, section, row, number, category, accessible, companion,
                                     restricted_view, x, y, position)
     ORDER BY draft.position
"""
_ADD_WITH_NEXT_IDS = text(_ADD.format(id="", draft_id=""))
_ADD_WITH_IDS_FROM = text(
    _ADD.format(id="id,", draft_id="CAST(:first_id AS integer) + draft.position - 1,").replace(
        "SELECT", "OVERRIDING SYSTEM VALUE SELECT", 1
    )
)
_COLUMNS = (
    "label", "section", "row", "number", "category", "accessible", "companion", "restricted_view", "x", "y",
)  # fmt: skip

_DRAFTS = """
    unnest(CAST(:id AS integer[]), CAST(:position AS integer[]), CAST(:label AS text[]), CAST(:section AS text[]),
           CAST(:row AS text[]), CAST(:number AS integer[]), CAST(:category AS text[]), CAST(:accessible AS boolean[]),
           CAST(:companion AS boolean[]), CAST(:restricted_view AS boolean[]), CAST(:x AS double precision[]),
           CAST(:y AS double precision[]))
        AS draft (id, position, label, section, row, number, category, accessible, companion, restricted_view, x, y)
"""
_KEEP = text(f"""
    UPDATE seats
       SET position = draft.position, section = draft.section, row = draft.row, number = draft.number,
           category = draft.category, accessible = draft.accessible, companion = draft.companion,
           restricted_view = draft.restricted_view, x = draft.x, y = draft.y, removed_at = NULL
      FROM {_DRAFTS}
     WHERE seats.id = draft.id
       AND (seats.removed_at IS NOT NULL OR
            (seats.position, seats.section, seats.row, seats.number, seats.category, seats.accessible, seats.companion,
             seats.restricted_view, seats.x, seats.y)
            IS DISTINCT FROM
            (draft.position, draft.section, draft.row, draft.number, draft.category, draft.accessible, draft.companion,
             draft.restricted_view, draft.x, draft.y))
""")  # noqa: S608 - our own names
_BUILD = text(f"""
    INSERT INTO seats (theater_id, position, label, section, row, number, category, accessible, companion,
                       restricted_view, x, y)
    SELECT CAST(:theater_id AS integer), draft.position, draft.label, draft.section, draft.row, draft.number,
           draft.category, draft.accessible, draft.companion, draft.restricted_view, draft.x, draft.y
      FROM {_DRAFTS}
     WHERE draft.id IS NULL ORDER BY draft.position
""")  # noqa: S608 - our own names
_TAKE_OUT = text("UPDATE seats SET removed_at = clock_timestamp() WHERE id = ANY(CAST(:seat_ids AS integer[]))")

_CATEGORIES = text("""
    SELECT category FROM seats WHERE theater_id = CAST(:theater_id AS bigint) AND removed_at IS NULL
     GROUP BY category ORDER BY min(position)
""")

_THEATER_OF = text("""
    SELECT seats.theater_id
      FROM unnest(CAST(:seat_ids AS bigint[])) WITH ORDINALITY AS wanted (id, place) JOIN seats ON seats.id = wanted.id
     ORDER BY wanted.place LIMIT 1
""")


async def read(connection: AsyncConnection, theater_id: int) -> Layout | None:
    """The current layout of a theater; None if the theater does not exist."""
    rows = (await connection.execute(_LAYOUT, {"theater_id": theater_id})).all()
    if not rows:
        return None
    seats = [row for row in rows if row.id is not None]
    return Layout(
        theater_id,
        rows[0].layout_revision,
        tuple(Seat(*row[1:-1]) for row in seats if row.removed_at is None),
        {row.id: row.label for row in seats if row.removed_at is not None},
    )


async def add(
    connection: AsyncConnection, theater_id: int, drafts: Sequence[SeatDraft], first_id: int | None = None
) -> None:
    """Insert the seats of a theater that has none, in this order. Their ids begin with `first_id`, or are generated."""
    columns: dict[str, object] = {name: [getattr(draft, name) for draft in drafts] for name in _COLUMNS}
    if first_id is None:
        await connection.execute(_ADD_WITH_NEXT_IDS, {"theater_id": theater_id, **columns})
    else:
        await connection.execute(_ADD_WITH_IDS_FROM, {"theater_id": theater_id, "first_id": first_id, **columns})


async def rebuild(connection: AsyncConnection, theater_id: int, rebuilding: Rebuilding) -> None:
    """Write a changed layout: remove seats, change those that stay, add new ones; in this order labels stay unique."""
    await connection.execute(_TAKE_OUT, {"seat_ids": [seat.id for seat in rebuilding.gone]})
    columns: dict[str, object] = {
        "id": [seat_id for _, seat_id in rebuilding.seats],
        "position": list(range(1, len(rebuilding.seats) + 1)),
        **{name: [getattr(draft, name) for draft, _ in rebuilding.seats] for name in _COLUMNS},
    }
    await connection.execute(_KEEP, columns)
    await connection.execute(_BUILD, {"theater_id": theater_id, **columns})


async def categories(connection: AsyncConnection, theater_id: int) -> list[str]:
    """The categories of a theater's seats."""
    return list((await connection.execute(_CATEGORIES, {"theater_id": theater_id})).scalars())


async def theater_of(connection: AsyncConnection, seat_ids: Sequence[int]) -> int | None:
    """The theater of the first of these seats that exists; None if none does."""
    theater: int | None = (await connection.execute(_THEATER_OF, {"seat_ids": list(seat_ids)})).scalar_one_or_none()
    return theater
