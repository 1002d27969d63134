"""What staff do for others: see and release everybody's holds, and find bookings."""

import pytest
from httpx import AsyncClient

from app.domain.people.people import Role
from tests.conftest import OpenApp
from tests.organizers import token_of
from tests.routers.visitors import BASES, NOBODYS_ID, Database, Json, Visitor, labels, refused, told

STAFF = [Role.STAFF, Role.ORGANIZER, Role.ADMIN]


@pytest.fixture
async def sam(client: AsyncClient, database: Database) -> Visitor:
    """Somebody who works here."""
    return Visitor(client, await token_of(database, Role.STAFF))


def ids(page: Json) -> list[str]:
    return [each["id"] for each in page["items"]]


# --- holds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", STAFF)
async def test_staff_see_everybodys_holds(
    client: AsyncClient, database: Database, ada: Visitor, bob: Visitor, role: Role
) -> None:
    sam = Visitor(client, await token_of(database, role))
    hers, his, elsewhere = await ada.hold("A1"), await bob.hold("A2"), await ada.hold("A1", screening=2)
    of_ada = f"user_id={hers['user_id']}"

    for base in BASES:
        assert ids(await sam.read(f"{base}/reservations?screening_id=1")) == [his["id"], hers["id"]]
        assert ids(await sam.read(f"{base}/reservations?{of_ada}")) == [elsewhere["id"], hers["id"]]
        assert ids(await sam.read(f"{base}/reservations?{of_ada}&screening_id=2&status=held")) == [elsewhere["id"]]
        assert ids(await sam.read(f"{base}/reservations?screening_id=1&status=released")) == []
        assert ids(await sam.read(f"{base}/reservations")) == []
    assert (await sam.read(f"/reservations/{hers['id']}"))["user_id"] == hers["user_id"]
    first = await sam.get("/reservations?screening_id=1&limit=1")
    assert ids(await sam.read(first.links["next"]["url"])) == [hers["id"]]


async def test_customers_see_only_their_own(ada: Visitor, bob: Visitor) -> None:
    hers = await ada.hold("A1")
    await bob.hold("A2")

    assert ids(await ada.read("/reservations?screening_id=1")) == [hers["id"]]
    for user_id in (hers["user_id"], 1):
        problem = refused(await ada.get(f"/reservations?user_id={user_id}"), 403, "forbidden")
        assert "Only staff" in problem["detail"]


@pytest.mark.parametrize("role", STAFF)
async def test_staff_release_anybodys_hold(
    client: AsyncClient, database: Database, ada: Visitor, bob: Visitor, role: Role
) -> None:
    sam = Visitor(client, await token_of(database, role))
    hers = await ada.hold("A1", "A2")

    one = told(await sam.delete(f"/reservations/{hers['id']}/seats/1"), 200)
    assert (one["status"], labels(one["seats"])) == ("held", ["A2"])
    for _ in range(2):
        over = told(await sam.delete(f"/reservations/{hers['id']}"), 200)
        assert (over["status"], over["user_id"]) == ("released", hers["user_id"])

    assert await ada.taken() == {}
    await bob.hold("A1", "A2")
    refused(await ada.post(f"/reservations/{hers['id']}/confirm"), 409, "reservation-ended", "reservation_status")


async def test_another_process_releases_it_too(open_app: OpenApp, database: Database) -> None:
    here, elsewhere = await open_app(), await open_app()
    hers = told(await Visitor(here).post("/screenings/1/reservations", {"seats": ["A1"]}), 201)

    sam = Visitor(elsewhere, await token_of(database, Role.STAFF))

    assert told(await sam.delete(f"/reservations/{hers['id']}"), 200)["status"] == "released"
    refused(await sam.delete(f"/reservations/{NOBODYS_ID}"), 404, "not-found")


async def test_the_history_and_the_feed_tell_of_it(
    client: AsyncClient, database: Database, ada: Visitor, sam: Visitor
) -> None:
    boss = Visitor(client, await token_of(database))
    hers = await ada.hold("A1")

    await sam.delete(f"/reservations/{hers['id']}")

    last = (await boss.read("/screenings/1/seats/1/history"))["items"][0]
    assert (last["from"], last["to"], last["cause"]) == ("reserved", "available", "staff")
    assert last["actor"] == (await sam.read("/me"))["id"]
    changes = await ada.read(f"/screenings/1/changes?since={hers['version']}")
    assert [(each["label"], each["status"]) for each in changes["updates"]] == [("A1", "available")]


async def test_ones_own_release_is_nothing_special(client: AsyncClient, database: Database, sam: Visitor) -> None:
    boss = Visitor(client, await token_of(database))
    his = await sam.hold("A1")

    await sam.delete(f"/reservations/{his['id']}")

    assert (await boss.read("/screenings/1/seats/1/history"))["items"][0]["cause"] == "api"


async def test_staff_neither_confirm_nor_extend_for_others(ada: Visitor, sam: Visitor) -> None:
    hers = await ada.hold("A1")

    for action in ("confirm", "extend"):
        refused(await sam.post(f"/reservations/{hers['id']}/{action}"), 404, "not-found")
    booking = await ada.confirm(hers)
    answer = await sam.delete(f"/reservations/{hers['id']}")
    assert (
        refused(answer, 409, "reservation-ended", "reservation_status", "booking_id")["reservation_status"] == "booked"
    )
    assert (await ada.read(f"/bookings/{booking['id']}"))["status"] == "confirmed"


# --- bookings --------------------------------------------------------------------------------------------------------


async def test_staff_find_bookings_by_screening_seat_and_email(ada: Visitor, bob: Visitor, sam: Visitor) -> None:
    hers, his, elsewhere = await ada.book("A1", "A2"), await bob.book("A3"), await ada.book("A1", screening=2)

    async def found(query: str) -> list[str]:
        return ids(await sam.read(f"/bookings?{query}"))

    assert await found("seat=A1") == [elsewhere["id"], hers["id"]]
    assert await found("seat=%20A2%20") == [hers["id"]]
    assert await found("seat=A1&screening_id=1") == [hers["id"]]
    assert await found("screening_id=1") == [his["id"], hers["id"]]
    assert await found("email=Ada@Example.org") == [elsewhere["id"], hers["id"]]
    assert await found("email=ada@example.org&seat=A1&screening_id=2&status=confirmed") == [elsewhere["id"]]
    assert await found("email=nobody@example.org") == []
    assert await found("status=confirmed") == []


async def test_accounts_are_found_by_their_email_too(client: AsyncClient, ada: Visitor, sam: Visitor) -> None:
    booking = await ada.book("A1")
    await ada.post("/auth/register", {"username": "ada", "password": "a long sentence"})

    assert ids(await sam.read("/bookings?email=ada@example.org")) == [booking["id"]]


async def test_a_cancelled_booking_is_found_by_the_seats_that_it_had(ada: Visitor, sam: Visitor) -> None:
    whole, part = await ada.book("A1"), await ada.book("A2", "A3")
    await ada.delete(f"/bookings/{whole['id']}")
    await ada.delete(f"/bookings/{part['id']}/seats/2")

    assert ids(await sam.read("/bookings?seat=A1")) == [whole["id"]]
    assert ids(await sam.read("/bookings?seat=A2")) == []
    assert ids(await sam.read("/bookings?seat=A3")) == [part["id"]]


async def test_customers_find_their_own_by_seat_and_nobodys_by_email(ada: Visitor, bob: Visitor) -> None:
    hers = await ada.book("A1")
    await bob.book("A2")

    assert ids(await ada.read("/bookings?seat=A1")) == [hers["id"]]
    assert ids(await ada.read("/bookings?seat=A2")) == []
    refused(await ada.get("/bookings?email=bob@example.org"), 403, "forbidden")
    for query in ("email=bob", "email=", "seat="):
        refused(await ada.get(f"/bookings?{query}"), 422, "validation", "errors")


async def test_staff_find_the_way_back_to_a_booking(ada: Visitor, sam: Visitor) -> None:
    hers = await ada.book("A1")

    for base in BASES:
        wanted = {"email": "ADA@example.org", "booking_id": hers["id"]}
        assert told(await sam.post(f"{base}/bookings/find", wanted), 200) == hers
    for wrong in ({"email": "bob@example.org"}, {"booking_id": NOBODYS_ID}):
        refused(await sam.post("/bookings/find", wanted | wrong), 404, "not-found")


async def test_nobody_else_learns_anything_from_it(ada: Visitor, bob: Visitor, nobody: Visitor) -> None:
    hers = await ada.book("A1")

    for who in (ada, bob, nobody):
        for email in ("ada@example.org", "bob@example.org"):
            for booking_id in (hers["id"], NOBODYS_ID):
                answer = await who.post("/bookings/find", {"email": email, "booking_id": booking_id})
                assert told(answer, 202) == {}
    for wrong in ({"email": "ada", "booking_id": hers["id"]}, {"email": "ada@example.org", "booking_id": "x"}, {}):
        refused(await nobody.post("/bookings/find", wrong), 422, "validation", "errors")
