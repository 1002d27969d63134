"""Reads screenings: lists, the ones that a call may mean, and what their columns mean for the rules."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Protocol

from sqlalchemy import BigInteger, func, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db import schema
from app.db.box_office import states
from app.domain.house.catalogue import ListedScreening, ScreeningFilter
from app.domain.money import Money
from app.domain.refusals import Candidate
from app.domain.screenings import Limits, ReservedPlaces, Screening
from app.domain.seat_finding.orphans import OrphanRule
from app.settings import Settings

UNLIMITED: Final = -1
"""The value of a limit's column in a screening without that limit. NULL is the default of the service."""


class Row(Protocol):
    """A row by column name: SQLAlchemy's mapping, asyncpg's record or a dictionary."""

    def __getitem__(self, key: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Defaults:
    """The values for a screening whose own columns are NULL. Hold times are in seconds."""

    hold_seconds: int
    max_hold_seconds: int
    limits: Limits
    limits_need_email: bool = False
    """This is for all screenings: whoever is counted by a limit must have an account or an email."""

    @classmethod
    def of(cls, settings: Settings) -> "Defaults":
        """The defaults from the settings."""
        return cls(
            hold_seconds=settings.reservation_timeout,
            max_hold_seconds=settings.max_hold_seconds,
            limits=Limits(
                max_seats_per_reservation=settings.max_seats_per_reservation,
                max_seats_per_user=settings.max_seats_per_user,
                max_active_reservations_per_user=settings.max_active_reservations_per_user,
                bookings_per_user_per_day=settings.bookings_per_user_per_day,
            ),
            limits_need_email=settings.limits_need_email,
        )


@dataclass(frozen=True, slots=True)
class MeantScreening:
    """A screening that a call may mean which does not name one."""

    on_sale: bool
    candidate: Candidate


# What `listed` reads; `at` is the moment of the reading.
_LISTED = select(schema.screenings, func.now().label("at"))

# `on_sale` is Screening.is_on_sale in SQL; a test holds the two against each other.
_MEANT = text("""
    SELECT id, title, starts_at,
           (sales_open_at IS NULL OR sales_open_at <= now()) AND now() < coalesce(sales_close_at, starts_at) AS on_sale
      FROM screenings
     WHERE (CAST(:theater_id AS bigint) IS NULL OR theater_id = :theater_id)
       AND (starts_at > now() OR sales_close_at > now()) AND cancelled_at IS NULL
     ORDER BY on_sale DESC, starts_at, id LIMIT :at_most
""")

_ANY_TO_COME = text("""
    SELECT EXISTS (SELECT FROM screenings WHERE theater_id = :theater_id
                      AND coalesce(sales_close_at, starts_at) > :now AND cancelled_at IS NULL)
""")


def screening_of(row: Row, defaults: Defaults) -> Screening:
    """A screening for the rules, from its row."""
    hold_seconds = row["hold_seconds"] or defaults.hold_seconds
    return Screening(
        id=row["id"],
        theater_id=row["theater_id"],
        starts_at=row["starts_at"],
        sales_open_at=row["sales_open_at"],
        sales_close_at=row["sales_close_at"],
        cancelled_at=row["cancelled_at"],
        hold_seconds=hold_seconds,
        max_hold_seconds=max(row["max_hold_seconds"] or defaults.max_hold_seconds, hold_seconds),
        prices=prices_of(row["prices"]),
        limits=_limits_of(row, defaults.limits),
        revision=row["revision"],
        orphan_rule=OrphanRule(row["orphan_rule"]),
        reserved_places=ReservedPlaces(row["reserved_places"]),
        cancel_until=row["cancel_until"],
    )


def listed(row: Row, defaults: Defaults, version: int) -> ListedScreening:
    """A screening as it is listed, from its plan's row. Whether it is on sale is decided at the row's `at`."""
    screening = screening_of(row, defaults)
    return ListedScreening(
        screening=screening,
        title=row["title"],
        layout_revision=row["layout_revision"],
        version=version,
        on_sale=screening.is_on_sale(row["at"]),
    )


async def one(connection: AsyncConnection, screening_id: int, defaults: Defaults) -> ListedScreening | None:
    """One screening; None if it does not exist. The connection must be in AUTOCOMMIT, as for `soonest`."""
    query = _LISTED.where(schema.screenings.c.id == literal(screening_id, BigInteger))
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else (await _with_versions(connection, [row], defaults))[0]


async def soonest(
    connection: AsyncConnection,
    wanted: ScreeningFilter,
    after: tuple[datetime, int] | None,
    at_most: int,
    defaults: Defaults,
) -> list[ListedScreening]:
    """At most `at_most` screenings by their start, the soonest first, cancelled ones too.

    `after` is the start and id of the last one of the page before.
    """
    table = schema.screenings
    query = _LISTED.order_by(table.c.starts_at, table.c.id).limit(at_most)
    if wanted.theater_id is not None:
        query = query.where(table.c.theater_id == literal(wanted.theater_id, BigInteger))
    if wanted.starts_from is not None:
        query = query.where(table.c.starts_at >= wanted.starts_from)
    if wanted.starts_before is not None:
        query = query.where(table.c.starts_at < wanted.starts_before)
    if after is not None:
        starts_at, screening_id = after
        here = tuple_(literal(starts_at, schema.MOMENT), literal(screening_id, BigInteger))
        query = query.where(tuple_(table.c.starts_at, table.c.id) > here)
    rows = (await connection.execute(query)).mappings().all()
    return await _with_versions(connection, rows, defaults)


async def _with_versions(connection: AsyncConnection, rows: Sequence[Row], defaults: Defaults) -> list[ListedScreening]:
    """The version is the state's. One that cannot be reached counts from the beginning: whoever asks for the changes
    since then misses nothing.
    """
    versions = await states.versions(connection, [row["id"] for row in rows])
    return [listed(row, defaults, versions.get(row["id"], 0)) for row in rows]


async def meant(connection: AsyncConnection, theater_id: int | None, at_most: int) -> list[MeantScreening]:
    """The screenings that a call may mean which names only a theater, or not even that; those on sale now are first."""
    rows = await connection.execute(_MEANT, {"theater_id": theater_id, "at_most": at_most})
    return [MeantScreening(row.on_sale, Candidate(*row[:3])) for row in rows]


async def any_to_come(connection: AsyncConnection, theater_id: int, now: datetime) -> bool:
    """Whether a screening of this theater is on sale at `now`, or will be."""
    found: bool = (await connection.execute(_ANY_TO_COME, {"theater_id": theater_id, "now": now})).scalar_one()
    return found


def _limits_of(row: Row, defaults: Limits) -> Limits:
    own = (
        row["max_seats_per_reservation"],
        row["max_seats_per_user"],
        row["max_active_reservations_per_user"],
        row["bookings_per_user_per_day"],
    )
    return defaults if own == (None, None, None, None) else _own_limits(own, defaults)


def _own_limits(own: Sequence[int | None], defaults: Limits) -> Limits:
    standard = (
        defaults.max_seats_per_reservation,
        defaults.max_seats_per_user,
        defaults.max_active_reservations_per_user,
        defaults.bookings_per_user_per_day,
    )
    return Limits(*(_limit(mine, default) for mine, default in zip(own, standard, strict=True)))


def _limit(own: int | None, default: int | None) -> int | None:
    return default if own is None else None if own == UNLIMITED else own


def prices_of(column: str | Mapping[str, Any]) -> Mapping[str, Money]:
    """The prices from a jsonb column, which is a string for asyncpg and a dictionary for SQLAlchemy's tables."""
    return _prices_in(column) if isinstance(column, str) else _prices(column)


@lru_cache(maxsize=1024)
def _prices_in(column: str) -> Mapping[str, Money]:
    return _prices(json.loads(column))


def _prices(by_category: Mapping[str, Any]) -> Mapping[str, Money]:
    return MappingProxyType(
        {category: Money(price["amount_minor"], price["currency"]) for category, price in by_category.items()}
    )


_RULES = text("""
    SELECT * FROM screenings WHERE id = ANY(CAST(:ids AS bigint[]))
""")


async def rules_of(
    connection: AsyncConnection, screening_ids: Iterable[int], defaults: Defaults
) -> dict[int, tuple[Screening, int]]:
    """These screenings for the rules, each with the revision of its layout, by id; without those that do not exist."""
    rows = await connection.execute(_RULES, {"ids": list(set(screening_ids))})
    return {row["id"]: (screening_of(row, defaults), row["layout_revision"]) for row in rows.mappings()}
