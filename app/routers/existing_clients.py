"""Calls that existing clients make (docs/api.md, section 10): thin aliases onto the same stories, in shapes they know.

They are not in the OpenAPI document, and ignore members of a body that they do not know.
"""

from typing import Annotated

from fastapi import Query

from app.dependencies import Asked, Availability, Buyer, Catalogue, Changes, Desk, IdempotencyKey, SignedIn
from app.http.answers import cacheable, tag_of, told
from app.http.replies import Reply
from app.http.routes import api_router
from app.schemas.format.ids import ScreeningId, TheaterId
from app.schemas.wanted import ConfirmAsTheyDoIn, SeatAtOnceIn, ToggleAsTheyDoIn
from app.services.desk import Meant, Request

router = api_router("existing clients", in_schema=False)


@router.get("/seats")
async def list_free_seats(
    asked: Asked,
    catalogue: Catalogue,
    availability: Availability,
    theater_id: Annotated[TheaterId | None, Query()] = None,
) -> Reply:
    """A bare list of the free seats of the next screening on sale; an empty one when none is."""
    screening_id = await catalogue.next_on_sale(theater_id)
    if screening_id is None:
        return cacheable(asked, b"[]", tag_of(b"[]"))
    seat_map = await availability.of(screening_id)
    return cacheable(asked, seat_map.free_list, seat_map.etag)


@router.post("/reserve", status_code=201)
async def hold_seat(wanted: SeatAtOnceIn, asked: Asked, buyer: Buyer, key: IdempotencyKey, desk: Desk) -> Reply:
    """Hold one seat; with an email and no token, as a guest of that email."""
    return told(await desk.hold(Meant(), wanted.names(), buyer, Request(key, asked.request_id), wanted.email))


@router.post("/confirm", status_code=201)
async def confirm_hold(
    wanted: ConfirmAsTheyDoIn, asked: Asked, person: SignedIn, key: IdempotencyKey, desk: Desk
) -> Reply:
    """Book a hold, named by its reservation or by a seat in it."""
    request = Request(key, asked.request_id)
    if wanted.seat_id is not None:
        return told(await desk.confirm_seat(person, wanted.seat_id, request))
    return told(await desk.confirm(person, wanted.one_reservation, request))


@router.post("/seat-reservations/toggle")
async def toggle(wanted: ToggleAsTheyDoIn, asked: Asked, buyer: Buyer, key: IdempotencyKey, desk: Desk) -> Reply:
    """Toggle seats of a screening."""
    return told(await desk.toggle(wanted.screening_id, wanted.names(), buyer, Request(key, asked.request_id)))


@router.get("/seat-reservations/screening/{screening_id}/availability/me")
async def list_seats_for_me(
    screening_id: ScreeningId, asked: Asked, person: SignedIn, availability: Availability, changes: Changes
) -> Reply:
    """A bare list of all seats as the caller sees them."""
    seat_map = await availability.with_owners(screening_id)
    lost = await changes.lost_by(screening_id, person.id)
    body = seat_map.personal_list(person.id, lost)
    return cacheable(asked, body, tag_of(body))


@router.delete("/seat-reservations/cancel/{screening_id}")
async def release_all(
    screening_id: ScreeningId, asked: Asked, person: SignedIn, key: IdempotencyKey, desk: Desk
) -> Reply:
    """Release everything that the caller holds in a screening."""
    return told(await desk.release_all(screening_id, person, Request(key, asked.request_id)))
