"""A small application with Usher's edge and routes of its own: the edge can be tried without seats or a database."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar

import pytest
import uvicorn
from fastapi import Query
from httpx import ASGITransport, AsyncClient
from pydantic import Field

from app.dependencies import Buyer, Call, Caller, Organizer, SignedIn
from app.domain.people.people import KeyScope
from app.http.bodies import LARGEST_LAYOUT
from app.http.idempotency import context_of
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.routes import api_router, operation_id
from app.http.scopes import api_key_scope
from app.main import Usher
from app.routers.reference import docs, problems
from app.schemas.format.ids import ReservationId, ScreeningId, SeatId
from app.schemas.format.moments import encoded
from app.schemas.format.requests import Id, Label, Lenient, Line, Strict
from app.schemas.seats import NamesSeats, SeatsWanted
from app.server.protocols.http_protocol import BoundedHttp
from app.server.protocols.websocket_protocol import LiveSocket
from app.services.people.tokens import Tokens
from app.services.running.measures import Measures
from app.settings import read_settings
from tests import given
from tests.conftest import Copied, MakeSettings
from tests.places import Place
from tests.routers.standing import Standing, standing_house
from tests.routers.visitors import Visitor, guest
from tests.routers.wire import Wire

SECRET = "a secret for the edge's tests, long enough"


class PasswordIn(Strict):
    """A body with a secret in it."""

    username: Line = Field(max_length=64)
    password: str = Field(min_length=8, max_length=128)


class FormIn(Strict):
    """A body that may come as a form."""

    TAKES_FORM: ClassVar = True

    username: Line


class BookingIn(NamesSeats, Strict):
    """Seats, or a reservation."""

    NEEDS_SEATS = False

    screening_id: Id | None = None


class AnyIn(Lenient):
    """One label, and whatever else there is."""

    label: Label


router = api_router("edge")


def said(**words: Any) -> Reply:
    """These words as JSON."""
    return Reply(encoded(words))


@router.post("/screenings/{screening_id}/reservations", status_code=201)
@api_key_scope(KeyScope.SELL)
async def hold_seats(screening_id: ScreeningId, wanted: SeatsWanted, buyer: Buyer, call: Call) -> Reply:
    """Say what was understood."""
    names, key = wanted.names(), call.key
    heard = {
        "screening_id": screening_id,
        "ids": names.ids,
        "labels": names.labels,
        "buyer": buyer.person and buyer.person.id,
        "key": key and {"owner_id": key.owner_id, "value": key.value, "fingerprint": key.fingerprint.hex()},
    }
    return Reply(encoded(heard), 201, headers=[(b"location", b"/api/v1/reservations/1")])


@router.get("/screenings/{screening_id}/seats")
async def list_seats(
    request: ApiRequest,
    screening_id: ScreeningId,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    section: str | None = None,
) -> Reply:
    """Say where it was asked for, and what for."""
    return said(screening_id=screening_id, path=request.path, limit=limit, section=section)


@router.get("/screenings/{screening_id}/seats/me")
@api_key_scope(KeyScope.READ)
async def list_my_seats(screening_id: ScreeningId, person: SignedIn) -> Reply:
    """Say who request."""
    return said(screening_id=screening_id, person=person.id)


@router.delete("/screenings/{screening_id}/seats/{seat_id}")
@api_key_scope(KeyScope.SELL)
async def release_seat(screening_id: ScreeningId, seat_id: SeatId, caller: Caller) -> Reply:
    """Say which."""
    return said(screening_id=screening_id, seat_id=seat_id, caller=caller and caller.id)


@router.post("/reservations/{reservation_id}/confirm")
async def confirm(reservation_id: ReservationId, payment: AnyIn | None = None) -> Reply:
    """Say whether there was a body."""
    return said(reservation_id=str(reservation_id), payment=payment and payment.label)


@router.post("/bookings")
@api_key_scope(KeyScope.SELL)
async def book(request: ApiRequest, wanted: BookingIn, buyer: Buyer) -> Reply:
    """Say which key counts."""
    key = context_of(request, buyer.person).key
    return said(seats=wanted.names_any_seats, key=key and key.value)


@router.post("/auth/register")
async def register(wanted: PasswordIn) -> Reply:
    """Say the name."""
    return said(username=wanted.username)


@router.post("/reserve")
async def reserve(wanted: AnyIn) -> Reply:
    """Say the label."""
    return said(label=wanted.label)


@router.put("/theaters/{theater_id}/layout", max_body_size=LARGEST_LAYOUT)
async def replace_layout(request: ApiRequest, layout: dict[str, Any]) -> Reply:
    """Say how long it was."""
    return said(bytes=len(request.raw_body))


@router.put("/organizers/{theater_id}/layout", max_body_size=LARGEST_LAYOUT)
@api_key_scope(KeyScope.HOUSE)
async def replace_guarded_layout(request: ApiRequest, layout: dict[str, Any], person: Organizer) -> Reply:
    """Say how long it was, to organizers."""
    return said(bytes=len(request.raw_body), person=person.id)


@router.post("/theaters", max_body_size=LARGEST_LAYOUT)
async def make_theater(request: ApiRequest, theater: dict[str, Any]) -> Reply:
    """Say how long it was."""
    return said(bytes=len(request.raw_body))


@router.get("/tickets/{ticket_id}.svg")
async def show_ticket(ticket_id: ReservationId) -> Reply:
    """Say which."""
    return said(ticket_id=str(ticket_id))


@router.get("/tickets/{ticket_id}")
async def show_plain_ticket(ticket_id: str) -> Reply:
    """Say which."""
    return said(plain=ticket_id)


@router.get("/broken")
async def break_down() -> Reply:
    """Fail in a way that nobody has foreseen."""
    raise RuntimeError("the inside, with postgresql://usher:password@host")


@router.get("/away")
async def be_away() -> Reply:
    """Fail as when PostgreSQL is away."""
    raise ConnectionRefusedError("postgresql://usher:password@host")


@router.post("/form")
async def read_form(request: ApiRequest, wanted: FormIn) -> Reply:
    """A form, or the same as JSON."""
    return said(username=wanted.username, request_id=request.request_id)


@pytest.fixture(autouse=True)
def _passwords(quick_passwords: None) -> None:
    """What these tests are about is not how long a password takes."""


@pytest.fixture(scope="module")
async def standing(templates: Place, copied: Copied) -> AsyncIterator[Standing]:
    """The house that the tests of a file share that change nothing."""
    async with standing_house(templates, copied) as opened:
        yield opened


@pytest.fixture
def shared(request: pytest.FixtureRequest) -> Standing | None:
    """The house that this test shares with others; None if it has one of its own, as with TEST_DATABASE_URL."""
    if given.URL is not None or request.node.get_closest_marker("changes_nothing") is None:
        return None
    opened: Standing = request.getfixturevalue("standing")
    return opened


@pytest.fixture
def make_settings(request: pytest.FixtureRequest, shared: Standing | None) -> MakeSettings:
    """As everywhere, but for those who share a house."""
    if shared is not None:
        return lambda: shared.settings
    own: MakeSettings = request.getfixturevalue("make_settings")
    return own


@pytest.fixture
def client(request: pytest.FixtureRequest, shared: Standing | None) -> AsyncClient:
    """As everywhere, but for those who share a house."""
    if shared is not None:
        return shared.client
    own: AsyncClient = request.getfixturevalue("client")
    return own


@pytest.fixture(autouse=True)
async def _as_before(shared: Standing | None) -> AsyncIterator[None]:
    """Who shares a house leaves it as it was."""
    yield
    if shared is not None:
        assert await shared.is_as_before(), "a test that changes nothing has changed the house"


@pytest.fixture
def edge_app() -> Usher:
    """The small application."""
    app = Usher(
        plain=read_settings().usher_plain,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.state.resources = SimpleNamespace(
        settings=SimpleNamespace(guests=True),
        tokens=Tokens(SECRET, guest_seconds=3600),
        rates=None,
        addresses=None,
        measures=Measures(),
        request_log=None,
        tracing=None,
    )
    for each in (router, problems.router, docs.router):
        app.include_router(each)
    return app


@pytest.fixture
async def edge(edge_app: Usher) -> AsyncIterator[AsyncClient]:
    """A client of the small application, without a network between."""
    async with AsyncClient(transport=ASGITransport(edge_app), base_url="http://usher.test") as client:
        yield client


@pytest.fixture
def token(edge_app: Usher) -> str:
    """A token of guest 17."""
    tokens: Tokens = edge_app.state.resources.tokens
    return tokens.guest_token(17, datetime.now(UTC), "a token of the tests")


@pytest.fixture
def nobody(client: AsyncClient) -> Visitor:
    """A caller without a token."""
    return Visitor(client)


@pytest.fixture
async def ada(client: AsyncClient) -> Visitor:
    """A caller with a token."""
    return await guest(client, "ada@example.org")


@pytest.fixture
async def bob(client: AsyncClient) -> Visitor:
    """Another one."""
    return await guest(client, "bob@example.org")


@pytest.fixture
def served(edge_app: Usher) -> Iterator[Wire]:
    """The small application behind uvicorn, on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(
            uvicorn.Config(
                edge_app,
                loop="uvloop",
                http=BoundedHttp,
                ws=LiveSocket,
                lifespan="off",
                log_config=None,
                access_log=False,
            )
        )
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        serving.start()
        yield Wire(listener.getsockname()[1])
        server.should_exit = True
        serving.join()
