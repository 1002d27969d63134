"""Screenings: what is on, when, and for how much; organizers change and cancel them here."""

from typing import Annotated, Any, Final

from fastapi import Query

from app.dependencies import Availability, Catalogue, Closing, IfMatch, Organizer, Organizing, Reports
from app.domain.house.catalogue import ScreeningFilter
from app.domain.people.people import KeyScope
from app.http.answers import CURSOR, UNCHANGED, attachment, cacheable, edited, page, tag_of_revision
from app.http.bodies import LARGEST_SCREENING
from app.http.openapi import problems
from app.http.replies import Reply, Table
from app.http.request import ApiRequest
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.format.ids import ScreeningId, TheaterId
from app.schemas.format.moments import MomentIn
from app.schemas.format.pages import Limit, MomentCursor
from app.schemas.house.reports import ReportOut, report_json, report_table
from app.schemas.screenings import ScreeningOut, ScreeningPatch, ScreeningsOut, screening_json, screenings_json

router = api_router("screenings")

_FOR_ORGANIZERS = ("unauthenticated", "forbidden", "not-found", "validation")
_TABLE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {Table.media_type: {"schema": {"type": "string"}, "example": "part,name,sold\r\n"}}}
}

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
    max_body_size=LARGEST_SCREENING,
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


@router.get(
    "/screenings/{screening_id}/report",
    summary="What a screening has sold",
    response_model=ReportOut,
    response_description="Counts and money, by section, category and day.",
    responses=problems(*_FOR_ORGANIZERS),
)
@api_key_scope(KeyScope.HOUSE)
async def report_screening(screening_id: ScreeningId, person: Organizer, reports: Reports) -> Reply:
    """How many seats are sold, and for how much.

    `revenue` is all that was taken, and `refunded` what has gone back of it; the money of a part is net. A day is that
    of booking, in the theater's time zone.
    """
    return Reply(report_json(await reports.of(screening_id)))


@router.get(
    "/screenings/{screening_id}/report.csv",
    summary="The same as a table",
    response_description="A table for spreadsheets.",
    response_class=Table,
    responses=_TABLE | problems(*_FOR_ORGANIZERS),
)
@api_key_scope(KeyScope.HOUSE)
async def download_report(screening_id: ScreeningId, person: Organizer, reports: Reports) -> Reply:
    """The report as CSV: a line for the whole, and one for each section, category and day. Money is in minor units."""
    return _download(report_table(await reports.of(screening_id)), f"report-{screening_id}.csv")


@router.get(
    "/screenings/{screening_id}/bookings.csv",
    summary="The bookings of a screening as a table",
    response_description="A table for spreadsheets.",
    response_class=Table,
    responses=_TABLE | problems(*_FOR_ORGANIZERS),
)
@api_key_scope(KeyScope.HOUSE)
async def download_bookings(screening_id: ScreeningId, person: Organizer, reports: Reports) -> Reply:
    """A line for each seat that was ever booked, with its price; what was cancelled says since when."""
    return _download(await reports.bookings_table(screening_id), f"bookings-{screening_id}.csv")


def _download(table: bytes, name: str) -> Reply:
    return Reply(table, headers=(attachment(name),), media_type=Table.media_type.encode())
