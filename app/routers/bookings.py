"""Bookings: book a reservation or seats directly, look them up, cancel."""

from typing import Annotated

from fastapi import Query

from app.dependencies import Bookings, Buyer, Call, Caller, Desk, SignedIn
from app.domain.bookings import BookingStatus
from app.domain.people.people import KeyScope
from app.http.answers import CURSOR, PAYING, UNCHANGED, cacheable, page, tag_of, told
from app.http.credentials import must_be_known
from app.http.idempotency import context_of
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.bookings import BookingIn, BookingOut, BookingsOut, FindIn, PaymentIn
from app.schemas.format.ids import BookingId, ScreeningId, SeatId, UserId
from app.schemas.format.moments import encoded
from app.schemas.format.pages import Limit, UuidCursor, page_json
from app.schemas.format.requests import Email, Label, Line
from app.services.desk import Meant

router = api_router("bookings")


@router.post(
    "/bookings",
    status_code=201,
    response_model=BookingOut,
    response_description="The booking.",
    responses=problems(
        "not-found",
        "unknown-seats",
        "seats-unavailable",
        "reservation-ended",
        "reservation-expired",
        "price-changed",
        "limit-exceeded",
        "sales-closed",
        "screening-required",
        "payment-declined",
        "payment-pending",
        "payments-unavailable",
        "leaves-single-seat",
        "not-enough-seats",
    )
    | PAYING,
)
@api_key_scope(KeyScope.SELL)
async def book_seats(wanted: BookingIn, request: ApiRequest, buyer: Buyer, desk: Desk) -> Reply:
    """Book a reservation, or seats directly.

    It is paid for as in confirming. A direct booking that is declined holds nothing that was not held before.

    Seats that you hold are taken out of the hold. Booking seats that you have already booked together gives that
    booking, with 200. `booking_id` serves as the idempotency key when the header is not sent. Without a token you
    become a guest, as when holding.
    """
    payment = wanted.payment or PaymentIn()
    if wanted.reservation_id is not None:
        person = must_be_known(buyer.person)
        call = context_of(request, person, wanted.booking_id)
        paid_with = payment.method, payment.token
        return told(await desk.confirm(person, wanted.reservation_id, call, *paid_with, buyer.address))
    call = context_of(request, buyer.person, wanted.booking_id)
    meant = Meant(wanted.screening_id, wanted.theater_id)
    return told(await desk.book(meant, wanted.names(), buyer, call, payment.method, payment.token, wanted.wish()))


@router.get("/bookings", response_model=BookingsOut, response_description="A page of bookings.", responses=UNCHANGED)
@api_key_scope(KeyScope.READ)
async def list_bookings(
    request: ApiRequest,
    person: SignedIn,
    bookings: Bookings,
    status: Annotated[BookingStatus | None, Query(description="Only those in this status.")] = None,
    screening_id: Annotated[ScreeningId | None, Query(description="Only those of this screening.")] = None,
    user_id: Annotated[UserId | None, Query(description="Of this user: for organizers only.")] = None,
    seat: Annotated[Label | None, Query(description="Only those with the seat of this label.")] = None,
    email: Annotated[Email | None, Query(description="Only those of people with this email: for staff.")] = None,
    limit: Limit = 50,
    cursor: Annotated[UuidCursor | None, CURSOR] = None,
) -> Reply:
    """List my bookings.

    The newest first. Organizers see everybody's; so do staff who name a screening, a seat or an email.
    """
    items, next_cursor = await bookings.newest(person, user_id, status, screening_id, seat, email, cursor, limit)
    return page(request, page_json(items, next_cursor), next_cursor)


@router.post(
    "/bookings/find",
    response_model=BookingOut,
    response_description="The booking: for staff.",
    responses=problems("not-found")
    | {
        202: {
            "description": "For everybody else, whether there is one or not.",
            "content": {"application/json": {"schema": {"type": "object"}, "example": {}}},
        }
    },
)
@api_key_scope(KeyScope.READ)
async def find_booking(wanted: FindIn, caller: Caller, bookings: Bookings) -> Reply:
    """Find a booking.

    By the email of whoever made it, and its id. Staff get the booking. Everybody else gets 202 and an empty object,
    always the same: it says nothing about the booking, and nothing is sent to the address yet.
    """
    found = await bookings.found(caller, wanted.email, wanted.booking_id)
    return Reply(b"{}", 202) if found is None else Reply(encoded(found))


@router.get(
    "/bookings/{booking_id}",
    response_model=BookingOut,
    response_description="The booking.",
    responses=UNCHANGED | problems("not-found"),
)
@api_key_scope(KeyScope.READ)
async def show_booking(booking_id: BookingId, request: ApiRequest, person: SignedIn, bookings: Bookings) -> Reply:
    """Show a booking.

    One of mine; organizers see everybody's.
    """
    body = encoded(await bookings.one(person, booking_id))
    return cacheable(request, body, tag_of(body))


@router.delete(
    "/bookings/{booking_id}",
    response_model=BookingOut,
    response_description="The booking as it is now.",
    responses=problems("not-found", "cancellation-closed"),
)
@api_key_scope(KeyScope.SELL)
async def cancel_booking(
    booking_id: BookingId,
    person: SignedIn,
    call: Call,
    desk: Desk,
    reason: Annotated[Line | None, Query(max_length=200, description="Why, in words: organizers read it.")] = None,
) -> Reply:
    """Cancel a booking.

    Its seats are free at once, and the money goes back: `refund_pending` until the provider has said yes. Buyers can
    cancel until `cancel_until` of the screening, organizers always. Cancelling it again changes nothing.
    """
    return told(await desk.cancel(person, booking_id, call, reason=reason))


@router.delete(
    "/bookings/{booking_id}/seats/{seat_id}",
    response_model=BookingOut,
    response_description="The booking as it is now.",
    responses=problems("not-found", "cancellation-closed"),
)
@api_key_scope(KeyScope.SELL)
async def cancel_seat(booking_id: BookingId, seat_id: SeatId, person: SignedIn, call: Call, desk: Desk) -> Reply:
    """Cancel one seat of a booking.

    Its price goes back, the others stay. Cancelling the last one cancels the booking.
    """
    return told(await desk.cancel(person, booking_id, call, seat_id))
