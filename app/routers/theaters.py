"""Theaters, their layouts and what is on there."""

from typing import Annotated

from app.dependencies import Asked, Catalogue
from app.routers.answers import CURSOR, UNCHANGED, cacheable, page, tag_of_revision
from app.routers.documents import problems
from app.routers.replies import Reply
from app.routers.routes import api_router
from app.schemas.ids import TheaterId
from app.schemas.layouts import LayoutOut, layout_json
from app.schemas.pages import IdCursor, Limit, MomentCursor
from app.schemas.screenings import ScreeningsOut, screenings_json
from app.schemas.theaters import TheaterOut, TheatersOut, theater_json, theaters_json

router = api_router("theaters")


@router.get(
    "/theaters",
    summary="List the theaters",
    response_model=TheatersOut,
    response_description="A page of theaters.",
    responses=UNCHANGED | problems("validation"),
)
async def list_theaters(
    asked: Asked,
    catalogue: Catalogue,
    limit: Limit = 50,
    cursor: Annotated[IdCursor | None, CURSOR] = None,
) -> Reply:
    """All of them, the newest first."""
    theaters = await catalogue.theaters(cursor, limit)
    return page(asked, theaters_json(theaters), theaters.next_cursor)


@router.get(
    "/theaters/{theater_id}",
    summary="Show a theater",
    response_model=TheaterOut,
    response_description="The theater.",
    responses=UNCHANGED | problems("not-found", "validation"),
)
async def show_theater(asked: Asked, catalogue: Catalogue, theater_id: TheaterId) -> Reply:
    """Its name, its time zone, and how many seats and screenings to come it has."""
    theater = await catalogue.theater(theater_id)
    body = theater_json(theater)
    return cacheable(asked, body, tag_of_revision(theater.revision, body))


@router.get(
    "/theaters/{theater_id}/layout",
    summary="Show the seats of a theater",
    response_model=LayoutOut,
    response_description="Its sections and seats.",
    responses=UNCHANGED | problems("not-found", "validation"),
)
async def show_layout(asked: Asked, catalogue: Catalogue, theater_id: TheaterId) -> Reply:
    """Every seat, and where it stands.

    The ETag is the revision of the layout: ask again with `If-None-Match`, and it is sent only when it was edited.
    """
    layout = await catalogue.layout(theater_id)
    return cacheable(asked, lambda: layout_json(layout), f'"{layout.revision}"')


@router.get(
    "/theaters/{theater_id}/screenings",
    summary="List the screenings of a theater",
    response_model=ScreeningsOut,
    response_description="A page of screenings.",
    responses=UNCHANGED | problems("not-found", "validation"),
)
async def list_screenings_of_theater(
    asked: Asked,
    catalogue: Catalogue,
    theater_id: TheaterId,
    limit: Limit = 50,
    cursor: Annotated[MomentCursor | None, CURSOR] = None,
) -> Reply:
    """What is on there, was and will be: the soonest first."""
    screenings = await catalogue.screenings_of(theater_id, cursor, limit)
    return page(asked, screenings_json(screenings), screenings.next_cursor)
