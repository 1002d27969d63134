"""Guests, and who I am. Accounts come next."""

from dataclasses import asdict

from app.dependencies import Asked, People, SignedIn
from app.routers.answers import UNCHANGED, cacheable, tag_of
from app.routers.documents import problems
from app.routers.replies import Reply
from app.routers.routes import api_router
from app.schemas.moments import encoded
from app.schemas.people import GuestIn, MeOut, TokenOut

router = api_router("people")


@router.post(
    "/auth/guest",
    status_code=201,
    summary="Become a guest",
    response_model=TokenOut,
    response_description="A token for the new guest.",
    responses=problems("validation"),
)
async def become_guest(guest: GuestIn, people: People) -> Reply:
    """A token for a new guest. It opens nothing that an earlier guest with the same email did."""
    welcome = await people.new_guest(guest.email)
    token = TokenOut(access_token=welcome.access_token, expires_in=welcome.expires_in)
    return Reply(token.model_dump_json().encode(), 201, headers=[(b"location", b"/api/v1/me")])


@router.get(
    "/me",
    summary="Who am I?",
    response_model=MeOut,
    response_description="The caller, and what they have.",
    responses=UNCHANGED | problems("unauthenticated"),
)
async def who_am_i(asked: Asked, person: SignedIn, people: People) -> Reply:
    """Who the token says the caller is, with how many holds and bookings they have."""
    body = encoded(asdict(await people.me(person)))
    return cacheable(asked, body, tag_of(body))
