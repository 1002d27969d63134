"""What kinds of problems have besides the members that all have: a model and an example of each, for the document.

A refusal's fields are what is really sent. `tests/routers/edge/test_problems.py` holds each of them against its model.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field

from app.domain.reservations import ReservationStatus
from app.domain.seats import SeatStatus
from app.domain.transfers import TransferStatus
from app.schemas.format.moments import MomentOut
from app.schemas.format.money import Money
from app.schemas.problems.kinds import Problem
from app.schemas.seats import NamedSeat

_SEAT: Final = {"seat_id": 1, "label": "A1", "status": "booked", "reason": "This seat is sold."}


class MistakeOut(BaseModel):
    """One mistake in a body, a path or a query."""

    loc: list[str | int] = Field(description="Where it is: `body`, `path`, `query` or `header`, then the way to it.")
    code: str = Field(description="The kind of mistake, for programs.")
    message: str = Field(description="A sentence for people.")
    allowed: list[str] = Field(
        default_factory=list, description="Only there where a name was unknown: all names that there are."
    )


class SeatInTheWayOut(NamedSeat):
    """A seat that stood in the way, and why."""

    status: SeatStatus
    reason: str = Field(description="A sentence for people.")


class CandidateOut(BaseModel):
    """A screening, as a problem names it."""

    id: int
    title: str
    starts_at: MomentOut


class _Validation(Problem):
    errors: list[MistakeOut] = Field(
        examples=[
            [{"loc": ["body", "seat_ids", 0], "code": "int_type", "message": "Input should be a valid integer"}],
        ]
    )


class _UnknownSeats(Problem):
    unknown: list[int | str] = Field(description="As they were sent.", examples=[["Z99"]])
    available_seats: list[str] = Field(description="Up to 50 labels of free seats.", examples=[["A1", "A2"]])


_INSTEAD: Final = "Up to 3 blocks of as many free seats, by their labels: those that leave no single seat first."


class _SeatsUnavailable(Problem):
    seats: list[SeatInTheWayOut] = Field(description="All that stood in the way.", examples=[[_SEAT]])
    available_seats: list[str] = Field(
        description="Up to 50 labels of free seats, the nearest first.", examples=[["A2", "A3"]]
    )
    suggestions: list[list[str]] = Field(description=_INSTEAD, examples=[[["A2"], ["A3"]]])


class _ReservationExpired(Problem):
    expired_at: MomentOut = Field(examples=["2026-11-20T19:30:00.000Z"])
    seats: list[SeatInTheWayOut] = Field(
        description="Those that are gone since. None: it is too late to take the hold again.", examples=[[_SEAT]]
    )


class _ReservationEnded(Problem):
    reservation_status: ReservationStatus = Field(examples=["booked"])
    booking_id: UUID = Field(
        default_factory=lambda: UUID(int=0),
        description="Only there if it was booked. The booking may be cancelled by now.",
        examples=["01a1f8cd-efb9-721d-b606-2f010a4ca70b"],
    )


class _PriceChanged(Problem):
    total: Money = Field(
        description="What its seats cost together now.", examples=[{"amount_minor": 9000, "currency": "EUR"}]
    )


class _ExtensionLimit(Problem):
    latest_expires_at: MomentOut = Field(examples=["2026-11-20T19:45:00.000Z"])


class _LimitExceeded(Problem):
    limit: str = Field(description="Its name.", examples=["max_seats_per_reservation"])
    allowed: int = Field(examples=[10])
    current: int = Field(description="How much was in use before this request.", examples=[0])


class _LeavesSingleSeat(Problem):
    stranded: list[str] = Field(description="Labels of seats that would be left alone.", examples=[["A3"]])
    suggestions: list[list[str]] = Field(description=_INSTEAD, examples=[[["A2", "A3"]]])


class _NotEnoughSeats(Problem):
    requested: int = Field(examples=[4])
    available: int = Field(description="How many seats of that kind are free.", examples=[3])
    largest_block: int = Field(description="How many of them are side by side at most.", examples=[2])


class _SalesClosed(Problem):
    opens_at: MomentOut | None = Field(description="null: sales were open at once.", examples=[None])
    closes_at: MomentOut = Field(examples=["2026-11-20T19:30:00.000Z"])


class _ScreeningRequired(Problem):
    screenings: list[CandidateOut] = Field(
        description="Those that may be meant.",
        examples=[[{"id": 2, "title": "Matinee", "starts_at": "2026-11-21T14:00:00.000Z"}]],
    )


class _PaymentDeclined(Problem):
    reason: str = Field(description="What the provider said.", examples=["card_declined"])
    expires_at: MomentOut | None = Field(
        description="Until when the hold stays. null: nothing is held.", examples=["2026-11-20T11:58:28.235Z"]
    )


class _PaymentPending(Problem):
    reservation_id: UUID = Field(
        description="What is being paid for.", examples=["01a1f8cd-ef9f-7096-b2d5-e6959f6f9f16"]
    )


class _CancellationClosed(Problem):
    cancel_until: MomentOut = Field(examples=["2026-11-20T19:30:00.000Z"])


class _TransferOver(Problem):
    transfer_status: TransferStatus = Field(examples=["accepted"])


class _LayoutInUse(Problem):
    seats: list[SeatInTheWayOut] = Field(
        description="Those that the layout drops; `reason` says where each is in use.",
        examples=[[{"seat_id": 1, "label": "A1", "status": "booked", "reason": "Booked in screening 1."}]],
    )


class _TheaterInUse(Problem):
    screenings: list[CandidateOut] = Field(
        description="Those to come.",
        examples=[[{"id": 1, "title": "The Tempest", "starts_at": "2026-11-21T18:30:00.000Z"}]],
    )


class _ChangesGone(Problem):
    oldest: int = Field(description="The earliest `since` that can be answered.", examples=[120])


class _AlreadyUsed(Problem):
    used_at: MomentOut = Field(examples=["2026-11-20T19:30:00.000Z"])


WITH_MEMBERS: Final[Mapping[str, type[Problem]]] = {
    "validation": _Validation,
    "unknown-seats": _UnknownSeats,
    "seats-unavailable": _SeatsUnavailable,
    "reservation-expired": _ReservationExpired,
    "reservation-ended": _ReservationEnded,
    "price-changed": _PriceChanged,
    "extension-limit": _ExtensionLimit,
    "limit-exceeded": _LimitExceeded,
    "leaves-single-seat": _LeavesSingleSeat,
    "not-enough-seats": _NotEnoughSeats,
    "sales-closed": _SalesClosed,
    "screening-required": _ScreeningRequired,
    "payment-declined": _PaymentDeclined,
    "payment-pending": _PaymentPending,
    "cancellation-closed": _CancellationClosed,
    "transfer-over": _TransferOver,
    "layout-in-use": _LayoutInUse,
    "theater-in-use": _TheaterInUse,
    "changes-gone": _ChangesGone,
    "already-used": _AlreadyUsed,
}
"""By code. The other kinds have the common members only."""


def model_of(code: str) -> type[Problem]:
    """The model of this kind of problem."""
    return WITH_MEMBERS.get(code, Problem)


def example_members(code: str) -> dict[str, Any]:
    """The members that this kind has besides the common ones, as an example."""
    fields = model_of(code).model_fields.items()
    return {name: (field.examples or [None])[0] for name, field in fields if name not in Problem.model_fields}
