"""Nobody signed in: a call that takes seats makes a guest, and its answer carries the token for what comes next."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from httpx import AsyncClient

from app.resources import Resources
from tests.conftest import JWT_SECRET, PER_SCREENING, OpenApp
from tests.routers.visitors import BASES, Database, Json, Visitor, guest, refused, time_passes, told

HOLD = "/screenings/1/reservations"

# Every call that takes seats, each with a seat of its own.
TAKING: list[tuple[str, Json]] = [
    (HOLD, {"seat": "A1"}),
    (f"{HOLD}/toggle", {"seat": "A2"}),
    ("/bookings", {"screening_id": 1, "seat": "A3"}),
    ("/theaters/1/reserve", {"seat": "A4"}),
    ("/theaters/1/book", {"seat": "A5"}),
    ("/reserve", {"seat_id": 6}),
    ("/seat-reservations/toggle", {"screening_id": 1, "seat_id": 7}),
]


async def test_every_call_that_takes_seats_makes_a_guest(nobody: Visitor) -> None:
    guests = set()
    for number, (path, body) in enumerate(TAKING):
        answer = await nobody.post(BASES[number % 3] + path, body)
        assert answer.is_success, answer.text
        me = await Visitor(nobody.client, answer.json()["guest_token"]).read("/me")
        assert (me["is_guest"], me["role"], me["email"], me["username"]) == (True, "customer", None, None)
        guests.add(me["id"])

    assert len(guests) == len(TAKING)
    assert len(await nobody.taken()) == len(TAKING)


async def test_the_token_is_good_for_what_comes_next(nobody: Visitor, database: Database) -> None:
    held = told(await nobody.post(HOLD, {"seats": ["A1", "A2"]}), 201)
    me = Visitor(nobody.client, held["guest_token"])

    assert [each["id"] for each in (await me.read("/reservations"))["items"]] == [held["id"]]
    await time_passes(database, held, 10)
    extended = told(await me.post(f"/reservations/{held['id']}/extend"), 200)
    booking = await me.confirm(held)
    cancelled = told(await me.delete(f"/bookings/{booking['id']}"), 200)

    assert extended["user_id"] == booking["user_id"] == cancelled["user_id"] == held["user_id"]
    assert "guest_token" not in extended | booking | cancelled


async def test_who_has_a_token_gets_no_other(ada: Visitor) -> None:
    assert "guest_token" not in await ada.hold("A1")
    assert "guest_token" not in await ada.toggle("A2")
    assert "guest_token" not in await ada.book("A3")


async def test_without_the_token_a_guest_is_somebody_new(nobody: Visitor) -> None:
    held = told(await nobody.post(HOLD, {"seat": "A1"}), 201)

    refused(
        await nobody.post(HOLD, {"seat": "A1"}), 409, "seats-unavailable", "seats", "available_seats", "suggestions"
    )
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/extend"), ("POST", "/confirm")):
        refused(await nobody.ask(method, f"/reservations/{held['id']}{path}"), 401, "unauthenticated")


async def test_a_refused_call_carries_no_token(nobody: Visitor, ada: Visitor) -> None:
    await ada.hold("A1")

    for body in ({"seat": "A1"}, {"seat": "Z1"}, {}):
        assert "guest_token" not in (await nobody.post(HOLD, body)).json()


async def test_a_token_that_is_not_believed_never_becomes_a_guest(nobody: Visitor) -> None:
    now = datetime.now(UTC)
    claims = {"sub": "1", "role": "customer", "guest": True, "typ": "access", "jti": "x"}
    tokens = [
        "nonsense",
        jwt.encode(claims | {"iat": now, "exp": now + timedelta(minutes=5)}, "x" * 64, "HS256"),
        jwt.encode(claims | {"iat": now - timedelta(days=2), "exp": now - timedelta(days=1)}, JWT_SECRET, "HS256"),
        jwt.encode(claims | {"iat": now}, JWT_SECRET, "HS256"),
    ]

    for token in tokens:
        for path, body in TAKING:
            refused(await Visitor(nobody.client, token).post(path, body), 401, "unauthenticated")
    assert await nobody.version() == 0


async def test_where_guests_are_not_welcome_a_token_is_needed(open_app: OpenApp) -> None:
    client = await open_app(guests=False)
    nobody, ada = Visitor(client), await guest(client, "ada@example.org")

    for path, body in TAKING:
        refused(await nobody.post(path, body), 401, "unauthenticated")
        assert (await ada.post(path, body)).is_success
    assert (await nobody.get("/screenings/1/seats")).status_code == 200


async def test_a_guests_email_opens_nothing_of_an_earlier_guest(ada: Visitor) -> None:
    held = await ada.hold("A1")

    again = await guest(ada.client, "ada@example.org")

    assert (await again.read("/reservations"))["items"] == []
    refused(await again.get(f"/reservations/{held['id']}"), 404, "not-found")
    refused(await again.post("/confirm", {"email": "ada@example.org", "seat_id": 1}), 404, "not-found")


# --- a guest is written down when something is


async def users_written(database: Database) -> int:
    return int(await database.fetchval("SELECT count(*) FROM users"))


async def test_who_gets_nothing_leaves_nothing(nobody: Visitor, ada: Visitor, database: Database) -> None:
    for label in ("A1", "A2", "A3", "A4", "A5", "A6", "A7"):
        await ada.hold(label)
    before = await users_written(database)

    for path, body in TAKING:
        assert (await nobody.post(path, body)).status_code == 409
    for path in (HOLD, f"{HOLD}/toggle", "/theaters/1/reserve", "/theaters/1/book"):
        assert (await nobody.post(path, {"seat": "Z99"})).status_code == 404
    assert (await nobody.post("/screenings/9999/reservations", {"seat": "A1"})).status_code == 404
    for path, body in (("/reserve", {"seat_id": 1}), ("/reserve", {"seat_id": 9999})):
        assert not (await nobody.post(path, body | {"email": "bob@example.org"})).is_success

    assert await users_written(database) == before


async def test_a_replay_makes_no_second_guest(nobody: Visitor, database: Database) -> None:
    before = await users_written(database)

    for number, (path, body) in enumerate([*TAKING, ("/reserve", {"seat_id": 8, "email": "bob@example.org"})], start=1):
        key = str(uuid4())
        answers = [await nobody.post(path, body, key=key) for _ in range(3)]

        assert all(answer.is_success for answer in answers)
        assert len({answer.json()["guest_token"] for answer in answers}) == 1
        assert await users_written(database) == before + number


@pytest.mark.skipif(PER_SCREENING, reason="guests are in no transaction of a screening")
async def test_a_guest_is_written_down_in_the_same_transaction(nobody: Visitor, database: Database) -> None:
    held = told(await nobody.post(HOLD, {"seat": "A1"}), 201)

    same = "SELECT u.xmin = r.xmin FROM users u JOIN reservations r ON r.user_id = u.id WHERE u.id = $1"
    assert await database.fetchval(same, held["user_id"])


async def test_a_guest_with_an_email_has_it(nobody: Visitor) -> None:
    held = told(await nobody.post("/reserve", {"seat_id": 1, "email": "bob@example.org"}), 201)

    assert (await Visitor(nobody.client, held["guest_token"]).read("/me"))["email"] == "bob@example.org"


# --- where each screening's rows live on a node of their own


async def test_guests_are_in_no_transaction_of_a_screening(open_app: OpenApp, database: Database) -> None:
    client = await open_app(batch_per_screening=True)
    nobody = Visitor(client)
    await database.execute(
        "CREATE FUNCTION no_guest() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF EXISTS (SELECT FROM users u WHERE u.id = NEW.user_id AND u.xmin = pg_current_xact_id()::xid)"
        " THEN RAISE 'together'; END IF; RETURN NEW; END $$"
    )
    for table in ("reservations", "bookings"):
        await database.execute(f"CREATE TRIGGER apart AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION no_guest()")
    before = await database.fetchval("SELECT count(*) FROM users")

    taken = [await nobody.post(path, body) for path, body in TAKING]
    refusals = [await nobody.post(HOLD, {"seat": "A1"}) for _ in range(3)]

    assert all(answer.is_success for answer in taken)
    assert {answer.status_code for answer in refusals} == {409}
    assert await database.fetchval("SELECT count(*) FROM users") == before + len(TAKING)


async def test_a_replay_leaves_no_guest_there_either(open_app: OpenApp, database: Database) -> None:
    nobody = Visitor(await open_app(batch_per_screening=True))
    key = str(uuid4())
    first = told(await nobody.post(HOLD, {"seat": "A1"}, key=key), 201)
    before = await database.fetchval("SELECT count(*) FROM users")

    again = told(await nobody.post(HOLD, {"seat": "A1"}, key=key), 201)

    assert again == first
    assert await database.fetchval("SELECT count(*) FROM users") == before


# --- nobody is somebody else


async def test_after_a_fail_over_a_newcomer_is_nobody_whose_token_is_still_out(
    open_app: OpenApp, database: Database
) -> None:
    """The standby had not heard of the first guest, nor of the numbers that were given out."""
    before = await open_app()
    lost = told(await Visitor(before).post(HOLD, {"seat": "A1"}), 201)
    for table in ("seat_claims", "reservation_seats", "reservations"):
        await database.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    await database.execute("DELETE FROM users WHERE id = $1", lost["user_id"])
    await database.execute("ALTER SEQUENCE users_id_seq RESTART")

    after = await open_app()
    newcomers = [told(await Visitor(after).post(HOLD, {"seat": f"A{number}"}), 201) for number in range(1, 9)]
    first = Visitor(after, lost["guest_token"])

    assert lost["user_id"] not in {each["user_id"] for each in newcomers}
    for each in newcomers:
        refused(await first.get(f"/reservations/{each['id']}"), 404, "not-found")
        refused(await first.delete(f"/reservations/{each['id']}"), 404, "not-found")
    assert told(await first.delete(HOLD), 200)["released"] == []
    assert len(await first.taken()) == len(newcomers)


@pytest.mark.parametrize("path", [HOLD, f"{HOLD}/toggle", "/bookings"])
async def test_somebody_who_does_not_exist_takes_nothing(
    client: AsyncClient, nobody: Visitor, resources: Resources, path: str
) -> None:
    token = resources.tokens.guest_token(2**53 - 1, datetime.now(UTC), "x")
    body = {"seat": "A1"} | ({"screening_id": 1} if path == "/bookings" else {})

    answers = await asyncio.gather(
        Visitor(client, token).post(path, body), *(nobody.post(HOLD, {"seat": f"B{number}"}) for number in range(1, 5))
    )

    refused(answers[0], 401, "unauthenticated")
    assert [answer.status_code for answer in answers[1:]] == [201] * 4
    assert set(await nobody.taken()) == {"B1", "B2", "B3", "B4"}


async def test_a_guests_number_is_one_that_javascript_reads(nobody: Visitor) -> None:
    held = told(await nobody.post(HOLD, {"seat": "A1"}), 201)

    assert 0 < held["user_id"] <= 2**53 - 1
