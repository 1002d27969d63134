"""Calls that existing clients make (docs/api.md, section 10): thin aliases onto the same stories, in shapes they know.

They are not in the OpenAPI document, and ignore members of a body that they do not know.
"""

from typing import Annotated

from fastapi import Query

from app.dependencies import Availability, Buyer, Call, Catalogue, Changes, Desk, SignedIn
from app.domain.people.people import KeyScope
from app.http.answers import cacheable, cacheable_later, tag_of, told
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.declarations import ignores_unknown_parameters
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.existing_clients import ConfirmAsTheyDoIn, SeatAtOnceIn, ToggleAsTheyDoIn
from app.schemas.format.ids import ScreeningId, TheaterId
from app.services.desk import Meant

router = api_router("existing clients", in_schema=False)


@router.get("/seats")
@ignores_unknown_parameters
async def list_free_seats(
    request: ApiRequest,
    catalogue: Catalogue,
    availability: Availability,
    theater_id: Annotated[TheaterId | None, Query()] = None,
) -> Reply:
    """A bare list of the free seats of the next screening on sale; an empty one when none is."""
    screening_id = await catalogue.next_on_sale(theater_id)
    if screening_id is None:
        return cacheable(request, b"[]", tag_of(b"[]"))
    seat_map = await availability.of(screening_id)
    return await cacheable_later(request, seat_map.free_list, seat_map.etag)


@router.post("/reserve", status_code=201)
@api_key_scope(KeyScope.SELL)
@ignores_unknown_parameters
async def hold_seat(wanted: SeatAtOnceIn, buyer: Buyer, call: Call, desk: Desk) -> Reply:
    """Hold one seat; with an email and no token, as a guest of that email."""
    meant = Meant(wanted.screening_id, wanted.theater_id)
    return told(await desk.hold(meant, wanted.names(), buyer, call, wanted.email))


@router.post("/confirm", status_code=201)
@api_key_scope(KeyScope.SELL)
@ignores_unknown_parameters
async def confirm_hold(wanted: ConfirmAsTheyDoIn, person: SignedIn, call: Call, desk: Desk) -> Reply:
    """Book a hold, named by its reservation or by a seat in it."""
    if wanted.seat_id is not None:
        return told(await desk.confirm_seat(person, wanted.seat_id, wanted.screening_id, call))
    return told(await desk.confirm(person, wanted.one_reservation, call))


@router.post("/seat-reservations/toggle")
@api_key_scope(KeyScope.SELL)
@ignores_unknown_parameters
async def toggle(wanted: ToggleAsTheyDoIn, buyer: Buyer, call: Call, desk: Desk) -> Reply:
    """Toggle seats of a screening."""
    return told(await desk.toggle(wanted.screening_id, wanted.names(), buyer, call))


@router.get("/seat-reservations/screening/{screening_id}/availability/me")
@api_key_scope(KeyScope.READ)
@ignores_unknown_parameters
async def list_seats_for_me(
    screening_id: ScreeningId, request: ApiRequest, person: SignedIn, availability: Availability, changes: Changes
) -> Reply:
    """A bare list of all seats as the caller sees them."""
    seat_map = await availability.with_owners(screening_id)
    lost = await changes.lost_by(screening_id, person.id)
    body = await seat_map.personal_list(person.id, lost)
    return cacheable(request, body, tag_of(body))


@router.delete("/seat-reservations/cancel/{screening_id}")
@api_key_scope(KeyScope.SELL)
@ignores_unknown_parameters
async def release_all(screening_id: ScreeningId, person: SignedIn, call: Call, desk: Desk) -> Reply:
    """Release everything that the caller holds in a screening."""
    return told(await desk.release_all(screening_id, person, call))
