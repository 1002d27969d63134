"""Screenings: what is on, when, and for how much; organizers change and cancel them here."""

from typing import Annotated

from fastapi import Query

from app.dependencies import Availability, Catalogue, Closing, IfMatch, Organizer, Organizing
from app.domain.catalogue import ScreeningFilter
from app.domain.people import KeyScope
from app.http.answers import CURSOR, UNCHANGED, cacheable, edited, page, tag_of_revision
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.format.ids import ScreeningId, TheaterId
from app.schemas.format.moments import MomentIn
from app.schemas.format.pages import Limit, MomentCursor
from app.schemas.screenings import ScreeningOut, ScreeningPatch, ScreeningsOut, screening_json, screenings_json

router = api_router("screenings")

_EDIT = ("unauthenticated", "forbidden", "not-found", "precondition-failed", "validation")


@router.get(
    "/screenings",
    summary="List screenings",
    response_model=ScreeningsOut,
    response_description="A page of screenings.",
    responses=UNCHANGED | problems("validation"),
)
async def list_screenings(
    request: ApiRequest,
    catalogue: Catalogue,
    availability: Availability,
    theater_id: Annotated[TheaterId | None, Query(description="Only those of this theater.")] = None,
    starts_from: Annotated[
        MomentIn | None, Query(alias="from", description="Only those that start then or later.")
    ] = None,
    starts_before: Annotated[MomentIn | None, Query(alias="to", description="Only those that start before.")] = None,
    counts: Annotated[
        bool, Query(description="Say of each that is on sale how many seats have which status, as its map does.")
    ] = False,
    limit: Limit = 50,
    cursor: Annotated[MomentCursor | None, CURSOR] = None,
) -> Reply:
    """What is on, the soonest first.

    Those that are over and those that were cancelled are listed too: send `from` to leave the past out.
    """
    screenings = await catalogue.screenings(ScreeningFilter(theater_id, starts_from, starts_before), cursor, limit)
    on_sale = [each.screening.id for each in screenings.items if each.on_sale] if counts else []
    return page(request, screenings_json(screenings, await availability.counts(on_sale)), screenings.next_cursor)


@router.get(
    "/screenings/{screening_id}",
    summary="Show a screening",
    response_model=ScreeningOut,
    response_description="The screening.",
    responses=UNCHANGED | problems("not-found", "validation"),
)
async def show_screening(request: ApiRequest, catalogue: Catalogue, screening_id: ScreeningId) -> Reply:
    """When it starts, what a seat costs, and whether it is on sale now."""
    screening = await catalogue.screening(screening_id)
    body = screening_json(screening)
    return cacheable(request, body, tag_of_revision(screening.screening.revision, body))


@router.patch(
    "/screenings/{screening_id}",
    response_model=ScreeningOut,
    response_description="The screening as it is now.",
    responses=problems(*_EDIT, "layout-in-use"),
)
@api_key_scope(KeyScope.HOUSE)
async def change_screening(
    screening_id: ScreeningId, edit: ScreeningPatch, person: Organizer, revision: IfMatch, organizing: Organizing
) -> Reply:
    """Change a screening.

    `prices` and `limits` are merged into what is there. What people hold and booked keeps the price of its moment. One
    that has begun can be put into the future again only if all of its seats that are in use are still in the house.
    """
    listed = await organizing.change_screening(screening_id, edit, person, revision)
    body = screening_json(listed)
    return edited(body, tag_of_revision(listed.screening.revision, body))


@router.delete(
    "/screenings/{screening_id}",
    status_code=204,
    response_description="It is cancelled.",
    responses=problems(*_EDIT),
)
@api_key_scope(KeyScope.HOUSE)
async def cancel_screening(
    request: ApiRequest, screening_id: ScreeningId, person: Organizer, revision: IfMatch, closing: Closing
) -> Reply:
    """Cancel a screening.

    Holds are released, bookings cancelled and refunded, and nothing more is sold. It stays readable, with
    `cancelled_at`. Cancelling it again changes nothing.
    """
    await closing.close(screening_id, person, request.request_id, revision)
    return Reply(status=204)
