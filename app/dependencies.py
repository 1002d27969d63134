"""What a router may ask for, by name: `Caller`, `SignedIn`, `Buyer`, `IdempotencyKey`, or the whole request as `Asked`.

All of them are read from what the edge has at hand already; none waits for anything, but for an API key's first use.
"""

import re
from hashlib import blake2b
from typing import Annotated, Any, Final, cast
from uuid import UUID

import orjson
from fastapi import Depends, Header, Request, Security
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.security.base import SecurityBase
from starlette.types import Receive, Scope

from app.domain.idempotency import ANONYMOUS, Key
from app.domain.people import KeyScope, Person
from app.domain.refusals import Forbidden, KeyInvalid, Unauthenticated
from app.resources import Resources
from app.schemas.format import strict
from app.schemas.format.faults import mistake
from app.services import bookings as services_bookings
from app.services import closing as services_closing
from app.services import desk as services_desk
from app.services import health as services_health
from app.services import reservations as services_reservations
from app.services.house import catalogue as services_catalogue
from app.services.house import history as services_history
from app.services.house import organizing as services_organizing
from app.services.live import changes as services_changes
from app.services.people import accounts as services_accounts
from app.services.people import api_keys as services_api_keys
from app.services.people import people
from app.services.people import sessions as services_sessions
from app.services.seat_maps import availability as services_availability
from app.settings import Settings

_VISIBLE: Final = re.compile(rb"[\x21-\x7e]{1,255}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_REVISION: Final = re.compile(r'(?:W/)?"([1-9]\d{0,8})(?:-[0-9a-f]+)?"', re.ASCII)
_UNREAD: Final = object()


class Asked(Request):
    """A request as the edge has read it.

    `headers_once` has each header's last value by its lower-case name; `path` is the canonical one, whatever alias was
    used; `raw_body` is the body, read before the operation starts; `resources` is what this process has open.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.request_id = ""
        self.resources: Resources = scope["app"].state.resources
        self.headers_once: dict[bytes, bytes] = dict(scope["headers"])
        self.raw_body = b""
        self._content: Any = _UNREAD

    @property
    def path(self) -> str:
        """The path under /api/v1, whichever base path was used."""
        return cast("str", self.scope["path"])

    @property
    def needs(self) -> KeyScope | None:
        """The scope that an API key must have for this operation; None: no API key will do."""
        return cast("KeyScope | None", self.scope.get("usher.needs"))

    def content(self) -> Any:
        """What the body says, None when there is none. Raises UnsupportedMediaType or Malformed: no strict JSON."""
        if self._content is _UNREAD:
            self._content = self._parsed() if self.raw_body else None
        return self._content

    def fingerprint(self) -> bytes:
        """32 bytes over method, canonical path and content: aliases, spaces and the order of members do not matter."""
        content = orjson.dumps(self.content(), option=orjson.OPT_SORT_KEYS)
        return blake2b(f"{self.method} {self.path}\n".encode() + content, digest_size=32).digest()

    def repeats(self, header: bytes) -> bool:
        """Was this header sent more than once?"""
        if len(self.headers_once) == len(self.scope["headers"]):
            return False
        return [name for name, _ in self.scope["headers"]].count(header) > 1

    def _parsed(self) -> Any:
        headers = self.headers_once
        strict.must_be_json(headers.get(b"content-type"), headers.get(b"content-encoding"))
        return strict.parse(self.raw_body)


async def person_of(resources: Resources, token: bytes) -> Person:
    """Who shows this token or API key. Raises Unauthenticated. Whoever asks also asks what the key's scopes allow."""
    if token.startswith(services_api_keys.PREFIX):
        return await resources.api_keys.person(token)
    return resources.tokens.person(token)


class Bearer(SecurityBase):
    """Who sends the token; None without one. A token that is not believed is a 401, never somebody anonymous."""

    def __init__(self) -> None:
        self.model = BearerScheme(
            bearerFormat="JWT",
            description="`access_token` of POST /auth/login or /auth/guest, `guest_token` of a hold, or an API key. "
            "What an API key is good for depends on its scopes (`x-scope` of an operation) beside its role:\n",
        )
        self.scheme_name = "bearer"

    async def __call__(self, asked: Asked) -> Person | None:
        authorization = asked.headers_once.get(b"authorization")
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or asked.repeats(b"authorization"):
            raise Unauthenticated("Send one header, Authorization: Bearer <token>.")
        person = await person_of(asked.resources, token.strip())
        if person.scopes is not None and asked.needs not in person.scopes:
            raise Forbidden(f"This API key lacks the scope {asked.needs}.")
        return person


bearer: Final = Bearer()

Caller = Annotated[Person | None, Security(bearer)]


async def signed_in(caller: Caller) -> Person:
    """Whoever sends a token. Raises Unauthenticated when there is none."""
    return must_be_known(caller)


def must_be_known(person: Person | None) -> Person:
    """For operations whose body decides whether a token is needed. Raises Unauthenticated."""
    if person is None:
        raise Unauthenticated("This needs a token. Send the header Authorization: Bearer <token>.")
    return person


SignedIn = Annotated[Person, Depends(signed_in)]


async def organizer(person: SignedIn) -> Person:
    """Whoever runs the house. Raises Unauthenticated without a token, Forbidden for everybody else."""
    if not person.runs_the_house:
        raise Forbidden("This is for organizers.")
    return person


Organizer = Annotated[Person, Depends(organizer)]


async def door_staff(person: SignedIn) -> Person:
    """Whoever lets people in. Raises Unauthenticated without a token, Forbidden for customers."""
    if not person.works_the_door:
        raise Forbidden("This is for the staff of the house.")
    return person


DoorStaff = Annotated[Person, Depends(door_staff)]


async def admin(person: SignedIn) -> Person:
    """Whoever runs Usher. Raises Unauthenticated without a token, Forbidden for everybody else."""
    if not person.runs_usher:
        raise Forbidden("This is for admins.")
    return person


Admin = Annotated[Person, Depends(admin)]


async def session_id(asked: Asked, person: SignedIn) -> UUID | None:
    """The session of the caller's token; None for a guest_token or an API key, which have none."""
    token = asked.headers_once[b"authorization"].partition(b" ")[2].strip()
    return None if person.scopes is not None else asked.resources.tokens.believed(token).origin.session_id


SessionId = Annotated[UUID | None, Depends(session_id)]


async def buyer(asked: Asked, caller: Caller) -> people.Buyer:
    """Whoever may take seats: the caller, or somebody new when guests are welcome."""
    if caller is None and not asked.resources.settings.guests:
        raise Unauthenticated("Seats are for people who are signed in. Send the header Authorization: Bearer <token>.")
    return people.Buyer(caller)


Buyer = Annotated[people.Buyer, Depends(buyer)]


async def idempotency_key(asked: Asked, caller: Caller) -> Key | None:
    """The caller's idempotency key (docs/api.md, section 2). Raises KeyInvalid."""
    return key_for(asked, caller, None)


IdempotencyKey = Annotated[Key | None, Depends(idempotency_key)]


def key_for(asked: Asked, person: Person | None, booking_id: str | None) -> Key | None:
    """The key of the header, else `booking_id` of the body, else None.

    Raises KeyInvalid, and Malformed for a `booking_id` that is no UUID.
    """
    value = _key_header(asked) or (booking_id and booking_id.lower())
    if person is None and value is not None and not _UUID.fullmatch(value):
        raise KeyInvalid("Without a token the idempotency key must be a UUID: nobody else can guess it then.")
    if booking_id is not None and not _UUID.fullmatch(booking_id):
        raise mistake(["body", "booking_id"], "uuid_parsing", "This should be a UUID.")
    if value is None:
        return None
    return Key(person.id if person else ANONYMOUS, value, asked.fingerprint())


def _key_header(asked: Asked) -> str | None:
    sent = asked.headers_once.get(b"idempotency-key")
    if sent is None:
        return None
    if asked.repeats(b"idempotency-key"):
        raise KeyInvalid("Send one Idempotency-Key header, not several.")
    bare = sent.strip(b" \t")
    if len(bare) >= 2 and bare.startswith(b'"') and bare.endswith(b'"'):
        bare = bare[1:-1]
    if not _VISIBLE.fullmatch(bare):
        raise KeyInvalid("The Idempotency-Key header takes 1 to 255 visible ASCII characters; a new UUID is best.")
    return bare.decode()


_IF_MATCH: Final = (
    "Guards an edit: the `ETag` that was read, or the revision in it. With another revision, nothing is changed."
)


async def if_match(
    tag: Annotated[str | None, Header(alias="If-Match", description=_IF_MATCH, examples=['"1"'])] = None,
) -> int | None:
    """The revision that an edit is meant for; None for any, 0 when no thing ever has that tag.

    A tag that a proxy has made weak (W/) still names its revision, and no more than that is compared.
    """
    if tag is None or tag.strip() == "*":
        return None
    named = _REVISION.fullmatch(tag.strip())
    return int(named[1]) if named else 0


IfMatch = Annotated[int | None, Depends(if_match)]


async def settings(asked: Asked) -> Settings:
    """The settings of this process."""
    return asked.resources.settings


async def stories_of_people(asked: Asked) -> people.People:
    """Guests and who I am."""
    return asked.resources.people


async def accounts(asked: Asked) -> services_accounts.Accounts:
    """Registering, signing in, changing, going."""
    return asked.resources.accounts


async def sessions(asked: Asked) -> services_sessions.Sessions:
    """Renewing and ending sessions."""
    return asked.resources.sessions


async def api_keys(asked: Asked) -> services_api_keys.ApiKeys:
    """The keys of machines."""
    return asked.resources.api_keys


async def health(asked: Asked) -> services_health.Health:
    """How everything is."""
    return asked.resources.health


async def desk(asked: Asked) -> services_desk.Desk:
    """Where seats are taken and given back."""
    return asked.resources.desk


async def availability(asked: Asked) -> services_availability.Availability:
    """The maps of screenings."""
    return asked.resources.availability


async def catalogue(asked: Asked) -> services_catalogue.Catalogue:
    """Theaters and screenings."""
    return asked.resources.catalogue


async def reservations(asked: Asked) -> services_reservations.Reservations:
    """The caller's reservations."""
    return asked.resources.reservations


async def bookings(asked: Asked) -> services_bookings.Bookings:
    """The caller's bookings."""
    return asked.resources.bookings


async def changes(asked: Asked) -> services_changes.ChangesFeed:
    """What changed since a version."""
    return asked.resources.changes


async def history(asked: Asked) -> services_history.History:
    """What happened to a seat."""
    return asked.resources.history


async def closing(asked: Asked) -> services_closing.Closing:
    """Where screenings are cancelled."""
    return asked.resources.closing


async def organizing(asked: Asked) -> services_organizing.Organizing:
    """What organizers do."""
    return asked.resources.organizing


Accounts = Annotated[services_accounts.Accounts, Depends(accounts)]
Sessions = Annotated[services_sessions.Sessions, Depends(sessions)]
ApiKeys = Annotated[services_api_keys.ApiKeys, Depends(api_keys)]
History = Annotated[services_history.History, Depends(history)]
Closing = Annotated[services_closing.Closing, Depends(closing)]
Organizing = Annotated[services_organizing.Organizing, Depends(organizing)]
Desk = Annotated[services_desk.Desk, Depends(desk)]
Availability = Annotated[services_availability.Availability, Depends(availability)]
Catalogue = Annotated[services_catalogue.Catalogue, Depends(catalogue)]
Reservations = Annotated[services_reservations.Reservations, Depends(reservations)]
Bookings = Annotated[services_bookings.Bookings, Depends(bookings)]
Changes = Annotated[services_changes.ChangesFeed, Depends(changes)]
CurrentSettings = Annotated[Settings, Depends(settings)]
People = Annotated[people.People, Depends(stories_of_people)]
Health = Annotated[services_health.Health, Depends(health)]
