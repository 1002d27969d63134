"""The house's own seats: taking them off sale, putting them back, and what happened to each."""

from typing import Annotated

from app.dependencies import Call, Desk, History, Organizer
from app.domain.people.people import KeyScope
from app.http.answers import CURSOR, UNCHANGED, cacheable, page, tag_of, told
from app.http.bodies import LARGEST_LAYOUT
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.blocks import BlockedOut, BlockIn, BlocksOut, UnblockIn
from app.schemas.format.ids import ScreeningId, SeatId
from app.schemas.format.pages import IdCursor, Limit, page_json
from app.schemas.history import HistoryOut, history_out

router = api_router("seats")

_REFUSALS = ("validation", "unauthenticated", "forbidden", "not-found", "unknown-seats", "busy")


@router.post(
    "/screenings/{screening_id}/blocks",
    max_body_size=LARGEST_LAYOUT,
    response_model=BlockedOut,
    responses=problems(*_REFUSALS),
)
@api_key_scope(KeyScope.HOUSE)
async def block_seats(screening_id: ScreeningId, wanted: BlockIn, person: Organizer, call: Call, desk: Desk) -> Reply:
    """Take seats off sale, as far as nobody has them. Each seat has its own outcome.

    With `when_free`, seats that are held follow as soon as their holds end, unless they are booked.
    """
    names = wanted.names()
    return told(await desk.block(screening_id, names, wanted.reason, person, call, when_free=wanted.when_free))


@router.delete(
    "/screenings/{screening_id}/blocks",
    max_body_size=LARGEST_LAYOUT,
    response_model=BlockedOut,
    responses=problems(*_REFUSALS),
)
@api_key_scope(KeyScope.HOUSE)
async def unblock_seats(
    screening_id: ScreeningId, wanted: UnblockIn, person: Organizer, call: Call, desk: Desk
) -> Reply:
    """Put seats back on sale. Each seat has its own outcome."""
    return told(await desk.unblock(screening_id, wanted.names(), person, call))


@router.get(
    "/screenings/{screening_id}/blocks",
    response_model=BlocksOut,
    responses=UNCHANGED | problems("validation", "unauthenticated", "forbidden", "not-found"),
)
@api_key_scope(KeyScope.HOUSE)
async def list_blocks(screening_id: ScreeningId, request: ApiRequest, person: Organizer, history: History) -> Reply:
    """List the blocked seats of a screening, each with the reason that was given."""
    body = await history.blocks(screening_id)
    return cacheable(request, body, tag_of(body))


@router.get(
    "/screenings/{screening_id}/seats/{seat_id}/history",
    response_model=HistoryOut,
    responses=problems("validation", "unauthenticated", "forbidden", "not-found"),
)
@api_key_scope(KeyScope.HOUSE)
async def show_history_of_seat(
    screening_id: ScreeningId,
    seat_id: SeatId,
    request: ApiRequest,
    person: Organizer,
    history: History,
    limit: Limit = 50,
    cursor: Annotated[IdCursor | None, CURSOR] = None,
) -> Reply:
    """Show who did what to a seat of a screening and when, newest first. What time did has the cause `expiry`."""
    found = await history.of_seat(screening_id, seat_id, cursor, limit)
    return page(request, page_json(history_out(found.items), found.next_cursor), found.next_cursor)
