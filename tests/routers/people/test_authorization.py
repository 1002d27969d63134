"""Who may do what: one table for every call. A route without a row fails, and so does a row without a route.

Each call is made by everybody in turn, on a reservation, booking and key that were made for it just then.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import jwt
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from httpx import ASGITransport, AsyncClient, Response

from app.domain.people.people import KeyScope, Person, Role
from app.main import create_app
from app.services.people.passwords import SCHEME
from app.services.people.revocations import Origin
from tests.conftest import JWT_SECRET, resources_of
from tests.routers.house.test_organizing import LATER, PRICES, house
from tests.routers.reference.documented import DOCUMENT
from tests.routers.selling.test_payments import report
from tests.routers.visitors import BASES, NOBODYS_CODE, NOBODYS_ID, Database, Visitor, guest, told

PASSWORD: Final = "a long sentence"
PASSWORD_HASH: Final = SCHEME.hash(PASSWORD)

# Everybody: two customers, one of whom owns what is asked for, and the roles.
PEOPLE: Final = {
    "stranger": Role.CUSTOMER,
    "owner": Role.CUSTOMER,
    "staff": Role.STAFF,
    "organizer": Role.ORGANIZER,
    "admin": Role.ADMIN,
}
EVERYBODY: Final = ("nobody", *PEOPLE)


# What becomes of everybody but those who may: the status that they get.
Refusals = Mapping[str, int]
ANYBODY: Final[Refusals] = {}
KNOWN: Final[Refusals] = {"nobody": 401}
OWNER: Final[Refusals] = {"nobody": 401, "stranger": 404, "staff": 404, "organizer": 404, "admin": 404}
OWNER_OR_STAFF: Final[Refusals] = {"nobody": 401, "stranger": 404}
OWNER_OR_HOUSE: Final[Refusals] = {"nobody": 401, "stranger": 404, "staff": 404}
HOUSE: Final[Refusals] = {"nobody": 401, "stranger": 403, "owner": 403, "staff": 403}
ADMIN: Final[Refusals] = {"nobody": 401, "stranger": 403, "owner": 403, "staff": 403, "organizer": 403}


@dataclass
class World:
    """A service with everybody in it, and something of the owner's to ask for."""

    client: AsyncClient
    people: dict[str, Visitor]
    usernames: dict[str, str]
    seats: Iterator[str]
    ids: dict[str, object] = field(default_factory=dict)

    async def make(self, call: str) -> None:
        """A reservation, a booking and an API key, as far as the call speaks of them."""
        owner = self.people["owner"]
        self.ids = {"theater_id": 1, "screening_id": 1, "seat_id": 1, "label": next(self.seats)}
        if "webhook" in call or "{reference}" in call:
            attempt = {"screening_id": 1, "seat": next(self.seats), "payment": {"token": "action"}}
            paying = told(await owner.post("/bookings", attempt), 202)
            self.ids |= {"provider": "dummy", "reference": paying["payment"]["redirect_url"].rpartition("/")[2]}
        if "reservation" in call or "confirm" in call or "{body}" in call:
            held = await owner.hold(next(self.seats))
            self.ids |= {"reservation_id": held["id"], "seat_id": held["seats"][0]["seat_id"]}
        if "{payment_id}" in call:
            self.ids["payment_id"] = (await owner.book(next(self.seats)))["id"]
        if "{booking_id}" in call:
            booked = await owner.book(next(self.seats))
            self.ids |= {"booking_id": booked["id"], "seat_id": booked["seats"][0]["seat_id"]}
        if "{code}" in call:
            booked = await owner.book(next(self.seats))
            self.ids["code"] = told(await owner.post(f"/bookings/{booked['id']}/transfers"), 201)["code"]
        if call.startswith("DELETE") and call.endswith("{theater_id}"):
            empty = {"name": "Studio", "timezone": "UTC"}
            self.ids["theater_id"] = told(await self.people["organizer"].post("/theaters", empty), 201)["id"]
        if "{api_key_id}" in call:
            wanted = {"name": "Till", "role": "staff", "scopes": ["read"]}
            self.ids["api_key_id"] = told(await self.people["admin"].post("/api-keys", wanted), 201)["id"]

    async def ask(self, who: str, call: str, base: str = "/api/v1") -> Response:
        """The call, with the ids of what was made last. Of a stream, the beginning."""
        method, _, path = call.partition(" ")
        body = ROWS[call][1]
        content = await body(self, who) if body else None
        path = path.partition(" ")[0].removeprefix("/api/v1").format(**self.ids)
        path = path if path.startswith("/health") else base + path
        path += "?count=2" if path.endswith("/best-available") else ""
        sent: dict[str, Any] = {} if content is None else {"json": content}
        token = self.people[who].token
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        if "webhook" in call:
            signed, sent["content"] = report(str(self.ids["reference"]), "captured", None)
            headers |= signed
        if call.startswith("POST") and "{reference}" in call:
            sent["data"] = {"decision": "approve"}
        if call in STREAMS:
            return await self._beginning(path, headers)
        return await self.client.request(method, path, headers=headers, **sent)

    async def _beginning(self, path: str, headers: dict[str, str]) -> Response:
        """A stream does not end by itself: its caller goes away as soon as the answer has begun."""
        transport = self.client._transport
        assert isinstance(transport, ASGITransport)
        begun = asyncio.get_running_loop().create_future()
        request = self.client.build_request("GET", path, headers=headers)
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http"}
        scope |= {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
        scope |= {"headers": [(name.lower(), value) for name, value in request.headers.raw]}
        scope |= {"client": ("127.0.0.1", 1), "server": ("usher", 80), "state": {}}

        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)
            if message["type"] == "http.response.start":
                begun.set_result(message["status"])

        async def receive() -> Any:
            await begun
            await asyncio.Event().wait()

        streaming = asyncio.create_task(transport.app(scope, receive, send))  # type: ignore[arg-type]
        status = await begun
        if status == 200:
            streaming.cancel()
        await asyncio.wait([streaming])
        content = b"".join(message.get("body", b"") for message in said[1:])
        return Response(status, headers=said[0]["headers"], content=content)


Body = Callable[[World, str], Awaitable[Any]]


def body(**members: Any) -> Body:
    """The same for everybody."""

    async def same(world: World, who: str) -> Any:
        return members

    return same


async def seat(world: World, who: str) -> Any:
    return {"screening_id": 1, "seats": [world.ids["label"]]}


async def just_seat(world: World, who: str) -> Any:
    return {"seats": [world.ids["label"]]}


async def other_seat(world: World, who: str) -> Any:
    return {"give": {"seat_id": world.ids["seat_id"]}, "take": {"seat": world.ids["label"]}}


async def seat_id(world: World, who: str) -> Any:
    return {"seat_id": 4 + EVERYBODY.index(who)}


async def toggled(world: World, who: str) -> Any:
    return {"screening_id": 1, "seat_ids": [4 + EVERYBODY.index(who)]}


async def held(world: World, who: str) -> Any:
    return {"reservation_id": world.ids["reservation_id"]}


async def held_by_seat(world: World, who: str) -> Any:
    return {"email": "ada@example.org", "seat_id": world.ids["seat_id"]}


async def booked_by_somebody(world: World, who: str) -> Any:
    """Of somebody with an email: staff would be told that there is no such booking."""
    booked = await (await guest(world.client, "ada@example.org")).book(next(world.seats))
    return {"email": "ada@example.org", "booking_id": booked["id"]}


async def newcomer(world: World, who: str) -> Any:
    return {"username": f"new-{uuid4()}", "password": PASSWORD}


async def refreshing(world: World, who: str) -> Any:
    signed_in = {"username": world.usernames["owner"], "password": PASSWORD}
    tokens = told(await world.client.post("/auth/login", json=signed_in), 200)
    return {"refresh_token": tokens["refresh_token"]}


async def signing_in(world: World, who: str) -> Any:
    return {"username": world.usernames["owner"], "password": PASSWORD}


# Every call, in the order of docs/api.md: who may, and what is sent. A second row for one with another body has a note.
ROWS: Final[dict[str, tuple[Refusals, Body | None]]] = {
    # Theaters and layouts
    "GET /api/v1/theaters": (ANYBODY, None),
    "POST /api/v1/theaters": (HOUSE, body(name="Studio", timezone="UTC")),
    "GET /api/v1/theaters/{theater_id}": (ANYBODY, None),
    "PATCH /api/v1/theaters/{theater_id}": (HOUSE, body(name="Mine")),
    "DELETE /api/v1/theaters/{theater_id}": (HOUSE, None),
    "GET /api/v1/theaters/{theater_id}/layout": (ANYBODY, None),
    "PUT /api/v1/theaters/{theater_id}/layout": (HOUSE, body(**house())),
    "POST /api/v1/theaters/{theater_id}/layout/import": (HOUSE, body(**house())),
    "GET /api/v1/theaters/{theater_id}/screenings": (ANYBODY, None),
    "POST /api/v1/theaters/{theater_id}/screenings": (HOUSE, body(title="Mine", **LATER, prices=PRICES)),
    "GET /api/v1/theaters/{theater_id}/seats": (ANYBODY, None),
    "POST /api/v1/theaters/{theater_id}/reserve": (ANYBODY, seat),
    "POST /api/v1/theaters/{theater_id}/book": (ANYBODY, seat),
    # Screenings and availability
    "GET /api/v1/screenings": (ANYBODY, None),
    "GET /api/v1/screenings/{screening_id}": (ANYBODY, None),
    "PATCH /api/v1/screenings/{screening_id}": (HOUSE, body(title="Mine")),
    "DELETE /api/v1/screenings/{screening_id}": (HOUSE, None),
    "GET /api/v1/screenings/{screening_id}/seats": (ANYBODY, None),
    "GET /api/v1/screenings/{screening_id}/seats/me": (KNOWN, None),
    "GET /api/v1/screenings/{screening_id}/availability": (ANYBODY, None),
    "GET /api/v1/screenings/{screening_id}/changes": (ANYBODY, None),
    "GET /api/v1/screenings/{screening_id}/live": (ANYBODY, None),
    "GET /api/v1/screenings/{screening_id}/best-available": (ANYBODY, None),
    "POST /api/v1/screenings/{screening_id}/check-selection": (ANYBODY, just_seat),
    # Reservations and bookings
    "POST /api/v1/screenings/{screening_id}/reservations": (ANYBODY, just_seat),
    "POST /api/v1/screenings/{screening_id}/reservations/toggle": (ANYBODY, just_seat),
    "DELETE /api/v1/screenings/{screening_id}/reservations": (KNOWN, None),
    "GET /api/v1/reservations": (KNOWN, None),
    "GET /api/v1/reservations/{reservation_id}": (OWNER_OR_STAFF, None),
    "DELETE /api/v1/reservations/{reservation_id}": (OWNER_OR_STAFF, None),
    "DELETE /api/v1/reservations/{reservation_id}/seats/{seat_id}": (OWNER_OR_STAFF, None),
    "POST /api/v1/reservations/{reservation_id}/extend": (OWNER, None),
    "POST /api/v1/reservations/{reservation_id}/confirm": (OWNER, None),
    "POST /api/v1/bookings": (ANYBODY, seat),
    "POST /api/v1/bookings (a reservation's {body})": (OWNER, held),
    "GET /api/v1/bookings": (KNOWN, None),
    "POST /api/v1/bookings/find": (ANYBODY, booked_by_somebody),
    "GET /api/v1/bookings/{booking_id}": (OWNER_OR_HOUSE, None),
    "DELETE /api/v1/bookings/{booking_id}": (OWNER_OR_HOUSE, None),
    "DELETE /api/v1/bookings/{booking_id}/seats/{seat_id}": (OWNER_OR_HOUSE, None),
    "POST /api/v1/bookings/{booking_id}/exchange": (OWNER_OR_HOUSE, other_seat),
    # Transfers
    "POST /api/v1/bookings/{booking_id}/transfers": (OWNER, None),
    "GET /api/v1/transfers": (KNOWN, None),
    "GET /api/v1/transfers/{code}": (ANYBODY, None),
    "DELETE /api/v1/transfers/{code}": (OWNER, None),
    "POST /api/v1/transfers/{code}/accept": ({"owner": 422}, None),
    # Money
    "POST /api/v1/payments/{provider}/webhook": (ANYBODY, None),
    "POST /api/v1/payments/dummy/webhook": (ANYBODY, None),
    "GET /api/v1/screenings/{screening_id}/report": (HOUSE, None),
    "GET /api/v1/screenings/{screening_id}/report.csv": (HOUSE, None),
    "GET /api/v1/screenings/{screening_id}/bookings.csv": (HOUSE, None),
    "GET /api/v1/payments": (HOUSE, None),
    "GET /api/v1/payments/{payment_id}": (HOUSE, None),
    "GET /api/v1/payments/dummy/books": (ADMIN, None),
    "GET /api/v1/payments/dummy/{reference}": (ANYBODY, None),
    "POST /api/v1/payments/dummy/{reference}": (ANYBODY, None),
    # People and policies
    "POST /api/v1/auth/register": (ANYBODY, newcomer),
    "POST /api/v1/auth/login": (ANYBODY, signing_in),
    "POST /api/v1/auth/guest": (ANYBODY, body(email="ada@example.org")),
    "POST /api/v1/auth/refresh": (ANYBODY, refreshing),
    "POST /api/v1/auth/logout": (ANYBODY, refreshing),
    "GET /api/v1/me": (KNOWN, None),
    "PATCH /api/v1/me": (KNOWN, body(email="ada@example.org")),
    "POST /api/v1/me/password": (
        KNOWN,
        body(current_password=PASSWORD, new_password="another sentence"),
    ),
    "DELETE /api/v1/me": (KNOWN, body(password=PASSWORD)),
    "POST /api/v1/api-keys": (ADMIN, body(name="Till", role="staff", scopes=["read"])),
    "GET /api/v1/api-keys": (ADMIN, None),
    "GET /api/v1/api-keys/{api_key_id}": (ADMIN, None),
    "DELETE /api/v1/api-keys/{api_key_id}": (ADMIN, None),
    "POST /api/v1/screenings/{screening_id}/blocks": (HOUSE, just_seat),
    "DELETE /api/v1/screenings/{screening_id}/blocks": (HOUSE, just_seat),
    "GET /api/v1/screenings/{screening_id}/blocks": (HOUSE, None),
    "GET /api/v1/screenings/{screening_id}/seats/{seat_id}/history": (HOUSE, None),
    # Calls that existing clients make
    "GET /api/v1/seats": (ANYBODY, None),
    "POST /api/v1/reserve": (ANYBODY, seat_id),
    "POST /api/v1/confirm": (OWNER, held),
    "POST /api/v1/confirm (a seat's {body})": (OWNER, held_by_seat),
    "POST /api/v1/seat-reservations/toggle": (ANYBODY, toggled),
    "GET /api/v1/seat-reservations/screening/{screening_id}/availability/me": (KNOWN, None),
    "DELETE /api/v1/seat-reservations/cancel/{screening_id}": (KNOWN, None),
    # For operators
    "GET /health": (ANYBODY, None),
    "GET /api/v1/health": (ANYBODY, None),
    "GET /health/live": (ANYBODY, None),
    "GET /api/v1/health/live": (ANYBODY, None),
    "GET /health/ready": (ANYBODY, None),
    "GET /api/v1/health/ready": (ANYBODY, None),
}


# What is answered bit by bit, without an end.
STREAMS: Final = {"GET /api/v1/screenings/{screening_id}/live"}


@pytest.fixture
async def world(client: AsyncClient, database: Database) -> World:
    """Everybody is there, with a session and a password."""
    tokens = resources_of(client).tokens
    people, usernames = {"nobody": Visitor(client)}, {}
    for name, role in PEOPLE.items():
        user_id = await database.fetchval(
            "INSERT INTO users (username, username_key, password_hash, role) VALUES ($1, $1, $2, $3) RETURNING id",
            f"the-{name}",
            PASSWORD_HASH,
            role,
        )
        token = tokens.access_token(Person(user_id, role), Origin(user_id), datetime.now(UTC), name)
        people[name], usernames[name] = Visitor(client, token), f"the-{name}"
    return World(client, people, usernames, (f"{row}{number}" for row in "BCD" for number in range(1, 21)))


def calls() -> set[str]:
    """Every call that the application knows: those of the document, and the aliases that are not in it."""
    documented = {f"{method.upper()} {path}" for path, item in DOCUMENT["paths"].items() for method in item}
    aliases = {
        f"{method} {route.path_format}"
        for route in iter_route_contexts(create_app().routes)
        if isinstance(route.original_route, APIRoute)
        and (route.path or "").startswith("/api/v1/")
        and not (route.path or "").startswith("/api/v1/ws/")  # a socket: a plain request to it is told so
        for method in route.methods or ()
    }
    return documented | aliases


def test_every_call_has_a_row_and_every_row_a_call() -> None:
    assert {call.partition(" (")[0] for call in ROWS} == calls()


@pytest.mark.parametrize("call", ROWS)
async def test_everybody_may_do_what_the_table_says(world: World, call: str) -> None:
    refusals = ROWS[call][0]
    statuses: dict[str, int] = {}

    for who in EVERYBODY:
        await world.make(call)
        for base in BASES if who in refusals else ["/api/v1"]:
            answer = await world.ask(who, call, base)
            statuses[who] = answer.status_code
            if who in refusals:
                assert answer.status_code == refusals[who], f"{who} at {base}: {answer.text}"
            else:
                assert answer.status_code < 500, f"{who}: {answer.text}"
                assert answer.status_code not in (401, 403, 404), f"{who}: {answer.text}"

    assert any(200 <= status < 300 for status in statuses.values()), f"nobody could really do it: {statuses}"


@pytest.mark.parametrize("call", [call for call, (may, _) in ROWS.items() if 404 in may.values()])
async def test_what_is_somebody_elses_looks_like_what_is_not_there(world: World, call: str) -> None:
    await world.make(call)
    theirs = await world.ask("stranger", call)
    ids = {name for name in ("reservation_id", "booking_id") if name in world.ids}
    world.ids |= dict.fromkeys(ids, NOBODYS_ID)
    world.ids |= {"code": NOBODYS_CODE}
    if "a seat's" in call:
        world.ids["seat_id"] = 80

    nobodys = await world.ask("stranger", call)

    of_this_request = {"instance", "request_id"}
    for one in (theirs, nobodys):
        assert one.status_code == 404
    assert {name: said for name, said in theirs.json().items() if name not in of_this_request} == {
        name: said for name, said in nobodys.json().items() if name not in of_this_request
    }


async def test_lists_show_ones_own(world: World) -> None:
    people = world.people
    booking = await people["owner"].book("B1")
    await people["owner"].hold("B2")

    for query in ("", f"?user_id={booking['user_id']}"):
        for who in ("stranger", "staff"):
            assert (await people[who].read(f"/bookings{query}"))["items"] == []
        for who in ("owner", "organizer", "admin"):
            assert len((await people[who].read(f"/bookings{query}"))["items"]) == 1
    told(await people["owner"].post(f"/bookings/{booking['id']}/transfers"), 201)
    for who in PEOPLE:
        assert len((await people[who].read("/reservations"))["items"]) == (who == "owner")
        assert len((await people[who].read("/transfers"))["items"]) == (who == "owner")


# --- tokens that nobody issued ---------------------------------------------------------------------------------------


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(token: str) -> dict[str, str]:
    """What somebody might make of a customer's token who wants to be an admin."""
    head, _, signature = token.split(".")
    said = jwt.decode(token, options={"verify_signature": False})
    edited = part(said | {"role": "admin"})
    far = said | {"exp": said["iat"] + 10 * 366 * 86_400}
    return {
        "none": f"{part({'alg': 'none', 'typ': 'JWT'})}.{edited}.",
        "an edited role": f"{head}.{edited}.{signature}",
        "an edited owner": f"{head}.{part(said | {'sub': '1'})}.{signature}",
        "another key": jwt.encode(said | {"role": "admin"}, "another key, which is long enough too", "HS256"),
        "no end": jwt.encode({name: each for name, each in said.items() if name != "exp"}, JWT_SECRET, "HS256"),
        "an end in ten years": jwt.encode(far, JWT_SECRET, "HS256"),
        "an end that was": jwt.encode(said | {"iat": 1_700_000_000, "exp": 1_700_000_900}, JWT_SECRET, "HS256"),
        "cut short": token[:-1],
        "empty": "",
    }


@pytest.mark.parametrize("kind", forged(jwt.encode({"iat": 0}, JWT_SECRET, "HS256")))
async def test_a_forged_token_opens_nothing(world: World, kind: str) -> None:
    token = forged(world.people["owner"].token or "")[kind]
    await world.make("{reservation_id} {booking_id} {api_key_id} {payment_id} {code}")
    world.people["owner"] = Visitor(world.client, token)
    takes_a_token = [
        call
        for call in ROWS
        if "security" in DOCUMENT["paths"].get(call.split(" ")[1], {}).get(call.split(" ")[0].lower(), {})
        or any(alias in call for alias in ("/reserve", "/confirm", "/seat-reservations"))
    ]

    for call in takes_a_token:
        answer = await world.ask("owner", call)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), call
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_refresh_token_opens_nothing(world: World) -> None:
    refresh_token = (await refreshing(world, "owner"))["refresh_token"]
    world.people["owner"] = Visitor(world.client, refresh_token)

    for call in ("GET /api/v1/me", "GET /api/v1/api-keys", "GET /api/v1/reservations"):
        assert (await world.ask("owner", call)).status_code == 401


def test_every_scope_is_needed_somewhere() -> None:
    needed = {operation.get("x-scope") for item in DOCUMENT["paths"].values() for operation in item.values()}

    assert needed >= set(KeyScope)
