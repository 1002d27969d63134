"""Transfers: offer booked seats to somebody else, look at one's offers or at one, withdraw it, accept it."""

from typing import Annotated, Final

from fastapi import Path, Query

from app.dependencies import Buyer, Call, SignedIn, Transfers
from app.domain.people.people import KeyScope
from app.domain.transfers import TransferSide
from app.http.answers import CURSOR, UNCHANGED, cacheable, page, tag_of, told
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.bookings import BookingOut
from app.schemas.format.ids import BookingId, ScreeningId
from app.schemas.format.pages import Limit, UuidCursor, page_json
from app.schemas.reservations import NothingIn
from app.schemas.transfers import CODE_EXAMPLE, OfferIn, OfferOut, TransferOut, TransfersOut

router = api_router("transfers")

Code = Annotated[str, Path(examples=[CODE_EXAMPLE], description="The code of an offer, with or without its hyphens.")]

_OFFER: Final = ("not-found", "unknown-seats", "reservation-ended", "cancellation-closed", "sales-closed")


@router.post(
    "/bookings/{booking_id}/transfers",
    status_code=201,
    response_model=OfferOut,
    response_description="The offer, with its code.",
    responses=problems(*_OFFER),
)
@api_key_scope(KeyScope.SELL)
async def offer_seats(
    booking_id: BookingId, person: SignedIn, call: Call, transfers: Transfers, wanted: OfferIn | None = None
) -> Reply:
    """Offer seats to somebody else.

    Seats of my booking, or all of them. Whoever has the code may accept, for 72 hours, and not once the screening has
    started. Until then the seats stay mine. Offering a seat again withdraws the earlier offer. It can be offered until
    `cancel_until` of the screening.
    """
    names = wanted.names() if wanted is not None and wanted.names_any_seats else None
    return told(await transfers.offer(person, booking_id, names, call))


@router.get("/transfers", response_model=TransfersOut, response_description="A page of transfers.", responses=UNCHANGED)
@api_key_scope(KeyScope.SELL)
async def list_transfers(
    request: ApiRequest,
    person: SignedIn,
    transfers: Transfers,
    side: Annotated[
        TransferSide, Query(description="`giver`: what I offered; `taker`: what I accepted.")
    ] = TransferSide.GIVER,
    screening_id: Annotated[ScreeningId | None, Query(description="Only those of this screening.")] = None,
    limit: Limit = 50,
    cursor: Annotated[UuidCursor | None, CURSOR] = None,
) -> Reply:
    """List my transfers.

    What I offered, with the codes of what somebody may still accept; or what I accepted. The newest first.
    """
    items, next_cursor = await transfers.newest(person, side, screening_id, cursor, limit)
    return page(request, page_json(items, next_cursor), next_cursor)


@router.get(
    "/transfers/{code}",
    response_model=TransferOut,
    response_description="What is offered, and whether it still is.",
    responses=UNCHANGED | problems("not-found"),
)
async def show_transfer(code: Code, request: ApiRequest, transfers: Transfers) -> Reply:
    """Look at an offer.

    For whoever has the code, with a token or without. An offer is `withdrawn`, too, when its booking has lost a seat of
    it: it was cancelled, exchanged, or offered again.
    """
    body = await transfers.one(code)
    return cacheable(request, body, tag_of(body))


@router.delete(
    "/transfers/{code}",
    status_code=204,
    response_description="It is withdrawn.",
    responses=problems("not-found", "transfer-over"),
)
@api_key_scope(KeyScope.SELL)
async def withdraw_offer(code: Code, person: SignedIn, call: Call, transfers: Transfers) -> Reply:
    """Withdraw an offer of mine.

    Withdrawing it again changes nothing, and neither does withdrawing what has run out.
    """
    return told(await transfers.withdraw(person, code, call))


@router.post(
    "/transfers/{code}/accept",
    status_code=201,
    response_model=BookingOut,
    response_description="The booking of the taker.",
    responses=problems("not-found", "transfer-over", "limit-exceeded"),
)
@api_key_scope(KeyScope.SELL)
async def accept_offer(
    code: Code, buyer: Buyer, call: Call, transfers: Transfers, nothing: NothingIn | None = None
) -> Reply:
    """Accept an offer.

    The seats move into a booking of yours, at the price that was paid for them; you pay nothing. When it is cancelled,
    the money goes back to who paid. Your limits count. Without a token you become a guest, as when holding.
    """
    return told(await transfers.accept(buyer, code, call))
