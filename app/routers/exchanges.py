"""Exchanges: other seats for the same buyer."""

from app.dependencies import Call, Desk, SignedIn
from app.domain.people.people import KeyScope
from app.http.answers import PAYING, told
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.bookings import BookingOut, PaymentIn
from app.schemas.exchanges import ExchangeIn
from app.schemas.format.ids import BookingId

router = api_router("bookings")


@router.post(
    "/bookings/{booking_id}/exchange",
    response_model=BookingOut,
    response_description="The booking as it is now.",
    responses=problems(
        "not-found",
        "unknown-seats",
        "seats-unavailable",
        "reservation-ended",
        "limit-exceeded",
        "sales-closed",
        "payment-declined",
        "payment-pending",
        "payments-unavailable",
        "cancellation-closed",
        "leaves-single-seat",
        "not-enough-seats",
    )
    | PAYING,
)
@api_key_scope(KeyScope.SELL)
async def exchange_seats(booking_id: BookingId, wanted: ExchangeIn, person: SignedIn, call: Call, desk: Desk) -> Reply:
    """Exchange seats of a booking.

    As many others take the place of those that are given, all at once: the given ones are free, the taken ones booked.
    Taken seats may be ones that you hold. They cost what they cost now, and the given ones what they were sold for: a
    difference is charged first, as in confirming, or goes back. While it is not decided (202), the reservation of the
    taken seats keeps them, and the booking is as it was; after a decline nothing has changed. Buyers can exchange until
    `cancel_until` of the screening, while it is on sale, and organizers always. Sent again, it changes nothing.
    """
    payment = wanted.payment or PaymentIn()
    give, take, wish = wanted.give.names(), wanted.take.names(), wanted.take.wish()
    return told(await desk.exchange(person, booking_id, give, take, call, payment.method, payment.token, wish))
