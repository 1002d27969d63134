"""Reports of a screening for organizers, in JSON and as tables for spreadsheets (docs/api.md, section 13).

A table is UTF-8 with a byte order mark, and no cell of it is a formula.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import StringIO
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.domain.house.reports import Part, Report
from app.domain.money import Money as Amount
from app.domain.seats import Seat
from app.schemas.availability import Counts
from app.schemas.exports.tables import cell
from app.schemas.format.moments import moment
from app.schemas.format.money import Money, money_json


class PartOut(BaseModel):
    """A section or a category."""

    name: str
    sold: int
    held: int
    blocked: int
    available: int
    revenue: Money = Field(description="Net: the prices of what is sold now.")


class DayOut(BaseModel):
    """A day of bookings, in the theater's time zone. What is held, blocked or available is not said of a day."""

    day: date
    sold: int
    held: None
    blocked: None
    available: None
    revenue: Money = Field(description="Net: the prices of what was booked on that day and is sold now.")


_EURO: Final[JsonDict] = {"amount_minor": 2500, "currency": "EUR"}
_PART: Final[JsonDict] = {"name": "Stalls", "sold": 1, "held": 0, "blocked": 0, "available": 79, "revenue": _EURO}


class ReportOut(BaseModel):
    """What a screening has sold."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "counts": {"available": 79, "reserved": 0, "booked": 1, "blocked": 0},
                    "revenue": {"amount_minor": 5000, "currency": "EUR"},
                    "refunded": {"amount_minor": 2500, "currency": "EUR"},
                    "by_section": [_PART],
                    "by_category": [{**_PART, "name": "standard"}],
                    "by_day": [
                        {
                            "day": "2026-11-20",
                            "sold": 1,
                            "held": None,
                            "blocked": None,
                            "available": None,
                            "revenue": _EURO,
                        }
                    ],
                }
            ]
        }
    )

    counts: Counts
    revenue: Money = Field(description="All that was taken.")
    refunded: Money = Field(description="What has gone back of it.")
    by_section: list[PartOut]
    by_category: list[PartOut]
    by_day: list[DayOut]


@dataclass(frozen=True, slots=True)
class BookedSeat:
    """A seat of a booking, as the list of bookings has it. `cancelled_at`: since when it is sold no more."""

    booking_id: UUID
    user_id: int
    booked_at: datetime
    cancelled_at: datetime | None
    seat: Seat | None
    label: str
    price: Amount
    payment_reference: str
    cancel_reason: str | None


def report_json(report: Report) -> bytes:
    """The report, in JSON."""
    currency = report.revenue.currency
    return orjson.dumps(
        {
            "counts": report.counts,
            "revenue": money_json(report.revenue),
            "refunded": money_json(report.refunded),
            "by_section": [_part("name", each, currency) for each in report.by_section],
            "by_category": [_part("name", each, currency) for each in report.by_category],
            "by_day": [_part("day", each, currency) for each in report.by_day],
        }
    )


def report_table(report: Report) -> bytes:
    """The report, a line for the whole and one for each part."""
    currency = report.revenue.currency
    counts = report.counts
    net = sum(each.revenue_minor for each in report.by_section)
    whole = ("total", "", counts["booked"], counts["reserved"], counts["blocked"], counts["available"], net)
    parts = [
        (kind, each.name, each.sold, each.held, each.blocked, each.available, each.revenue_minor, "", "", currency)
        for kind, those in (("section", report.by_section), ("category", report.by_category), ("day", report.by_day))
        for each in those
    ]
    money = (report.revenue.amount_minor, report.refunded.amount_minor, currency)
    return _table(
        (
            *("part", "name", "sold", "held", "blocked", "available", "revenue_minor"),
            *("taken_minor", "refunded_minor", "currency"),
        ),
        [(*whole, *money), *parts],
    )


def bookings_table(seats: Sequence[BookedSeat]) -> bytes:
    """The bookings, a line for each seat; those that were cancelled too."""
    return _table(
        (
            *("booking_id", "booked_at", "status", "cancelled_at", "user_id", "seat", "section", "row", "number"),
            *("category", "price_minor", "currency", "payment_reference", "cancel_reason"),
        ),
        [
            (
                str(each.booking_id),
                moment(each.booked_at),
                "confirmed" if each.cancelled_at is None else "cancelled",
                "" if each.cancelled_at is None else moment(each.cancelled_at),
                each.user_id,
                each.label,
                *(
                    ("", "", "", "")
                    if (seat := each.seat) is None
                    else (seat.section, seat.row, seat.number, seat.category)
                ),
                each.price.amount_minor,
                each.price.currency,
                each.payment_reference,
                each.cancel_reason or "",
            )
            for each in seats
        ],
    )


def _place(seat: Seat | None) -> Sequence[object]:
    """Where a seat is; a seat that is not in the house any more has only its label."""
    return ("", "", "", "") if seat is None else (seat.section, seat.row, seat.number, seat.category)


def _part(name: str, part: Part, currency: str) -> dict[str, Any]:
    return {
        name: part.name,
        "sold": part.sold,
        "held": part.held,
        "blocked": part.blocked,
        "available": part.available,
        "revenue": {"amount_minor": part.revenue_minor, "currency": currency},
    }


def _table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> bytes:
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([cell(each) for each in line] for line in lines)
    return text.getvalue().encode("utf-8-sig")
