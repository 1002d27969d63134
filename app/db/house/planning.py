"""Screenings as organizers plan them: lock, add, change. The state of a screening is written with its plan."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, bindparam, insert, text, update
from sqlalchemy import Row as SqlRow
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import schema
from app.db.box_office import states
from app.db.screenings import UNLIMITED, Row, prices_of
from app.domain.claims import ClaimStatus
from app.domain.house.planning import PlannedScreening, ScreeningPlan, SeatInUse
from app.domain.refusals import Candidate
from app.domain.screenings import ReservedPlaces
from app.domain.seat_finding.orphans import OrphanRule

_PORTION: Final = 2_000
"""So many rows are read within milliseconds."""

_LIMITS = (
    "max_seats_per_reservation",
    "max_seats_per_user",
    "max_active_reservations_per_user",
    "bookings_per_user_per_day",
)

_THEATER_OF = text("SELECT theater_id FROM screenings WHERE id = CAST(:screening_id AS bigint)")

_ONE = text("SELECT * FROM screenings WHERE id = CAST(:screening_id AS bigint)")
_THEATER = text("SELECT layout_revision, timezone FROM theaters WHERE id = CAST(:theater_id AS bigint)")
# now() is earlier than any clock that is read afterwards, so none of those to come is left out.
_IDS_TO_COME = text("SELECT id FROM screenings WHERE theater_id = :theater_id AND starts_at > now() ORDER BY id")
_IDS_TO_SELL = text("""
    SELECT id FROM screenings
     WHERE theater_id = :theater_id AND greatest(starts_at, sales_close_at) > now() ORDER BY id
""")
_ALL_TO_COME = text("""
    SELECT * FROM screenings
     WHERE theater_id = :theater_id AND starts_at > clock_timestamp() AND cancelled_at IS NULL ORDER BY starts_at, id
""")
_IS_TO_COME = text("SELECT CAST(:starts_at AS timestamptz) > clock_timestamp()")

# To come, or still to be sold: the same as in `screenings.meant`.
_CANDIDATES = text("""
    SELECT * FROM screenings
     WHERE theater_id = :theater_id AND (starts_at > now() OR sales_close_at > now()) AND cancelled_at IS NULL
     ORDER BY starts_at, id LIMIT :at_most
""")

_MOVE_LAYOUTS = text("""
    UPDATE screenings SET layout_revision = :layout_revision WHERE id = ANY(CAST(:screening_ids AS bigint[]))
""")

# Of what stands on a seat in several screenings the firmest is told, and how many screenings there are.
_IN_USE = text("""
    SELECT seat_id, status, screening_id FROM seat_claims
     WHERE screening_id = ANY(CAST(:screening_ids AS bigint[])) AND seat_id = ANY(CAST(:seat_ids AS bigint[]))
       AND (status <> 'held' OR expires_at > clock_timestamp())
     ORDER BY seat_id, array_position(ARRAY['booked', 'held', 'blocked'], status), screening_id
""")
_EVER_TAKEN = text("""
    SELECT EXISTS (SELECT FROM reservations WHERE screening_id = CAST(:screening_id AS bigint))
        OR EXISTS (SELECT FROM bookings WHERE screening_id = CAST(:screening_id AS bigint))
""")


async def theater_of(connection: AsyncConnection, screening_id: int) -> int | None:
    """The theater of a screening, which never changes; None if the screening does not exist."""
    found: int | None = (await connection.execute(_THEATER_OF, {"screening_id": screening_id})).scalar_one_or_none()
    return found


async def lock(connection: AsyncConnection, screening_id: int) -> PlannedScreening:
    """Lock a screening until the transaction ends: nobody else changes it or its seats. It must exist."""
    await states.lock(connection, screening_id)
    return _planned((await connection.execute(_ONE, {"screening_id": screening_id})).mappings().one())


async def lock_to_come(connection: AsyncConnection, theater_id: int) -> None:
    """As `lock`, for all screenings of a theater that have not begun. Lock the theater first: then none is added."""
    await states.lock_all(connection, list(await connection.scalars(_IDS_TO_COME, {"theater_id": theater_id})))


async def move_timezone(connection: AsyncConnection, theater_id: int, timezone: str) -> None:
    """The screenings of a theater for which seats can be taken now or later are in this time zone now."""
    to_sell = list(await connection.scalars(_IDS_TO_SELL, {"theater_id": theater_id}))
    await states.move_timezone(connection, to_sell, timezone)


async def to_come(connection: AsyncConnection, theater_id: int) -> list[PlannedScreening]:
    """The screenings of a theater that have not begun, the soonest first, cancelled ones left out."""
    rows = await connection.execute(_ALL_TO_COME, {"theater_id": theater_id})
    return [_planned(row) for row in rows.mappings()]


async def is_to_come(connection: AsyncConnection, starts_at: datetime) -> bool:
    """Is this moment still to come?"""
    found: bool = (await connection.execute(_IS_TO_COME, {"starts_at": starts_at})).scalar_one()
    return found


async def candidates(connection: AsyncConnection, theater_id: int, at_most: int) -> tuple[Candidate, ...]:
    """Screenings of a theater for which seats may still be taken, the soonest first, in a few words."""
    rows = await connection.execute(_CANDIDATES, {"theater_id": theater_id, "at_most": at_most})
    return tuple(Candidate(row.id, row.title, row.starts_at) for row in rows)


async def in_use(
    connection: AsyncConnection, screening_ids: Sequence[int], seat_ids: Sequence[int]
) -> dict[int, SeatInUse]:
    """Those of the seats that somebody holds at this moment or booked, or that are blocked, in any of these screenings,
    by their ids. Ask after locking."""
    given = {"screening_ids": list(screening_ids), "seat_ids": list(seat_ids)}
    if not seat_ids:
        return {}
    rows: list[SqlRow[Any]] = []
    async with connection.stream(_IN_USE, given, execution_options={"yield_per": _PORTION}) as found:
        async for portion in found.partitions():
            rows += portion

    def told() -> dict[int, SeatInUse]:
        screenings = Counter(row.seat_id for row in rows)
        firmest = {row.seat_id: row for row in reversed(rows)}
        return {
            seat_id: SeatInUse(seat_id, ClaimStatus(row.status), row.screening_id, screenings[seat_id])
            for seat_id, row in sorted(firmest.items())
        }

    return told() if len(rows) <= _PORTION else await asyncio.to_thread(told)


async def was_ever_taken(connection: AsyncConnection, screening_id: int) -> bool:
    """Whether a seat of this screening was ever held or booked."""
    found: bool = (await connection.execute(_EVER_TAKEN, {"screening_id": screening_id})).scalar_one()
    return found


async def add(
    connection: AsyncConnection, theater_id: int, plan: ScreeningPlan, screening_id: int | None = None
) -> int:
    """Insert a screening, with the given id or a new one, and return its id."""
    theater = (await connection.execute(_THEATER, {"theater_id": theater_id})).one()
    columns = {"layout_revision": theater.layout_revision, **_decisive(plan)}
    values = {"theater_id": theater_id, "title": plan.title, **columns}
    if screening_id is not None:
        values["id"] = screening_id
    added = await connection.execute(insert(schema.screenings).values(values).returning(schema.screenings.c.id))
    new_id: int = added.scalar_one()
    await states.add(connection, new_id, theater_id, theater.timezone, columns)
    return new_id


async def change(
    connection: AsyncConnection, screening_id: int, plan: ScreeningPlan, layout_revision: int, timezone: str
) -> None:
    """Write an edit down, on which revision of the layout it stands, and the time zone of its theater. Lock first."""
    table = schema.screenings
    columns = {"layout_revision": layout_revision, **_decisive(plan)}
    edit = update(table).where(table.c.id == bindparam("its_id", screening_id, BigInteger))
    await connection.execute(edit.values(revision=table.c.revision + 1, title=plan.title, **columns))
    await states.change(connection, screening_id, {"timezone": timezone, **columns})


async def move_layouts(connection: AsyncConnection, screening_ids: Sequence[int], layout_revision: int) -> None:
    """These screenings stand on this revision of the layout now. Lock them first."""
    given = {"screening_ids": list(screening_ids), "layout_revision": layout_revision}
    await connection.execute(_MOVE_LAYOUTS, given)
    await states.move_layouts(connection, screening_ids, layout_revision)


def _planned(row: Row) -> PlannedScreening:
    return PlannedScreening(
        id=row["id"],
        theater_id=row["theater_id"],
        revision=row["revision"],
        layout_revision=row["layout_revision"],
        is_cancelled=row["cancelled_at"] is not None,
        plan=_plan(row),
    )


def _plan(row: Row) -> ScreeningPlan:
    own = {limit: row[limit] for limit in _LIMITS if row[limit] is not None}
    return ScreeningPlan(
        title=row["title"],
        starts_at=row["starts_at"],
        prices=prices_of(row["prices"]),
        sales_open_at=row["sales_open_at"],
        sales_close_at=row["sales_close_at"],
        hold_seconds=row["hold_seconds"],
        max_hold_seconds=row["max_hold_seconds"],
        limits={limit: None if value == UNLIMITED else value for limit, value in own.items()},
        orphan_rule=OrphanRule(row["orphan_rule"]),
        reserved_places=ReservedPlaces(row["reserved_places"]),
        cancel_until=row["cancel_until"],
    )


def _decisive(plan: ScreeningPlan) -> dict[str, Any]:
    """The columns that decide about sales, which plan and state have in common."""
    return {
        "starts_at": plan.starts_at,
        "prices": {
            category: {"amount_minor": price.amount_minor, "currency": price.currency}
            for category, price in plan.prices.items()
        },
        "sales_open_at": plan.sales_open_at,
        "sales_close_at": plan.sales_close_at,
        "cancel_until": plan.cancel_until,
        "hold_seconds": plan.hold_seconds,
        "max_hold_seconds": plan.max_hold_seconds,
        "orphan_rule": plan.orphan_rule,
        "reserved_places": plan.reserved_places,
        **{limit: _limit_column(plan, limit) for limit in _LIMITS},
    }


def _limit_column(plan: ScreeningPlan, limit: str) -> int | None:
    if limit not in plan.limits:
        return None
    own = plan.limits[limit]
    return UNLIMITED if own is None else own
