"""Reservations: hold seats for five minutes, change the hold, renew it, give it back, book it."""

from typing import Annotated

from fastapi import Query

from app.dependencies import Buyer, Call, Desk, Reservations, SignedIn
from app.domain.people.people import KeyScope
from app.domain.reservations import ReservationStatus
from app.http.answers import CURSOR, PAYING, UNCHANGED, cacheable, page, tag_of_moving, told
from app.http.credentials import address_of_guest
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.bookings import BookingOut, ConfirmIn, PaymentIn
from app.schemas.finding.wishes import SeatsOrWish
from app.schemas.format.ids import ReservationId, ScreeningId, SeatId, UserId
from app.schemas.format.moments import encoded
from app.schemas.format.pages import Limit, UuidCursor, page_json
from app.schemas.reservations import NothingIn, ReleasedOut, ReservationOut, ReservationsOut, ToggledOut
from app.schemas.seats import SeatsWanted
from app.services.desk import Meant

router = api_router("reservations")

_TAKING = (
    "not-found",
    "unknown-seats",
    "seats-unavailable",
    "limit-exceeded",
    "extension-limit",
    "sales-closed",
    "leaves-single-seat",
    "payment-pending",
)
_MINE = ("not-found", "reservation-ended", "payment-pending")


@router.post(
    "/screenings/{screening_id}/reservations",
    status_code=201,
    response_model=ReservationOut,
    response_description="The hold.",
    responses=problems(*_TAKING, "not-enough-seats"),
)
@api_key_scope(KeyScope.SELL)
async def hold_seats(screening_id: ScreeningId, wanted: SeatsOrWish, buyer: Buyer, call: Call, desk: Desk) -> Reply:
    """Hold seats for five minutes.

    All of them, or none. Named, or the best available: then `adjacent` says whether they are one block. Without a token
    you become a guest: `guest_token` in the answer is your token for what comes next. Holding exactly the seats that
    you already hold together gives that reservation, with 200 and not renewed.
    """
    return told(await desk.hold(Meant(screening_id), wanted.names(), buyer, call, wish=wanted.wish()))


@router.post(
    "/screenings/{screening_id}/reservations/toggle",
    response_model=ToggledOut,
    response_description="What became of the seats.",
    responses=problems(*_TAKING),
)
@api_key_scope(KeyScope.SELL)
async def toggle_seats(screening_id: ScreeningId, wanted: SeatsWanted, buyer: Buyer, call: Call, desk: Desk) -> Reply:
    """Toggle seats.

    Available seats become mine, mine become available. Added seats join my newest hold here and renew it. When any of
    them is somebody else's, or booked, nothing changes.
    """
    return told(await desk.toggle(screening_id, wanted.names(), buyer, call))


@router.delete(
    "/screenings/{screening_id}/reservations",
    response_model=ReleasedOut,
    response_description="The seats that were given back.",
    responses=problems("not-found"),
)
@api_key_scope(KeyScope.SELL)
async def release_everything(screening_id: ScreeningId, person: SignedIn, call: Call, desk: Desk) -> Reply:
    """Release everything that I hold in a screening.

    Every seat is free at once, and what ran out cannot be confirmed late any more. What is booked stays booked.
    """
    return told(await desk.release_all(screening_id, person, call))


@router.get(
    "/reservations",
    response_model=ReservationsOut,
    response_description="A page of reservations.",
    responses=UNCHANGED,
)
@api_key_scope(KeyScope.READ)
async def list_reservations(
    request: ApiRequest,
    person: SignedIn,
    reservations: Reservations,
    status: Annotated[ReservationStatus | None, Query(description="Only those in this status now.")] = None,
    screening_id: Annotated[ScreeningId | None, Query(description="Only those of this screening.")] = None,
    user_id: Annotated[UserId | None, Query(description="Only those of this user: for staff.")] = None,
    limit: Limit = 50,
    cursor: Annotated[UuidCursor | None, CURSOR] = None,
) -> Reply:
    """List my reservations.

    The newest first, each as it is at this moment: a hold that ran out reads `expired`. Staff who name a screening or a
    user see everybody's.
    """
    items, next_cursor = await reservations.newest(person, user_id, status, screening_id, cursor, limit)
    return page(request, page_json(items, next_cursor), next_cursor, tag_of_moving(items))


@router.get(
    "/reservations/{reservation_id}",
    response_model=ReservationOut,
    response_description="The reservation.",
    responses=UNCHANGED | problems("not-found"),
)
@api_key_scope(KeyScope.READ)
async def show_reservation(
    reservation_id: ReservationId, request: ApiRequest, person: SignedIn, reservations: Reservations
) -> Reply:
    """Show a reservation.

    One of mine; staff see everybody's. As it is at this moment, with the seconds that it has left.
    """
    reservation = await reservations.one(person, reservation_id)
    return cacheable(request, encoded(reservation), tag_of_moving([reservation]))


@router.delete(
    "/reservations/{reservation_id}",
    response_model=ReservationOut,
    response_description="The reservation as it is now.",
    responses=problems(*_MINE),
)
@api_key_scope(KeyScope.SELL)
async def release_reservation(reservation_id: ReservationId, person: SignedIn, call: Call, desk: Desk) -> Reply:
    """Release a reservation.

    Its seats are free at once. Releasing it again changes nothing. One that ran out stays given back: it cannot be
    confirmed late any more. One that was booked is cancelled as a booking. Staff release everybody's; the history of
    the seats says so.
    """
    return told(await desk.release(person, reservation_id, call))


@router.delete(
    "/reservations/{reservation_id}/seats/{seat_id}",
    response_model=ReservationOut,
    response_description="The reservation as it is now.",
    responses=problems(*_MINE),
)
@api_key_scope(KeyScope.SELL)
async def release_seat(
    reservation_id: ReservationId,
    seat_id: SeatId,
    person: SignedIn,
    call: Call,
    desk: Desk,
) -> Reply:
    """Release one seat of a reservation.

    The others stay held. Releasing the last one releases the reservation. Staff release everybody's.
    """
    return told(await desk.release(person, reservation_id, call, seat_id))


@router.post(
    "/reservations/{reservation_id}/extend",
    response_model=ReservationOut,
    response_description="The reservation as it is now.",
    responses=problems(
        *_MINE, "reservation-expired", "price-changed", "extension-limit", "limit-exceeded", "sales-closed"
    ),
)
@api_key_scope(KeyScope.SELL)
async def extend_reservation(
    reservation_id: ReservationId,
    person: SignedIn,
    request: ApiRequest,
    call: Call,
    desk: Desk,
    nothing: NothingIn | None = None,
) -> Reply:
    """Extend a hold.

    A fresh hold time from now, never past the cap, which counts from the first hold. One that ran out is taken again if
    that was no longer ago than a hold may last, and all of its seats are still free and cost the same.
    """
    return told(await desk.extend(person, reservation_id, call, address_of_guest(request, person)))


@router.post(
    "/reservations/{reservation_id}/confirm",
    status_code=201,
    response_model=BookingOut,
    response_description="The booking.",
    responses=problems(
        *_MINE,
        "reservation-expired",
        "price-changed",
        "limit-exceeded",
        "sales-closed",
        "payment-declined",
        "payments-unavailable",
    )
    | PAYING,
)
@api_key_scope(KeyScope.SELL)
async def confirm_reservation(
    reservation_id: ReservationId,
    person: SignedIn,
    request: ApiRequest,
    call: Call,
    desk: Desk,
    wanted: ConfirmIn | None = None,
) -> Reply:
    """Pay and book a reservation.

    Confirming it again gives the same booking, with 200; if that was cancelled, `reservation-ended`. One that ran out
    is booked if that was no longer ago than a hold may last, and all of its seats are still free and cost the same.

    When the provider has not decided after a few seconds, or the payer has to act, the answer is 202 and the
    reservation, which is `paying`: its seats stay yours, and it becomes `booked`, or `held` again. Confirming it
    meanwhile gives the same. If the payment is declined, the hold stays, for a minute at least.
    """
    payment = (wanted and wanted.payment) or PaymentIn()
    address = address_of_guest(request, person)
    return told(await desk.confirm(person, reservation_id, call, payment.method, payment.token, address))
