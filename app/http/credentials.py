"""Who is asking: the bearer token of a request or a socket, and the person who shows it, or for whom a program asks."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Security
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.security.base import SecurityBase

from app.domain.box_office.addresses import Address
from app.domain.people.people import KeyScope, Person
from app.domain.refusals import Forbidden, Unauthenticated
from app.http.request import ApiRequest
from app.resources import Resources
from app.schemas.format.faults import BadRequest
from app.schemas.live import token_expiring_json
from app.schemas.problems import reasons
from app.services.live.listeners import Message
from app.services.people.api_keys import PREFIX as API_KEY_PREFIX
from app.services.people.people import Buyer

FOR_A_CUSTOMER: Final = (KeyScope.READ, KeyScope.SELL)
"""The scopes of the calls that a program may make for a customer of its own."""

_REFERENCE: Final = re.compile(rb"[\x21-\x7e]{1,128}")

TOLD_SECONDS: Final = 30.0
"""So long before its end a listener is told that the token ends."""


def bearer_token(authorization: bytes | None) -> bytes | None:
    """The token in an Authorization header; None if there is none, or the scheme is not Bearer."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None


async def person_of(resources: Resources, token: bytes) -> Person:
    """The user of this token or API key. Raises Unauthenticated. The caller must check the scopes of a key."""
    if token.startswith(API_KEY_PREFIX):
        return await resources.api_keys.person(token)
    return resources.tokens.person(token)


def known_person(resources: Resources, token: bytes) -> Person | None:
    """As `person_of`, without waiting: None if the token is not valid, or the key was not used lately."""
    if token.startswith(API_KEY_PREFIX):
        return resources.api_keys.known(token)
    try:
        return resources.tokens.person(token)
    except Unauthenticated:
        return None


class Bearer(SecurityBase):
    """The user of the request's token; None without a token. An invalid token is a 401, never an anonymous caller."""

    def __init__(self) -> None:
        self.model = BearerScheme(
            bearerFormat="JWT",
            description="`access_token` of POST /auth/login or /auth/guest, `guest_token` of a hold, or an API key. "
            "What an API key is good for depends on its scopes (`x-scope` of an operation) beside its role:\n",
        )
        self.scheme_name = "bearer"

    async def __call__(self, request: ApiRequest) -> Person | None:
        authorization = request.headers_once.get(b"authorization")
        reference = request.headers_once.get(b"customer-reference")
        if authorization is None:
            if reference is not None:
                raise Unauthenticated(reasons.REFERENCE_NEEDS_A_KEY)
            return None
        token = bearer_token(authorization)
        if token is None or request.repeats(b"authorization"):
            raise Unauthenticated(reasons.ONE_TOKEN)
        person = await person_of(request.resources, token)
        if person.scopes is not None and request.needs not in person.scopes:
            raise Forbidden(f"This API key lacks the scope {request.needs}. Send one that has it.")
        if reference is not None:
            person = await _customer(request, person, reference)
        request.user_id = person.id
        return person


async def _customer(request: ApiRequest, key: Person, reference: bytes) -> Person:
    """For whom a program asks. They are made with the first call that may write something for them.

    Raises Forbidden for whoever may not sell for others, and BadRequest.
    """
    if key.scopes is None or KeyScope.SELL not in key.scopes:
        raise Forbidden(reasons.REFERENCE_NEEDS_A_KEY)
    if request.needs not in FOR_A_CUSTOMER:
        raise BadRequest(reasons.REFERENCE_OUT_OF_PLACE)
    if request.repeats(b"customer-reference"):
        raise BadRequest(reasons.REFERENCE_ONCE)
    if not _REFERENCE.fullmatch(reference):
        raise BadRequest(reasons.REFERENCE_FORM)
    return await request.resources.customers.of(
        key, reference.decode("ascii"), make=request.method not in ("GET", "HEAD")
    )


bearer: Final = Bearer()

Caller = Annotated[Person | None, Security(bearer)]


async def signed_in(caller: Caller) -> Person:
    """The user of the token. Raises Unauthenticated if there is none."""
    return must_be_known(caller)


def must_be_known(person: Person | None) -> Person:
    """For operations whose body decides whether a token is needed. Raises Unauthenticated."""
    if person is None:
        raise Unauthenticated(reasons.TOKEN_NEEDED)
    return person


SignedIn = Annotated[Person, Depends(signed_in)]


async def organizer(person: SignedIn) -> Person:
    """The caller, if they are an organizer or admin.

    Raises Unauthenticated without a token, Forbidden for other roles.
    """
    if not person.runs_the_house:
        raise Forbidden(reasons.ONLY_ORGANIZERS)
    return person


async def admin(person: SignedIn) -> Person:
    """The caller, if they are an admin. Raises Unauthenticated without a token, Forbidden for other roles."""
    if not person.runs_usher:
        raise Forbidden(reasons.ONLY_ADMINS)
    return person


async def session_id(request: ApiRequest, person: SignedIn) -> UUID | None:
    """The session of the caller's token; None for a guest_token or an API key, which have none."""
    token = bearer_token(request.headers_once[b"authorization"]) or b""
    return None if person.scopes is not None else request.resources.tokens.believed(token).origin.session_id


async def buyer(request: ApiRequest, caller: Caller) -> Buyer:
    """The caller, or a new guest if guests are allowed (GUESTS). Raises Unauthenticated."""
    if caller is None and not request.resources.settings.guests:
        raise Unauthenticated(reasons.NO_GUESTS)
    return Buyer(caller, address_of_guest(request, caller))


def address_of_guest(request: ApiRequest, caller: Person | None) -> Address | None:
    """From where a caller without an account asks; None if they have one, or it is not limited."""
    addresses = request.resources.addresses
    if addresses is None or not (caller is None or caller.is_guest):
        return None
    return addresses.of(request.client_address)


class Credential:
    """The token or API key of a listener. Tokens expire and keys are revoked while they listen."""

    def __init__(self, resources: Resources, token: bytes, person: Person) -> None:
        self.person = person
        self._resources = resources
        self._token = token
        self._was_told = False

    async def warning(self) -> Message | None:
        """The message that the token expires soon, if it is time for it.

        Raises Unauthenticated if it is not valid any more.
        """
        person = await person_of(self._resources, self._token)
        if self._was_told or self._token.startswith(API_KEY_PREFIX):
            return None
        if person.id != self.person.id:
            raise Unauthenticated
        ends_at = self._resources.tokens.believed(self._token).ends_at
        if ends_at - time.time() > TOLD_SECONDS:
            return None
        self._was_told = True
        return Message("token_expiring", None, token_expiring_json(datetime.fromtimestamp(ends_at, UTC)))


async def credential(resources: Resources, token: bytes) -> Credential:
    """The credential of a token or key.

    Raises Unauthenticated if it is not valid, Forbidden for an API key without `read`.
    """
    person = await person_of(resources, token)
    if not person.may(KeyScope.READ):
        raise Forbidden(f"This API key lacks the scope {KeyScope.READ}. Send one that has it.")
    return Credential(resources, token, person)
