"""Handing booked seats to somebody else, as both of them see it."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
from httpx import AsyncClient

from app.services.money import books
from app.services.transfers import Codes
from tests.conftest import MakeSettings, OpenApp, resources_of
from tests.listeners import Socket, house, seats
from tests.organizers import token_of
from tests.routers.members import PASSWORD, register
from tests.routers.visitors import (
    BASES,
    NOBODYS_CODE,
    NOBODYS_ID,
    Database,
    Json,
    Visitor,
    guest,
    labels,
    refused,
    told,
)


def euros(amount_minor: int) -> Json:
    return {"amount_minor": amount_minor, "currency": "EUR"}


async def offered(giver: Visitor, booking: Json, *seats: str) -> Json:
    """A new offer of these seats, or of all."""
    answer = await giver.post(f"/bookings/{booking['id']}/transfers", {"seats": seats} if seats else None)
    return dict(told(answer, 201))


async def accepted(taker: Visitor, offer: Json) -> Json:
    """The booking of whoever accepts."""
    return dict(told(await taker.post(f"/transfers/{offer['code']}/accept"), 201))


async def status(who: Visitor, offer: Json) -> str:
    return str((await who.read(f"/transfers/{offer['code']}"))["status"])


async def over(taker: Visitor, offer: Json, why: str) -> None:
    """Nobody can accept it any more."""
    assert await status(taker, offer) == why
    problem = refused(await taker.post(f"/transfers/{offer['code']}/accept"), 409, "transfer-over", "transfer_status")
    assert problem["transfer_status"] == why


async def give_back(client: AsyncClient, database: Database) -> None:
    """It is time to give money back, and that is done."""
    await database.execute("UPDATE refunds SET next_try_at = now() WHERE next_try_at IS NOT NULL")
    await resources_of(client).refunds.carry_out()


async def the_books_are_right(client: AsyncClient) -> None:
    found = await books.examine(resources_of(client).engine)
    assert (found.wrong, found.unbalanced) == ([], [])


@pytest.mark.parametrize("base", BASES)
async def test_all_seats_of_a_booking_change_hands(
    client: AsyncClient, ada: Visitor, bob: Visitor, nobody: Visitor, base: str
) -> None:
    booking = await ada.book("A1", "A2")
    screening = await nobody.read("/screenings/1")

    answer = await ada.post(f"{base}/bookings/{booking['id']}/transfers")
    offer = told(answer, 201)
    seen = await nobody.read(f"{base}/transfers/{offer['code']}")
    took = await bob.post(f"{base}/transfers/{offer['code']}/accept")
    taken, given = told(took, 201), await ada.read(f"/bookings/{booking['id']}")

    assert list(offer) == ["code", "status", "seats", "expires_at"]
    assert answer.headers["location"] == f"/api/v1/transfers/{offer['code']}"
    assert (offer["status"], offer["seats"]) == ("offered", booking["seats"])
    in_72_hours = datetime.now(UTC) + timedelta(hours=72)
    ends = min(in_72_hours, datetime.fromisoformat(screening["starts_at"]))
    assert abs(datetime.fromisoformat(offer["expires_at"]) - ends) < timedelta(minutes=1)
    assert seen == {
        "status": "offered",
        "screening": {name: screening[name] for name in ("id", "title", "starts_at")},
        "seats": offer["seats"],
        "expires_at": offer["expires_at"],
    }
    assert took.headers["location"] == f"/api/v1/bookings/{taken['id']}"
    assert (taken["status"], taken["seats"], taken["total"]) == ("confirmed", booking["seats"], booking["total"])
    assert (taken["user_id"], taken["reservation_id"]) == ((await bob.read("/me"))["id"], None)
    assert taken["payment"] == booking["payment"]
    assert (given["status"], given["seats"]) == ("cancelled", booking["seats"])
    assert (given["payment"]["amount"], given["payment"]["refunded"]) == (euros(0), euros(0))
    assert await nobody.taken() == {"A1": "booked", "A2": "booked"}
    assert [each["id"] for each in (await bob.read("/bookings"))["items"]] == [taken["id"]]
    await over(nobody, offer, "accepted")
    await over(bob, offer, "accepted")
    await the_books_are_right(client)


async def test_one_seat_changes_hands_and_its_money_goes_back_to_who_paid(
    client: AsyncClient, ada: Visitor, bob: Visitor, database: Database
) -> None:
    booking = await ada.book("A1", "A2", "C5")
    offer = await offered(ada, booking, "C5")
    organizer = Visitor(client, await token_of(database))

    taken, given = await accepted(bob, offer), await ada.read(f"/bookings/{booking['id']}")
    await the_books_are_right(client)
    told(await bob.delete(f"/bookings/{taken['id']}"), 200)
    await the_books_are_right(client)
    told(await ada.delete(f"/bookings/{booking['id']}/seats/{booking['seats'][0]['seat_id']}"), 200)
    await give_back(client, database)

    share = taken["total"]["amount_minor"]
    price = booking["seats"][0]["price"]["amount_minor"]
    all_of_it = booking["total"]["amount_minor"]
    assert labels(taken["seats"]) == ["C5"]
    assert labels(given["seats"]) == ["A1", "A2"]
    assert (given["status"], given["payment"]["status"]) == ("confirmed", "paid")
    assert (taken["payment"]["amount"], given["payment"]["amount"]) == (euros(share), euros(all_of_it - share))
    gone = (await bob.read(f"/bookings/{taken['id']}"))["payment"]
    assert (gone["status"], gone["refunded"], gone["reference"]) == (
        "refunded",
        euros(share),
        booking["payment"]["reference"],
    )
    left = (await ada.read(f"/bookings/{booking['id']}"))["payment"]
    assert (left["status"], left["refunded"]) == ("partly_refunded", euros(price))
    [payment] = (await organizer.read(f"/payments?booking_id={taken['id']}"))["items"]
    assert [payment] == (await organizer.read(f"/payments?booking_id={booking['id']}"))["items"]
    assert payment["user_id"] == (await ada.read("/me"))["id"]
    assert (payment["booking_id"], payment["refunded"]) == (booking["id"], euros(share + price))
    entries = sorted((each["kind"], each["amount"]["amount_minor"]) for each in payment["entries"])
    assert entries == [("capture", all_of_it), *sorted([("refund", share), ("refund", price)])]
    report = await organizer.read("/screenings/1/report")
    assert (report["revenue"], report["refunded"]) == (euros(all_of_it), euros(share + price))
    assert sum(each["revenue"]["amount_minor"] for each in report["by_section"]) == all_of_it - share - price
    await the_books_are_right(client)


async def test_a_cancelled_screening_gives_back_what_stands_behind_both(
    client: AsyncClient, ada: Visitor, bob: Visitor, database: Database
) -> None:
    booking = await ada.book("A1", "A2")
    taken = await accepted(bob, await offered(ada, booking, "A1"))
    again = await offered(bob, taken)
    organizer = Visitor(client, await token_of(database))

    assert (await organizer.delete("/screenings/1")).status_code == 204
    await the_books_are_right(client)
    await give_back(client, database)

    [payment] = (await organizer.read("/payments"))["items"]
    assert (payment["status"], payment["refunded"]) == ("refunded", booking["total"])
    for who, which in ((ada, booking), (bob, taken)):
        now = await who.read(f"/bookings/{which['id']}")
        assert (now["status"], now["payment"]["status"]) == ("cancelled", "refunded")
    await over(ada, again, "withdrawn")
    await the_books_are_right(client)


async def test_what_was_handed_over_may_be_handed_on(client: AsyncClient, ada: Visitor, bob: Visitor) -> None:
    cleo = await guest(client, "cleo@example.org")
    booking = await ada.book("A1", "A2", "A3")
    bobs = await accepted(bob, await offered(ada, booking, "A1", "A2"))

    cleos = await accepted(cleo, await offered(bob, bobs, "A2"))
    back = await accepted(ada, await offered(cleo, cleos))

    assert labels(back["seats"]) == ["A2"]
    assert back["payment"]["reference"] == booking["payment"]["reference"]
    assert [labels((await bob.read(f"/bookings/{bobs['id']}"))["seats"])] == [["A1"]]
    await the_books_are_right(client)
    for who, which in ((ada, booking), (bob, bobs), (ada, back)):
        told(await who.delete(f"/bookings/{which['id']}"), 200)
        await the_books_are_right(client)
    assert await ada.taken() == {}


async def test_whoever_has_no_token_becomes_a_guest(client: AsyncClient, ada: Visitor, nobody: Visitor) -> None:
    booking = await ada.book("A1")
    offer = await offered(ada, booking)
    key = str(uuid4())

    refused(await nobody.post(f"/transfers/{offer['code']}/accept", key="short"), 400, "idempotency-key-invalid")
    answer = await nobody.post(f"/transfers/{offer['code']}/accept", key=key)
    again = await nobody.post(f"/transfers/{offer['code']}/accept", key=key)

    taken = told(answer, 201)
    assert (again.status_code, again.content) == (201, answer.content)
    assert again.headers["idempotent-replayed"] == "true"
    newcomer = Visitor(client, taken.pop("guest_token"))
    assert [each["id"] for each in (await newcomer.read("/bookings"))["items"]] == [taken["id"]]


async def test_who_gets_nothing_is_not_remembered(ada: Visitor, nobody: Visitor, database: Database) -> None:
    offer = await offered(ada, await ada.book("A1"))
    await ada.delete(f"/transfers/{offer['code']}")
    users = await database.fetchval("SELECT count(*) FROM users")

    await over(nobody, offer, "withdrawn")

    assert await database.fetchval("SELECT count(*) FROM users") == users


async def test_a_retry_is_told_the_same_code_and_nothing_that_is_stored_has_it(
    client: AsyncClient, ada: Visitor, database: Database
) -> None:
    booking = await ada.book("A1")

    first = await ada.post(f"/bookings/{booking['id']}/transfers", {"seats": ["A1"]}, key="k")
    again = await ada.post(f"/bookings/{booking['id']}/transfers", {"seats": ["A1"]}, key="k")
    other = await ada.post(f"/bookings/{booking['id']}/transfers", {}, key="k")

    offer = told(first, 201)
    assert (again.status_code, again.content, again.headers["location"]) == (
        201,
        first.content,
        first.headers["location"],
    )
    assert again.headers["idempotent-replayed"] == "true"
    refused(other, 422, "idempotency-key-reused")
    bare = offer["code"].replace("-", "")
    for table in ("transfers", "idempotency_keys"):
        text = await database.fetchval(f"SELECT string_agg(t::text, '') FROM {table} t")  # noqa: S608
        body = await database.fetchval("SELECT string_agg(convert_from(body, 'UTF8'), '') FROM idempotency_keys")
        assert bare[-28:] not in (text + body).replace("-", "")
    resources_of(client).transfers._codes = Codes("another secret", ("yet another one", "x" * 40))
    refused(await ada.post(f"/bookings/{booking['id']}/transfers", {"seats": ["A1"]}, key="k"), 404, "not-found")
    secret = resources_of(client).settings.jwt_secret or ""
    resources_of(client).transfers._codes = Codes("another secret", ("yet another one", secret))
    later = await ada.post(f"/bookings/{booking['id']}/transfers", {"seats": ["A1"]}, key="k")
    assert later.content == first.content


async def test_a_key_replays_withdrawing_too(ada: Visitor) -> None:
    offer = await offered(ada, await ada.book("A1"))

    first = await ada.delete(f"/transfers/{offer['code']}", key="k")
    again = await ada.delete(f"/transfers/{offer['code']}", key="k")

    assert (first.status_code, first.content, again.status_code, again.content) == (204, b"", 204, b"")
    assert again.headers["idempotent-replayed"] == "true"


async def test_both_sides_list_their_transfers(
    client: AsyncClient, ada: Visitor, bob: Visitor, nobody: Visitor, database: Database
) -> None:
    booking = await ada.book("A1", "A2", "A3")
    first, taken = await offered(ada, booking, "A1"), await offered(ada, booking, "A2", "A3")
    bobs = await accepted(bob, taken)
    organizer = Visitor(client, await token_of(database))

    given = (await ada.read("/transfers"))["items"]
    got = (await bob.read("/transfers?side=taker"))["items"]

    assert given == [
        {
            "booking_id": booking["id"],
            "screening_id": 1,
            "code": None,
            "status": "accepted",
            "seats": taken["seats"],
            "expires_at": taken["expires_at"],
        },
        {"booking_id": booking["id"], "screening_id": 1, **first},
    ]
    assert got == [{**given[0], "booking_id": bobs["id"]}]
    for who, side in ((ada, "taker"), (bob, "giver"), (organizer, "giver"), (organizer, "taker")):
        assert (await who.read(f"/transfers?side={side}"))["items"] == []
    refused(await nobody.get("/transfers"), 401, "unauthenticated")
    refused(await ada.get("/transfers?side=both"), 422, "validation", "errors")
    assert (await ada.read("/transfers?screening_id=2"))["items"] == []
    assert (await ada.read("/transfers?screening_id=1"))["items"] == given


async def test_transfers_come_in_pages(ada: Visitor) -> None:
    booking = await ada.book("A1", "A2", "A3")
    codes = [(await offered(ada, booking, label))["code"] for label in ("A1", "A2", "A3")]

    page = await ada.read("/transfers?limit=2")
    rest = await ada.read(f"/transfers?limit=2&cursor={page['next_cursor']}")

    assert [each["code"] for each in page["items"]] == codes[:0:-1]
    assert ([each["code"] for each in rest["items"]], rest["next_cursor"]) == (codes[:1], None)


async def test_a_giver_reads_a_code_only_as_long_as_it_is_good(
    client: AsyncClient, ada: Visitor, bob: Visitor, database: Database
) -> None:
    booking = await ada.book("A1", "A2", "A3", "A4")
    for label in ("A1", "A2", "A3"):
        last = await offered(ada, booking, label)
    told(await ada.delete(f"/bookings/{booking['id']}/seats/{booking['seats'][0]['seat_id']}"), 200)
    await database.execute(
        "UPDATE transfers SET created_at = created_at - interval '72 hours' WHERE seat_ids[1] = $1",
        booking["seats"][1]["seat_id"],
    )

    listed = [(each["status"], each["code"]) for each in (await ada.read("/transfers"))["items"]]
    resources_of(client).transfers._codes = Codes("another secret")
    unknown = [(each["status"], each["code"]) for each in (await ada.read("/transfers"))["items"]]

    assert listed == [("offered", last["code"]), ("expired", None), ("withdrawn", None)]
    assert unknown == [("offered", None), ("expired", None), ("withdrawn", None)]


async def test_offering_a_seat_again_withdraws_the_earlier_offer(ada: Visitor, bob: Visitor) -> None:
    booking = await ada.book("A1", "A2", "A3")
    of_two, of_one = await offered(ada, booking, "A1", "A2"), await offered(ada, booking, "A3")

    anew = await offered(ada, booking, "A2")

    await over(bob, of_two, "withdrawn")
    assert (await status(bob, of_one), await status(bob, anew)) == ("offered", "offered")
    assert labels((await accepted(bob, anew))["seats"]) == ["A2"]
    assert labels((await accepted(bob, of_one))["seats"]) == ["A3"]


async def test_only_the_giver_withdraws_and_only_what_is_not_accepted(ada: Visitor, bob: Visitor) -> None:
    booking = await ada.book("A1", "A2")
    kept, gone = await offered(ada, booking, "A1"), await offered(ada, booking, "A2")
    await accepted(bob, gone)

    refused(await bob.delete(f"/transfers/{kept['code']}"), 404, "not-found")
    assert await status(bob, kept) == "offered"
    for who in (ada, bob):
        answer = await who.delete(f"/transfers/{gone['code']}")
        if who is ada:
            problem = refused(answer, 409, "transfer-over", "transfer_status")
            assert problem["transfer_status"] == "accepted"
        else:
            refused(answer, 404, "not-found")
    for _ in range(2):
        assert (await ada.delete(f"/transfers/{kept['code']}")).status_code == 204
    await over(bob, kept, "withdrawn")


async def test_nobody_accepts_their_own(ada: Visitor) -> None:
    offer = await offered(ada, await ada.book("A1"))

    problem = refused(await ada.post(f"/transfers/{offer['code']}/accept"), 422, "validation", "errors")

    assert [(each["loc"], each["code"]) for each in problem["errors"]] == [(["path", "code"], "own_transfer")]
    assert await status(ada, offer) == "offered"


async def test_what_is_cancelled_is_offered_no_more(ada: Visitor, bob: Visitor) -> None:
    booking = await ada.book("A1", "A2", "A3")
    of_one, of_others = await offered(ada, booking, "A1"), await offered(ada, booking, "A2")

    told(await ada.delete(f"/bookings/{booking['id']}/seats/{booking['seats'][0]['seat_id']}"), 200)

    await over(bob, of_one, "withdrawn")
    assert await status(bob, of_others) == "offered"
    told(await ada.delete(f"/bookings/{booking['id']}"), 200)
    await over(bob, of_others, "withdrawn")
    assert (await ada.delete(f"/transfers/{of_others['code']}")).status_code == 204


async def test_an_offer_runs_out(ada: Visitor, bob: Visitor, database: Database) -> None:
    booking = await ada.book("A1", "A2")
    first, second = await offered(ada, booking, "A1"), await offered(ada, booking, "A2")

    await database.execute(
        "UPDATE transfers SET created_at = created_at - interval '72 hours' WHERE seat_ids[1] = $1",
        booking["seats"][0]["seat_id"],
    )

    await over(bob, first, "expired")
    assert (await ada.delete(f"/transfers/{first['code']}")).status_code == 204
    await over(bob, first, "expired")
    await begins(database)
    await over(bob, second, "expired")
    assert labels((await ada.read(f"/bookings/{booking['id']}"))["seats"]) == ["A1", "A2"]


async def begins(database: Database) -> None:
    """The screening begins."""
    await database.execute("UPDATE screenings SET starts_at = now() - interval '1 second' WHERE id = 1")
    await database.execute(
        "UPDATE screening_states SET starts_at = now() - interval '1 second', revision = revision + 1"
        " WHERE screening_id = 1"
    )


@pytest.mark.parametrize("until", ["cancel_until", "starts_at"])
async def test_it_may_be_too_late_to_offer_but_not_to_accept(
    ada: Visitor, bob: Visitor, database: Database, until: str
) -> None:
    booking = await ada.book("A1", "A2")
    offer = await offered(ada, booking, "A1")

    if until == "starts_at":
        await begins(database)
    else:
        await database.execute(
            "UPDATE screening_states SET cancel_until = now(), revision = revision + 1 WHERE screening_id = 1"
        )

    refused(await ada.post(f"/bookings/{booking['id']}/transfers"), 409, "cancellation-closed", "cancel_until")
    if until == "cancel_until":
        assert labels((await accepted(bob, offer))["seats"]) == ["A1"]


async def test_what_cannot_be_offered(
    client: AsyncClient, ada: Visitor, bob: Visitor, nobody: Visitor, database: Database
) -> None:
    booking, other = await ada.book("A1"), await bob.book("A2")
    path = f"/bookings/{booking['id']}/transfers"
    organizer = Visitor(client, await token_of(database))

    refused(await nobody.post(path), 401, "unauthenticated")
    for who in (bob, organizer):
        refused(await who.post(path), 404, "not-found")
    refused(await ada.post(f"/bookings/{NOBODYS_ID}/transfers"), 404, "not-found")
    refused(await ada.post("/bookings/1/transfers"), 422, "validation", "errors")
    assert "A2" in refused(await ada.post(path, {"seats": ["A1", "A2"]}), 404, "not-found")["detail"]
    unknown = refused(await ada.post(path, {"seats": ["Z9"]}), 404, "unknown-seats", "unknown", "available_seats")
    assert unknown["unknown"] == ["Z9"]
    mistakes: list[Any] = [{"seats": []}, {"seats": ["A1", "A1"]}, {"seat": "A1", "seat_id": 1}, {"price": 1}, [], "A1"]
    for wrong in mistakes:
        refused(await ada.post(path, wrong), 422, "validation", "errors")
    told(await ada.delete(f"/bookings/{booking['id']}"), 200)
    refused(await ada.post(path), 409, "reservation-ended", "reservation_status", "booking_id")
    assert (await bob.read(f"/bookings/{other['id']}"))["status"] == "confirmed"


@pytest.mark.parametrize(
    "code",
    [
        NOBODYS_CODE,
        NOBODYS_CODE.replace("1-", "9999-", 1),
        "1",
        "x",
        "U" * 29,
        "1" * 28,
        "1" * 200,
        "ZZZZZZZZZZZZZZ-" + "0" * 28,
        "0-" + "0" * 28,
        "%F0%9F%8E%AD" * 29,
        "%00",
        "1-" + "0" * 27 + "%00",
        "%20" + NOBODYS_CODE,
        "1" * 5000,
        "\N{ARABIC-INDIC DIGIT ONE}" * 29,
    ],
)
async def test_a_code_that_is_none_is_not_found(client: AsyncClient, ada: Visitor, code: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/accept")):
        refused(await ada.ask(method, f"/api/v1/transfers/{code}{path}"), 404, "not-found")


async def test_a_code_is_read_as_people_write_it(ada: Visitor, bob: Visitor) -> None:
    code = (await offered(ada, await ada.book("A1")))["code"]

    written = code.replace("-", "").lower().replace("0", "o").replace("1", "l")

    assert (await bob.read(f"/transfers/{written}"))["status"] == "offered"
    assert told(await bob.post(f"/transfers/{written}/accept"), 201)["status"] == "confirmed"


async def test_the_limits_of_the_taker_count(open_app: OpenApp) -> None:
    client = await open_app(max_seats_per_user=2, bookings_per_user_per_day=2)
    ada, bob = await guest(client, "ada@example.org"), await guest(client, "bob@example.org")
    booking = await ada.book("A1", "A2")
    offer = await offered(ada, booking)
    await bob.book("B1")

    problem = refused(await bob.post(f"/transfers/{offer['code']}/accept"), 409, "limit-exceeded", *LIMIT)
    assert (problem["limit"], problem["allowed"], problem["current"]) == ("max_seats_per_user", 2, 1)
    await accepted(bob, await offered(ada, booking, "A1"))
    assert (await bob.read("/me?screening_id=1"))["bookings_today"] == 2
    refused(await bob.post(f"/transfers/{(await offered(ada, booking))['code']}/accept"), 409, "limit-exceeded", *LIMIT)


LIMIT: Final = ("limit", "allowed", "current")


async def test_what_others_see_is_booked_throughout_and_both_see_whose_it_is(
    client: AsyncClient, ada: Visitor, bob: Visitor, nobody: Visitor, database: Database
) -> None:
    booking = await ada.book("A1")
    offer = await offered(ada, booking)
    version = await nobody.version()

    taken = await accepted(bob, offer)

    changes = await nobody.read(f"/screenings/1/changes?since={version}")
    assert [(each["label"], each["status"], each["is_mine"]) for each in changes["updates"]] == [
        ("A1", "booked", False)
    ]
    assert taken["version"] == changes["version"] == version + 1
    for who, has in ((ada, False), (bob, True)):
        [seat] = [each for each in (await who.read("/screenings/1/seats/me"))["seats"] if each["label"] == "A1"]
        assert (seat["status"], seat["is_mine"]) == ("booked", has)
    organizer = Visitor(client, await token_of(database))
    told_of = await organizer.read(f"/screenings/1/seats/{booking['seats'][0]['seat_id']}/history")
    assert told_of["items"][0]["to"] == "booked"


async def test_offers_of_a_guest_go_on_when_they_sign_in_and_what_they_paid_is_theirs(
    client: AsyncClient, bob: Visitor, nobody: Visitor, database: Database
) -> None:
    await register(nobody)
    held = await nobody.hold("A1", "A2")
    passer_by = Visitor(client, held["guest_token"])
    told_no = await passer_by.post(f"/reservations/{held['id']}/confirm", {"payment": {"token": "declined"}})
    booking = await passer_by.confirm(held)
    offer = await offered(passer_by, booking, "A1")

    wanted = {"username": "ada", "password": PASSWORD, "guest_token": passer_by.token}
    ada = Visitor(client, told(await nobody.post("/auth/login", wanted), 200)["access_token"])

    assert told_no.status_code == 402
    organizer = Visitor(client, await token_of(database))
    me: Any = (await ada.read("/me"))["id"]
    assert [each["user_id"] for each in (await organizer.read("/payments"))["items"]] == [me, me]
    refused(await ada.post(f"/transfers/{offer['code']}/accept"), 422, "validation", "errors")
    await accepted(bob, offer)
    await the_books_are_right(client)


async def test_nobody_becomes_a_guest_where_guests_are_not_welcome(open_app: OpenApp) -> None:
    client = await open_app(guests=False)
    offer = await offered(ada := await guest(client, "ada@example.org"), await ada.book("A1"))

    refused(await Visitor(client).post(f"/transfers/{offer['code']}/accept"), 401, "unauthenticated")

    assert await status(Visitor(client), offer) == "offered"


async def test_whoever_watches_sees_the_seat_booked_and_both_see_whose_it_is(make_settings: MakeSettings) -> None:
    async with house(make_settings()) as usher:
        ada, bob = await guest(usher.client, "ada@example.org"), await guest(usher.client, "bob@example.org")
        offer = await offered(ada, await ada.book("A1", "A2"), "A1")
        async with AsyncExitStack() as stack:
            queries = ("", f"?token={ada.token}", f"?token={bob.token}")
            sockets = [Socket(await stack.enter_async_context(usher.socket(query=each))) for each in queries]
            for each in sockets:
                await each.next()

            await accepted(bob, offer)

            updates = [(await seats(each))["updates"] for each in sockets]
    same = {"seat_id": 1, "label": "A1", "status": "booked", "expires_at": None, "previously_reserved_by": None}
    assert updates == [[same | {"is_mine": is_mine}] for is_mine in (False, False, True)]


@pytest.mark.parametrize(
    ("mistake", "what"),
    [
        ("UPDATE bookings SET paid_minor = paid_minor + 1", "a booking's money is not the price of its seats"),
        (
            "UPDATE payments SET captured_minor = captured_minor - 1, amount_minor = amount_minor - 1",
            "payments are not the price of the seats that they stand behind",
        ),
        ("DELETE FROM shared_payments", "a refund is from a payment that does not stand behind its booking"),
    ],
)
async def test_the_doctor_sees_what_is_wrong_after_seats_changed_hands(
    client: AsyncClient, ada: Visitor, bob: Visitor, database: Database, mistake: str, what: str
) -> None:
    cleo = await guest(client, "cleo@example.org")
    taken = await accepted(bob, await offered(ada, await ada.book("A1", "A2", "A3"), "A1", "A2"))
    on = await accepted(cleo, await offered(bob, taken, "A1"))
    told(await cleo.delete(f"/bookings/{on['id']}"), 200)
    await the_books_are_right(client)

    await database.execute(mistake)

    found = await books.examine(resources_of(client).engine)
    assert what in [each.what for each in found.wrong]
