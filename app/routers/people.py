"""Accounts, guests, their sessions, and who I am."""

from typing import Annotated

from fastapi import Query

from app.dependencies import Accounts, Caller, People, SessionId, Sessions, SignedIn
from app.domain.people.people import KeyScope
from app.http.answers import UNCHANGED, cacheable, created, tag_of
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.routes import BASE, api_router
from app.http.scopes import api_key_scope
from app.schemas.format.ids import ScreeningId
from app.schemas.format.moments import encoded
from app.schemas.people.people import (
    GuestIn,
    LeaveIn,
    LoginIn,
    MeIn,
    MeOut,
    PasswordIn,
    RefreshIn,
    RegisterIn,
    TokensOut,
)
from app.services.people.sessions import Welcome

router = api_router("people")

ME = f"{BASE}/me"


@router.post(
    "/auth/register",
    status_code=201,
    response_model=MeOut,
    response_description="The new account.",
    responses=problems("username-taken"),
)
@api_key_scope(KeyScope.PEOPLE)
async def register(wanted: RegisterIn, caller: Caller, accounts: Accounts, people: People) -> Reply:
    """Register.

    An account of a customer. With a guest's token, as the bearer token or as `guest_token`, it becomes that guest's
    account: what they hold and booked is theirs. The guest's tokens end: sign in.
    """
    person = await accounts.register(wanted.username, wanted.email, wanted.password, caller, wanted.guest_token)
    return created(encoded((await people.me(person)).model_dump()), ME)


@router.post(
    "/auth/login",
    response_model=TokensOut,
    response_description="Tokens of a new session.",
    responses=problems("unauthenticated"),
)
async def login(request: ApiRequest, wanted: LoginIn, accounts: Accounts) -> Reply:
    """Sign in.

    As JSON, or as the form of an OAuth2 password grant: so that the Authorize button of this page works. A guest who
    sends their `guest_token` takes along what they hold and have booked; that token ends.
    """
    welcome = await accounts.login(
        wanted.username, wanted.password, request.client_address, wanted.guest_token, request.request_id
    )
    return Reply(_tokens(welcome))


@router.post(
    "/auth/guest",
    status_code=201,
    summary="Become a guest",
    response_model=TokensOut,
    response_description="Tokens for the new guest.",
    responses=problems("validation"),
)
async def become_guest(guest: GuestIn, people: People) -> Reply:
    """A token for a new guest. It opens nothing that an earlier guest with the same email did."""
    return created(_tokens(await people.new_guest(guest.email)), ME)


@router.post(
    "/auth/refresh",
    response_model=TokensOut,
    response_description="New tokens of the same session.",
    responses=problems("unauthenticated"),
)
async def refresh_tokens(shown: RefreshIn, sessions: Sessions) -> Reply:
    """Get new tokens.

    Each refresh token is good for one use. One that comes a second time was copied by somebody: the session ends.
    """
    return Reply(_tokens(await sessions.refresh(shown.refresh_token)))


@router.post(
    "/auth/logout",
    status_code=204,
    response_description="The session has ended.",
    responses=problems("unauthenticated"),
)
async def logout(shown: RefreshIn, sessions: Sessions) -> Reply:
    """Sign out.

    Ends the session with all its tokens; again changes nothing.
    """
    await sessions.end(shown.refresh_token)
    return Reply(status=204)


@router.get(
    "/me",
    summary="Who am I?",
    response_model=MeOut,
    response_description="The caller, and what they have.",
    responses=UNCHANGED | problems("unauthenticated", "not-found"),
)
@api_key_scope(KeyScope.READ)
async def who_am_i(
    request: ApiRequest,
    person: SignedIn,
    people: People,
    screening_id: Annotated[ScreeningId | None, Query(description="Count today as this screening does.")] = None,
) -> Reply:
    """Who the token says the caller is, with how many holds and bookings they have.

    With `Customer-Reference`: who that customer is; 404 as long as nothing was held or booked for them.
    """
    body = encoded((await people.me(person, screening_id)).model_dump())
    return cacheable(request, body, tag_of(body))


@router.patch(
    "/me",
    response_model=MeOut,
    response_description="The caller as they are now.",
    responses=problems("forbidden"),
)
@api_key_scope(KeyScope.PEOPLE)
async def change_me(wanted: MeIn, person: SignedIn, people: People) -> Reply:
    """Change my email.

    Guests, too, may give an address, or another one, after they took seats.
    """
    return Reply(encoded((await people.change_email(person, wanted.email)).model_dump()))


@router.post(
    "/me/password",
    status_code=204,
    response_description="It is changed.",
    responses=problems("forbidden"),
)
@api_key_scope(KeyScope.PEOPLE)
async def change_password(
    request: ApiRequest, wanted: PasswordIn, person: SignedIn, session_id: SessionId, accounts: Accounts
) -> Reply:
    """Change my password.

    All my other sessions end, here at once and everywhere within a second.
    """
    await accounts.change_password(
        person, session_id, wanted.current_password, wanted.new_password, request.client_address
    )
    return Reply(status=204)


@router.delete(
    "/me",
    status_code=204,
    response_description="The account is gone.",
    responses=problems("forbidden"),
)
@api_key_scope(KeyScope.PEOPLE)
async def delete_my_account(
    request: ApiRequest, person: SignedIn, accounts: Accounts, leave: LeaveIn | None = None
) -> Reply:
    """Delete my account.

    Username, email and password are gone, all sessions end, holds are released. Bookings stay, with nobody's name on
    them. A guest has no password and sends none.
    """
    await accounts.delete(person, leave.password if leave else None, request.client_address, request.request_id)
    return Reply(status=204)


def _tokens(welcome: Welcome) -> bytes:
    tokens = TokensOut(
        access_token=welcome.access_token, refresh_token=welcome.refresh_token, expires_in=welcome.expires_in
    )
    return tokens.model_dump_json().encode()
