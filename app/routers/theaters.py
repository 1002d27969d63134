"""Theaters, their layouts and what is on there: reading for everybody, editing for organizers."""

import asyncio
from typing import Annotated, Final

from fastapi import Query

from app.dependencies import Call, Catalogue, IfMatch, LayoutTexts, Organizer, Organizing
from app.domain.house.catalogue import Theater
from app.domain.people.people import KeyScope
from app.http.answers import (
    CURSOR,
    UNCHANGED,
    attachment,
    cacheable,
    created_once,
    edited,
    packable,
    page,
    tag_of,
    tag_of_revision,
)
from app.http.bodies import LARGEST_LAYOUT, LARGEST_SCREENING
from app.http.files import MULTIPART, mistakes_of, sent_file
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.format.faults import mistake
from app.schemas.format.ids import TheaterId
from app.schemas.format.pages import IdCursor, Limit, MomentCursor
from app.schemas.house.layout_files import LayoutFormat, LayoutImportOut
from app.schemas.house.layouts import LayoutIn, LayoutOut
from app.schemas.house.theaters import TheaterIn, TheaterOut, TheaterPatch, TheatersOut, theater_json, theaters_json
from app.schemas.imports import FileWrong, read_layout_file
from app.schemas.screenings import ScreeningIn, ScreeningOut, ScreeningsOut, screenings_json
from app.services.house import importing
from app.services.house.layout_texts import layout_file
from app.services.seat_maps.packed import Packed

router = api_router("theaters")

LAYOUT_FILES: Final = frozenset(
    (
        "application/json",
        "application/octet-stream",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "text/csv",
        "text/plain",
        "text/tab-separated-values",
    )
)
"""Media types of a file with a layout in it."""

FORMAT: Final = Query(alias="format", description="usher, csv or pretix: the layout as a file.")
DRY_RUN: Final = Query(description="true: say what would be, with a preview, and change nothing.")
STRICT: Final = Query(description="true: a warning is a mistake.")

_FILE: Final = {"type": "string", "format": "binary"}
_FILE_IN_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {"schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE}}},
            **{media_type: {"schema": _FILE} for media_type in sorted(LAYOUT_FILES)},
        },
    }
}

_EDIT = ("unauthenticated", "forbidden", "not-found", "precondition-failed", "validation")


@router.get(
    "/theaters",
    summary="List the theaters",
    response_model=TheatersOut,
    response_description="A page of theaters.",
    responses=UNCHANGED | problems("validation"),
)
async def list_theaters(
    request: ApiRequest,
    catalogue: Catalogue,
    limit: Limit = 50,
    cursor: Annotated[IdCursor | None, CURSOR] = None,
) -> Reply:
    """All of them, the newest first."""
    theaters = await catalogue.theaters(cursor, limit)
    return page(request, theaters_json(theaters), theaters.next_cursor)


@router.get(
    "/theaters/{theater_id}",
    summary="Show a theater",
    response_model=TheaterOut,
    response_description="The theater.",
    responses=UNCHANGED | problems("not-found", "validation"),
)
async def show_theater(request: ApiRequest, catalogue: Catalogue, theater_id: TheaterId) -> Reply:
    """Its name, its time zone, and how many seats and screenings to come it has."""
    theater = await catalogue.theater(theater_id)
    return cacheable(request, theater_json(theater), _tag(theater))


@router.post(
    "/theaters",
    status_code=201,
    max_body_size=LARGEST_LAYOUT,
    response_model=TheaterOut,
    response_description="The theater.",
    responses=problems("unauthenticated", "forbidden", "validation"),
)
@api_key_scope(KeyScope.HOUSE)
async def open_theater(wanted: TheaterIn, person: Organizer, call: Call, organizing: Organizing) -> Reply:
    """Open a theater.

    Its seats may come with it or later. A layout is a list of sections with rows, and a row's `seats` are a count, or
    one object for each. Labels that are not given are made from row and number.
    """
    return created_once(await organizing.open_theater(wanted, person, call.key))


@router.patch(
    "/theaters/{theater_id}",
    response_model=TheaterOut,
    response_description="The theater as it is now.",
    responses=problems(*_EDIT),
)
@api_key_scope(KeyScope.HOUSE)
async def change_theater(
    theater_id: TheaterId, edit: TheaterPatch, person: Organizer, revision: IfMatch, organizing: Organizing
) -> Reply:
    """Change a theater's name or time zone."""
    theater = await organizing.change_theater(theater_id, edit, person, revision)
    return edited(theater_json(theater), _tag(theater))


@router.delete(
    "/theaters/{theater_id}",
    status_code=204,
    response_description="It is gone.",
    responses=problems(*_EDIT, "theater-in-use"),
)
@api_key_scope(KeyScope.HOUSE)
async def remove_theater(theater_id: TheaterId, person: Organizer, revision: IfMatch, organizing: Organizing) -> Reply:
    """Take a theater away, when no screenings are to come there.

    Its past screenings, their bookings and tickets stay readable.
    """
    await organizing.remove_theater(theater_id, person, revision)
    return Reply(status=204)


@router.get(
    "/theaters/{theater_id}/layout",
    summary="Show the seats of a theater",
    response_model=LayoutOut,
    response_description="Its sections and seats; with `format`, a file.",
    responses=UNCHANGED | problems("not-found", "validation"),
)
async def show_layout(
    request: ApiRequest,
    catalogue: Catalogue,
    texts: LayoutTexts,
    theater_id: TheaterId,
    seat_ids: Annotated[
        str | None,
        Query(
            pattern="^[0-9]{1,18}(,[0-9]{1,18})*$",
            max_length=4_000,
            description="Only these seats: their ids, with commas. What the house does not have is left out.",
        ),
    ] = None,
    file_format: Annotated[LayoutFormat | None, FORMAT] = None,
) -> Reply:
    """Every seat, and where it stands; with `seat_ids` those seats and their sections.

    The ETag begins with the revision of the layout: ask again with `If-None-Match`, and it is sent only when it was
    edited. With `format` the answer is a file of all seats that can be imported again, and every seat stays the same
    one: `usher` is what PUT takes, `csv` a table for spreadsheets, `pretix` a seating plan.
    """
    layout = await catalogue.layout(theater_id)
    if seat_ids is not None and file_format is not None:
        raise mistake(["query", "format"], "all_seats", "A file has all seats. Leave out seat_ids, or format.")
    if seat_ids is not None:
        some = await texts.of_some(layout, {int(seat_id) for seat_id in seat_ids.split(",")})
        return cacheable(request, some, tag_of_revision(layout.revision, some))
    if file_format is None:
        return await packable(request, lambda: texts.of(layout), f'"{layout.revision}"')
    made = await asyncio.to_thread(layout_file, layout, file_format, (await catalogue.theater(theater_id)).name)
    return await packable(
        request, lambda: Packed(made.content), tag_of(made.content), made.media_type, (attachment(made.name),)
    )


@router.put(
    "/theaters/{theater_id}/layout",
    max_body_size=LARGEST_LAYOUT,
    response_model=LayoutOut,
    response_description="The seats as they are now.",
    responses=problems(*_EDIT, "layout-in-use"),
)
@api_key_scope(KeyScope.HOUSE)
async def replace_layout(
    theater_id: TheaterId,
    layout: LayoutIn,
    person: Organizer,
    revision: IfMatch,
    organizing: Organizing,
    texts: LayoutTexts,
) -> Reply:
    """Replace the seats of a theater.

    A seat is known by the label that is given, else by section, row and number: one that stays keeps its id, its label,
    its holds, bookings and blocks. One that is held, booked or blocked in a screening to come cannot go, and every
    category needs a price in all of these screenings first.
    """
    standing = await organizing.rebuild(theater_id, layout, person, revision)
    return edited((await texts.of(standing)).plain, f'"{standing.revision}"')


@router.post(
    "/theaters/{theater_id}/layout/import",
    summary="Import the seats of a theater from a file",
    max_body_size=LARGEST_LAYOUT,
    response_model=LayoutImportOut,
    response_description="The seats as they are now; of a dry run, as they would be.",
    responses=problems(*_EDIT, "layout-in-use", "unsupported-media-type"),
    openapi_extra=_FILE_IN_BODY,
)
@api_key_scope(KeyScope.HOUSE)
async def import_layout(
    request: ApiRequest,
    theater_id: TheaterId,
    person: Organizer,
    revision: IfMatch,
    organizing: Organizing,
    catalogue: Catalogue,
    dry_run: Annotated[bool, DRY_RUN] = False,
    strict: Annotated[bool, STRICT] = False,
) -> Reply:
    """Replace the seats of a theater by those of a file: our own JSON, a table of a spreadsheet (CSV, or .xlsx where
    openpyxl is installed), or a seating plan of pretix. What it is, is seen from its content.

    Seats that are there before and after stay the same ones, as with PUT. Mistakes are told with their line.
    """
    sent = await asyncio.to_thread(sent_file, request, LAYOUT_FILES)
    try:
        file = await asyncio.to_thread(read_layout_file, sent.content, encoding=sent.encoding, strict=strict)
        request.set_aside.append(file)
        if dry_run:
            imported = await importing.rehearse(organizing, catalogue, file, theater_id, revision)
        else:
            imported = await importing.replace_layout(organizing, catalogue, file, theater_id, person, revision)
        request.set_aside.append(imported)
    except FileWrong as wrong:
        raise mistakes_of(wrong) from None
    made = await asyncio.to_thread(imported.json, theater_id, file.warnings, dry_run=dry_run)
    return Reply(made)


@router.get(
    "/theaters/{theater_id}/screenings",
    summary="List the screenings of a theater",
    response_model=ScreeningsOut,
    response_description="A page of screenings.",
    responses=UNCHANGED | problems("not-found", "validation"),
)
async def list_screenings_of_theater(
    request: ApiRequest,
    catalogue: Catalogue,
    theater_id: TheaterId,
    limit: Limit = 50,
    cursor: Annotated[MomentCursor | None, CURSOR] = None,
) -> Reply:
    """What is on there, was and will be: the soonest first."""
    screenings = await catalogue.screenings_of(theater_id, cursor, limit)
    return page(request, screenings_json(screenings), screenings.next_cursor)


@router.post(
    "/theaters/{theater_id}/screenings",
    status_code=201,
    max_body_size=LARGEST_SCREENING,
    response_model=ScreeningOut,
    response_description="The screening.",
    responses=problems("unauthenticated", "forbidden", "not-found", "validation"),
)
@api_key_scope(KeyScope.HOUSE)
async def put_on_screening(
    theater_id: TheaterId, wanted: ScreeningIn, person: Organizer, call: Call, organizing: Organizing
) -> Reply:
    """Put a screening on.

    Every category of the layout needs a price; prices of others may be there too, for a layout that is to come. What is
    not sent is as usual in the house; a limit of null is none.
    """
    return created_once(await organizing.put_on(theater_id, wanted, person, call.key))


def _tag(theater: Theater) -> str:
    return tag_of_revision(theater.revision, theater_json(theater))
