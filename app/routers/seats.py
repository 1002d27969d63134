"""Seats: which are free, as a map, in short, as the caller sees it, and what changed; and taking them by theater."""

from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator

from app.dependencies import Availability, Buyer, Call, Caller, Catalogue, Changes, Desk, SignedIn
from app.domain.people.people import KeyScope
from app.domain.refusals import Busy, NotFound, Refusal, UnknownSeats
from app.domain.seat_finding.wishes import Together, Wish
from app.domain.seats import SeatStatus
from app.domain.texts import same
from app.http.answers import UNCHANGED, cacheable, cacheable_later, packable, tag_of, told
from app.http.credentials import address_of_guest
from app.http.idempotency import context_of
from app.http.openapi import problems
from app.http.problems import problem
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.declarations import ignores_unknown_parameters
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.availability import CompactMapOut, SeatMapOut
from app.schemas.bookings import BookingOut, LenientPaymentIn, TheaterBookingIn
from app.schemas.finding.answers import BestAvailableOut, CheckedOut, checked_json
from app.schemas.finding.wishes import ABOVE_COUNT, CATEGORY, SECTION, TOGETHER, Accessible, Count, TheaterSeatsIn
from app.schemas.format.faults import mistake
from app.schemas.format.ids import LARGEST_INTEGER, ScreeningId, Since, TheaterId
from app.schemas.live import ChangesOut
from app.schemas.reservations import ReservationOut
from app.schemas.seats import SeatsWanted
from app.services.desk import Meant
from app.services.people.people import Buyer as Asker

router = api_router("seats")

Status = Annotated[SeatStatus | None, Query(description="Only seats in this status.")]
Name = Annotated[str, AfterValidator(same)]
Section = Annotated[Name | None, Query(max_length=64, description="Only seats of this section.")]

_TAKING = (
    "not-found",
    "unknown-seats",
    "seats-unavailable",
    "limit-exceeded",
    "extension-limit",
    "sales-closed",
    "screening-required",
    "leaves-single-seat",
    "not-enough-seats",
)


@router.get(
    "/screenings/{screening_id}/seats",
    response_model=SeatMapOut,
    response_description="The map.",
    responses=UNCHANGED | problems("not-found"),
)
async def list_seats(
    screening_id: ScreeningId,
    request: ApiRequest,
    availability: Availability,
    status: Status = None,
    section: Section = None,
) -> Reply:
    """List the seats of a screening.

    The same for everybody; `/seats/me` is the caller's own view. A hold that has run out reads `available` at that very
    moment.
    """
    seat_map = await availability.of(screening_id)
    if status is None and section is None:
        await seat_map.write_up()
        return await packable(request, seat_map.whole, seat_map.etag)  # as it is now: it may have changed
    return await cacheable_later(request, lambda: seat_map.filtered(status, section), seat_map.etag)


@router.get(
    "/screenings/{screening_id}/seats/me",
    response_model=SeatMapOut,
    response_description="The map.",
    responses=UNCHANGED | problems("not-found"),
)
@api_key_scope(KeyScope.READ)
async def list_seats_as_i_see_them(
    screening_id: ScreeningId,
    request: ApiRequest,
    person: SignedIn,
    availability: Availability,
    status: Status = None,
    section: Section = None,
) -> Reply:
    """List the seats of a screening as I see them.

    The caller's own holds read `reserved_by_me`, and `is_mine` is true for what they hold or booked.
    """
    seat_map = await availability.with_owners(screening_id)
    tag = seat_map.personal_etag(person.id)
    return await cacheable_later(request, lambda: seat_map.personal(person.id, status, section), tag)


@router.get(
    "/screenings/{screening_id}/availability",
    response_model=CompactMapOut,
    response_description="The map in short.",
    responses=UNCHANGED | problems("not-found"),
)
async def show_availability(screening_id: ScreeningId, request: ApiRequest, availability: Availability) -> Reply:
    """Show what is taken, in short.

    For large houses: `taken` is a list of [seat_id, status, expires_at], and a seat that is not in it is available.
    """
    seat_map = await availability.of(screening_id)
    return await packable(request, seat_map.short, seat_map.etag)


@router.get(
    "/screenings/{screening_id}/changes",
    response_model=ChangesOut,
    response_description="The changes.",
    responses=UNCHANGED | problems("not-found", "changes-gone"),
)
@api_key_scope(KeyScope.READ)
async def list_changes(
    screening_id: ScreeningId,
    request: ApiRequest,
    caller: Caller,
    changes: Changes,
    since: Annotated[Since, Query()] = 0,
) -> Reply:
    """List what changed after a version.

    One entry for each seat, as the caller sees it: what it is since its last change. Where there are more than 5,000
    changes, the map costs less to read: 410.
    """
    body = await changes.since(screening_id, since, caller.id if caller else None)
    return cacheable(request, body, tag_of(body))


@router.get(
    "/screenings/{screening_id}/best-available",
    response_model=BestAvailableOut,
    response_description="The seats that would be chosen.",
    responses=UNCHANGED | problems("not-found", "limit-exceeded", "sales-closed", "not-enough-seats"),
)
async def find_seats(
    screening_id: ScreeningId,
    request: ApiRequest,
    desk: Desk,
    count: Annotated[Count, Query()],
    section: Annotated[Name | None, Query(max_length=64, description=SECTION)] = None,
    category: Annotated[Name | None, Query(max_length=64, description=CATEGORY)] = None,
    max_price_minor: Annotated[
        int | None, Query(ge=0, le=LARGEST_INTEGER, description="What one seat may cost, in minor units.")
    ] = None,
    accessible: Annotated[Accessible, Query()] = 0,
    together: Annotated[Together, Query(description=TOGETHER)] = Together.PREFERRED,
) -> Reply:
    """Find the best seats available.

    Those that holding them would take now. They are nobody's yet: send the same as `best_available` to take them.
    """
    if accessible > count:
        raise mistake(["query", "accessible"], *ABOVE_COUNT)
    wish = Wish(count, section, category, None, accessible, together)
    answer = await desk.best_available(screening_id, wish, max_price_minor, request.request_id)
    return cacheable(request, answer.body, tag_of(answer.body))


@router.post(
    "/screenings/{screening_id}/check-selection",
    response_model=CheckedOut,
    response_description="Whether these seats could be held.",
    responses=problems("not-found", "unknown-seats"),
)
@api_key_scope(KeyScope.READ)
async def check_selection(
    screening_id: ScreeningId, wanted: SeatsWanted, request: ApiRequest, caller: Caller, desk: Desk
) -> Reply:
    """Check a selection of seats.

    `problem` is what holding them would be refused with. It takes nothing, and promises nothing.
    """
    who = Asker(caller, address_of_guest(request, caller))
    try:
        return told(await desk.check(screening_id, wanted.names(), who, request.request_id))
    except (Busy, NotFound, UnknownSeats):
        raise
    except Refusal as refusal:
        refused = problem(refusal, request.path, request.request_id)
        return Reply(checked_json(await desk.cost(screening_id, wanted.names()), bytes(refused.body)))


@router.get(
    "/theaters/{theater_id}/seats",
    response_model=SeatMapOut,
    response_description="The map.",
    responses=UNCHANGED | problems("not-found"),
)
async def list_seats_of_theater(
    theater_id: TheaterId,
    request: ApiRequest,
    catalogue: Catalogue,
    availability: Availability,
    screening_id: Annotated[ScreeningId | None, Query(description="One of its screenings; none: the next one.")] = None,
    status: Status = None,
    section: Section = None,
) -> Reply:
    """List the seats of a theater.

    For one of its screenings, or for the next one on sale.
    """
    meant = await catalogue.screening_of_theater(theater_id, screening_id)
    return await list_seats(meant, request, availability, status, section)


@router.post(
    "/theaters/{theater_id}/reserve",
    status_code=201,
    response_model=ReservationOut,
    response_description="The hold.",
    responses=problems(*_TAKING),
)
@api_key_scope(KeyScope.SELL)
@ignores_unknown_parameters
async def hold_seats_of_theater(
    theater_id: TheaterId, wanted: TheaterSeatsIn, buyer: Buyer, call: Call, desk: Desk
) -> Reply:
    """Hold seats of a theater.

    The screening need not be named while only one is on sale there. Otherwise as holding seats of a screening.
    """
    meant = Meant(wanted.screening_id, theater_id)
    return told(await desk.hold(meant, wanted.names(), buyer, call, wish=wanted.wish()))


@router.post(
    "/theaters/{theater_id}/book",
    status_code=201,
    response_model=BookingOut,
    response_description="The booking.",
    responses=problems(*_TAKING, "payment-declined"),
)
@api_key_scope(KeyScope.SELL)
@ignores_unknown_parameters
async def book_seats_of_theater(
    theater_id: TheaterId, wanted: TheaterBookingIn, request: ApiRequest, buyer: Buyer, desk: Desk
) -> Reply:
    """Book seats of a theater.

    Directly, without holding them first. The screening need not be named while only one is on sale there.
    """
    call = context_of(request, buyer.person, wanted.booking_id)
    meant = Meant(wanted.screening_id, theater_id)
    payment = wanted.payment or LenientPaymentIn()
    return told(await desk.book(meant, wanted.names(), buyer, call, payment.method, payment.token, wanted.wish()))
