"""Exchanging, as a caller sees it: other seats, and what is paid for them or goes back."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from httpx import AsyncClient, Response

from app.domain.people.people import Role
from app.services.money import books
from tests.conftest import resources_of
from tests.organizers import token_of
from tests.routers.selling.test_payments import decide_now, finish
from tests.routers.visitors import Database, Json, Visitor, guest, labels, refused, told

BOX, STANDARD, CHEAP = 4500, 2500, 1500
"""What seats of the rows A, of B and C, and of D cost."""
NAMELESS: Final = ("seats-unavailable", "seats", "available_seats", "suggestions")

pytestmark = pytest.mark.usefixtures("nobody_waits_for_the_bank")


def euros(cents: int) -> Json:
    return {"amount_minor": cents, "currency": "EUR"}


@pytest.fixture
async def ada(client: AsyncClient) -> Visitor:
    return await guest(client, "ada@example.org")


@pytest.fixture
async def admin(client: AsyncClient, database: Database) -> Visitor:
    return Visitor(client, await token_of(database, Role.ADMIN))


async def exchange(
    visitor: Visitor, booking: Json, give: Any, take: Any, token: str | None = None, key: str | None = None
) -> Response:
    """Ask for an exchange. Seats are named as `seats`, unless they are named otherwise."""
    give, take = (names if isinstance(names, dict) else {"seats": names.split()} for names in (give, take))
    body = {"give": give, "take": take} | ({"payment": {"token": token}} if token else {})
    return await visitor.post(f"/bookings/{booking['id']}/exchange", body, key=key)


async def the_books_are_right(client: AsyncClient, kept: int) -> None:
    """`kept`: what was taken and did not go back, in cents."""
    found = await books.examine(resources_of(client).engine)
    assert (found.wrong, found.unbalanced, found.still_open) == ([], [], 0)
    assert sum(each.captured_minor - each.refunded_minor for each in found.totals) == kept


# --- at once ---------------------------------------------------------------------------------------------------------


async def test_who_takes_dearer_seats_pays_the_difference(
    ada: Visitor,
    admin: Visitor,
    client: AsyncClient,
) -> None:
    booking = await ada.book("B1", "B2")

    answer = await exchange(ada, booking, "B2", "A2")

    after = told(answer, 200)
    assert (after["id"], labels(after["seats"])) == (booking["id"], ["A2", "B1"])
    assert after["total"] == after["payment"]["amount"] == euros(BOX + STANDARD)
    assert (after["payment"]["status"], after["payment"]["reference"]) == ("paid", booking["payment"]["reference"])
    assert await ada.read(f"/bookings/{booking['id']}") == after
    assert await ada.taken() == {"A2": "booked", "B1": "booked"}
    more, first = (await admin.read(f"/payments?booking_id={booking['id']}"))["items"]
    assert (first["amount"], more["amount"]) == (euros(2 * STANDARD), euros(BOX - STANDARD))
    assert [(each["kind"], each["amount"]) for each in more["entries"]] == [("capture", euros(BOX - STANDARD))]
    charges = (await admin.read("/payments/dummy/books"))["items"]
    assert [each["amount"] for each in charges] == [more["amount"], first["amount"]]
    await the_books_are_right(client, BOX + STANDARD)


async def test_who_takes_cheaper_seats_gets_the_difference_back(
    ada: Visitor,
    admin: Visitor,
    client: AsyncClient,
    database: Database,
) -> None:
    booking = await ada.book("A1", "A2")

    after = told(await exchange(ada, booking, "A1", "D1"), 200)

    assert (after["total"], after["payment"]["status"]) == (euros(BOX + CHEAP), "refund_pending")
    await finish(client, database)
    paid = (await ada.read(f"/bookings/{booking['id']}"))["payment"]
    assert (paid["status"], paid["amount"], paid["refunded"]) == ("partly_refunded", euros(2 * BOX), euros(BOX - CHEAP))
    [payment] = (await admin.read("/payments?cause=exchanged"))["items"]
    assert [(each["kind"], each["amount"], each["cause"]) for each in payment["entries"]] == [
        ("capture", euros(2 * BOX), None),
        ("refund", euros(BOX - CHEAP), "exchanged"),
    ]
    await the_books_are_right(client, BOX + CHEAP)
    told(await ada.delete(f"/bookings/{booking['id']}"), 200)
    await finish(client, database)
    await the_books_are_right(client, 0)


@pytest.mark.parametrize("give", [{"seat": "B1"}, {"seat_number": "B1"}, {"seat_id": 21}, {"seat_ids": [21]}])
async def test_seats_are_named_in_any_way(ada: Visitor, give: Json) -> None:
    booking = await ada.book("B1")
    assert booking["seats"][0]["seat_id"] == 21

    after = told(await exchange(ada, booking, give, {"seat": "C1"}), 200)

    assert labels(after["seats"]) == ["C1"]


async def test_the_best_seats_are_found(ada: Visitor) -> None:
    booking = await ada.book("A1", "A2")

    after = told(await exchange(ada, booking, "A1 A2", {"best_available": {"count": 2, "section": "B"}}), 200)

    assert after["adjacent"] is True
    assert labels(after["seats"]) == ["B10", "B11"]


async def test_held_seats_may_be_taken(ada: Visitor) -> None:
    booking = await ada.book("B1")
    hold = await ada.hold("C1", "C2")

    after = told(await exchange(ada, booking, "B1", "C1"), 200)

    assert labels(after["seats"]) == ["C1"]
    assert labels((await ada.read(f"/reservations/{hold['id']}"))["seats"]) == ["C2"]


async def test_an_organizer_exchanges_always(ada: Visitor, admin: Visitor) -> None:
    booking = await ada.book("B1")
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    changed = told(await admin.ask("PATCH", "/screenings/1", {"cancel_until": past}), 200)

    problem = refused(await exchange(ada, booking, "B1", "B2"), 409, "cancellation-closed", "cancel_until")
    assert problem["cancel_until"] == changed["cancel_until"]
    told(await exchange(admin, booking, "B1", "A2"), 200)

    seat_id = booking["seats"][0]["seat_id"]
    history = (await admin.read(f"/screenings/1/seats/{seat_id}/history"))["items"]
    assert [(each["from"], each["to"], each["cause"]) for each in history] == [
        ("booked", "available", "staff"),
        ("available", "booked", "api"),
    ]
    assert await ada.taken() == {"A2": "booked"}


async def test_an_exchange_is_one_change_of_all_its_seats(ada: Visitor) -> None:
    booking = await ada.book("B1", "B2")
    before = await ada.version()

    after = told(await exchange(ada, booking, "B1 B2", "C1 C2"), 200)

    assert after["version"] == await ada.version() == before + 1
    changes = (await ada.read(f"/screenings/1/changes?since={before}"))["updates"]
    assert {each["label"]: (each["status"], each["is_mine"]) for each in changes} == {
        "B1": ("available", False),
        "B2": ("available", False),
        "C1": ("booked", True),
        "C2": ("booked", True),
    }


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("give", "take", "loc"),
    [
        ("B1", "C1 C2", ["body", "take"]),
        ("B1 B2", "C1", ["body", "take"]),
        ("B1", {"best_available": {"count": 2}}, ["body", "take"]),
        ("B1", "B1", ["body", "take"]),
        ("B1", {"best_available": {"count": 1, "section": "Z"}}, ["body", "take", "best_available", "section"]),
        ("B1 B1", "C1 C2", ["body", "give"]),
        ("B1", {}, ["body", "take"]),
        ({"best_available": {"count": 1}}, "C1", ["body", "give", "best_available"]),
        ({"seat": "B1", "seat_id": 21}, "C1", ["body", "give"]),
    ],
)
async def test_what_is_no_exchange(ada: Visitor, give: Any, take: Any, loc: list[str]) -> None:
    booking = await ada.book("B1", "B2")

    problem = refused(await exchange(ada, booking, give, take), 422, "validation", "errors")

    assert loc in [each["loc"] for each in problem["errors"]]
    assert await ada.taken() == {"B1": "booked", "B2": "booked"}


async def test_every_seat_in_the_way_is_named(ada: Visitor, client: AsyncClient) -> None:
    booking = await ada.book("B1", "B2")
    bob = await guest(client, "bob@example.org")
    await bob.hold("C1")
    await bob.book("C2")

    problem = refused(await exchange(ada, booking, "B1 B2", "C1 C2"), 409, *NAMELESS)

    assert [(each["label"], each["status"]) for each in problem["seats"]] == [("C1", "reserved"), ("C2", "booked")]
    assert await ada.taken() == {"B1": "booked", "B2": "booked", "C1": "reserved", "C2": "booked"}


async def test_seats_that_nobody_knows_or_that_are_in_no_booking_of_mine(ada: Visitor) -> None:
    booking, other = await ada.book("B1"), await ada.book("B2")

    unknown = refused(await exchange(ada, booking, "Z1", "Z2"), 404, "unknown-seats", "unknown", "available_seats")
    assert unknown["unknown"] == ["Z1", "Z2"]
    assert "B2" in refused(await exchange(ada, booking, "B2", "C1"), 404, "not-found")["detail"]
    told(await ada.delete(f"/bookings/{other['id']}"), 200)
    ended = refused(
        await exchange(ada, other, "B2", "C1"), 409, "reservation-ended", "reservation_status", "booking_id"
    )
    assert ended["booking_id"] == other["id"]


async def test_a_cancelled_screening(ada: Visitor, admin: Visitor) -> None:
    booking = await ada.book("B1")
    assert (await admin.delete("/screenings/1")).status_code == 204

    for who in (ada, admin):
        refused(await exchange(who, booking, "B1", "B2"), 409, "sales-closed", "opens_at", "closes_at")


@pytest.mark.parametrize("token", ["", "OK", "slow:x"])
async def test_a_token_that_is_none(ada: Visitor, token: str) -> None:
    booking = await ada.book("B1")
    body = {"give": {"seat": "B1"}, "take": {"seat": "A1"}, "payment": {"token": token}}

    refused(await ada.post(f"/bookings/{booking['id']}/exchange", body), 422, "validation", "errors")


# --- keys ------------------------------------------------------------------------------------------------------------


async def test_a_key_replays_an_exchange(ada: Visitor, client: AsyncClient) -> None:
    booking = await ada.book("B1")

    first = await exchange(ada, booking, "B1", "A1", key="k")
    again = await exchange(ada, booking, "B1", "A1", key="k")

    assert told(first, 200) == told(again, 200)
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    refused(await exchange(ada, booking, "B1", "A2", key="k"), 422, "idempotency-key-reused")
    await the_books_are_right(client, BOX)


async def test_without_a_key_the_same_exchange_again_changes_nothing(ada: Visitor, client: AsyncClient) -> None:
    booking = await ada.book("B1")
    first = told(await exchange(ada, booking, "B1", "A1"), 200)

    assert told(await exchange(ada, booking, "B1", "A1"), 200) == first

    assert await ada.version() == first["version"]
    await the_books_are_right(client, BOX)


async def test_a_refused_key_may_be_used_again(ada: Visitor) -> None:
    booking = await ada.book("B1")

    refused(
        await exchange(ada, booking, "B1", "A1", "declined", key="k"), 402, "payment-declined", "reason", "expires_at"
    )

    told(await exchange(ada, booking, "B1", "A2", key="k"), 200)


# --- while a provider decides ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["ok", "duplicate", "slow:0.05", "refund-fails:1"])
async def test_what_is_paid_within_the_time_is_exchanged(
    ada: Visitor, client: AsyncClient, database: Database, token: str
) -> None:
    booking = await ada.book("B1")

    after = told(await exchange(ada, booking, "B1", "A1", token, key="k"), 200)

    assert labels(after["seats"]) == ["A1"]
    assert after["payment"]["amount"] == euros(BOX)
    again = await exchange(ada, booking, "B1", "A1", token, key="k")
    assert told(again, 200) == after
    assert again.headers["idempotent-replayed"] == "true"
    await the_books_are_right(client, BOX)
    told(await ada.delete(f"/bookings/{booking['id']}"), 200)
    for _ in range(2):
        await finish(client, database)
    await the_books_are_right(client, 0)


@pytest.mark.parametrize("token", ["declined", "slow-declined:0.05"])
async def test_what_is_declined_changes_nothing(ada: Visitor, client: AsyncClient, token: str) -> None:
    booking = await ada.book("B1")

    problem = refused(await exchange(ada, booking, "B1", "A1", token), 402, "payment-declined", "reason", "expires_at")

    assert (problem["reason"], problem["expires_at"]) == ("card_declined", None)
    assert await ada.read(f"/bookings/{booking['id']}") == booking
    assert await ada.taken() == {"B1": "booked"}
    await the_books_are_right(client, STANDARD)


async def test_what_was_held_for_it_stays_held(ada: Visitor) -> None:
    booking = await ada.book("B1")
    hold = await ada.hold("A1", "A2")

    problem = refused(
        await exchange(ada, booking, "B1", "A1", "declined"), 402, "payment-declined", "reason", "expires_at"
    )

    assert problem["expires_at"] == hold["expires_at"]
    assert labels((await ada.read(f"/reservations/{hold['id']}"))["seats"]) == ["A1", "A2"]


async def test_a_provider_that_is_not_there_changes_nothing(ada: Visitor) -> None:
    booking = await ada.book("B1")

    refused(await exchange(ada, booking, "B1", "A1", "unavailable"), 503, "payments-unavailable")

    assert await ada.taken() == {"B1": "booked"}


@pytest.mark.parametrize("token", ["declined", "timeout", "unavailable"])
async def test_who_has_nothing_to_pay_asks_nobody(ada: Visitor, token: str) -> None:
    booking = await ada.book("B1", "B2")

    told(await exchange(ada, booking, "B1", "C1", token), 200)
    after = told(await exchange(ada, booking, "B2", "D1", token), 200)

    assert labels(after["seats"]) == ["C1", "D1"]


@pytest.mark.parametrize("token", ["slow:3600", "late:3600", "action"])
async def test_what_is_not_decided_is_the_reservation_of_the_taken_seats(
    ada: Visitor, client: AsyncClient, database: Database, token: str
) -> None:
    booking = await ada.book("B1", "B2")

    answer = await exchange(ada, booking, "B1", "A1", token, key="k")

    kept = told(answer, 202)
    assert int(answer.headers["retry-after"]) > 0
    assert (kept["status"], labels(kept["seats"]), kept["booking_id"]) == ("paying", ["A1"], None)
    assert kept["payment"]["status"] == ("requires_action" if token == "action" else "processing")
    assert await ada.read(f"/bookings/{booking['id']}") == booking
    again = told(await exchange(ada, booking, "B1", "A1", token), 202)
    assert (again["id"], again["payment"]) == (kept["id"], kept["payment"])
    pending = ("payment-pending", "reservation_id")
    assert refused(await exchange(ada, booking, "B1", "A2"), 409, *pending)["reservation_id"] == kept["id"]
    assert refused(await exchange(ada, booking, "B2", "A1"), 409, *pending)["reservation_id"] == kept["id"]
    refused(await ada.post("/bookings", {"screening_id": 1, "seat": "A1"}), 409, *pending)
    refused(await ada.delete(f"/reservations/{kept['id']}"), 409, *pending)
    if token == "action":
        await client.post(kept["payment"]["redirect_url"], data={"decision": "approve"})
    await decide_now(database)
    await finish(client, database)
    decided = await ada.read(f"/reservations/{kept['id']}")
    assert (decided["status"], decided["booking_id"]) == ("booked", booking["id"])
    after = await ada.read(f"/bookings/{booking['id']}")
    assert (labels(after["seats"]), after["payment"]["amount"]) == (["A1", "B2"], euros(BOX + STANDARD))
    replayed = await exchange(ada, booking, "B1", "A1", token, key="k")
    assert told(replayed, 200) == after
    assert replayed.headers["idempotent-replayed"] == "true"
    assert told(await ada.post(f"/reservations/{kept['id']}/confirm"), 200) == after
    await the_books_are_right(client, BOX + STANDARD)


@pytest.mark.parametrize("token", ["timeout", "action"])
async def test_what_is_never_paid_changes_nothing(
    ada: Visitor, client: AsyncClient, database: Database, token: str
) -> None:
    booking = await ada.book("B1")
    kept = told(await exchange(ada, booking, "B1", "A1", token), 202)
    await database.execute("UPDATE payments SET deadline = now() WHERE deadline IS NOT NULL")

    await finish(client, database)

    assert (await ada.read(f"/reservations/{kept['id']}"))["status"] == "released"
    assert await ada.taken() == {"B1": "booked"}
    await the_books_are_right(client, STANDARD)
    told(await exchange(ada, booking, "B1", "A1"), 200)


async def test_the_best_seats_are_looked_for_once(ada: Visitor, client: AsyncClient, database: Database) -> None:
    booking = await ada.book("B1")
    best = {"best_available": {"count": 1, "section": "A"}}

    kept = told(await exchange(ada, booking, "B1", best, "slow:3600", key="k"), 202)
    again = told(await exchange(ada, booking, "B1", best, "slow:3600", key="k"), 202)

    assert again["id"] == kept["id"]
    await decide_now(database)
    await finish(client, database)
    after = told(await exchange(ada, booking, "B1", best, "slow:3600", key="k"), 200)
    assert after["adjacent"] is True
    assert labels(after["seats"]) == labels(kept["seats"])
    await the_books_are_right(client, BOX)


@pytest.mark.parametrize("meanwhile", ["the seat", "the booking", "the screening"])
async def test_money_goes_back_if_what_was_given_is_gone_meanwhile(
    ada: Visitor,
    admin: Visitor,
    client: AsyncClient,
    database: Database,
    meanwhile: str,
) -> None:
    booking = await ada.book("B1", "B2")
    kept = told(await exchange(ada, booking, "B1", "A1", "slow:3600"), 202)
    match meanwhile:
        case "the seat":
            told(await ada.delete(f"/bookings/{booking['id']}/seats/{booking['seats'][0]['seat_id']}"), 200)
        case "the booking":
            told(await ada.delete(f"/bookings/{booking['id']}"), 200)
        case "the screening":
            assert (await admin.delete("/screenings/1")).status_code == 204

    await decide_now(database)
    await finish(client, database)

    assert (await ada.read(f"/reservations/{kept['id']}"))["status"] == "released"
    cause = "screening_cancelled" if meanwhile == "the screening" else "too_late"
    [payment] = [
        each for each in (await admin.read(f"/payments?cause={cause}"))["items"] if each["reservation_id"] == kept["id"]
    ]
    assert (payment["status"], payment["refunded"]) == ("refunded", euros(BOX - STANDARD))
    assert payment["booking_id"] is None
    assert await ada.taken() == ({"B2": "booked"} if meanwhile == "the seat" else {})
    await the_books_are_right(client, STANDARD if meanwhile == "the seat" else 0)


async def test_who_signs_in_while_they_pay_has_the_seats_in_their_account(
    ada: Visitor, client: AsyncClient, database: Database
) -> None:
    booking = await ada.book("B1")
    kept = told(await exchange(ada, booking, "B1", "A1", "slow:3600"), 202)
    account = {"username": "ada", "password": "a long enough sentence"}
    told(await Visitor(client).post("/auth/register", account), 201)
    signed_in = told(await Visitor(client).post("/auth/login", {**account, "guest_token": ada.token}), 200)
    owner = Visitor(client, signed_in["access_token"])

    await decide_now(database)
    await finish(client, database)

    assert (await owner.read(f"/reservations/{kept['id']}"))["status"] == "booked"
    assert labels((await owner.read(f"/bookings/{booking['id']}"))["seats"]) == ["A1"]
    await the_books_are_right(client, BOX)


async def test_an_organizers_key_is_stored_when_the_buyers_difference_is_paid(
    ada: Visitor, admin: Visitor, client: AsyncClient, database: Database
) -> None:
    booking = await ada.book("B1")
    kept = told(await exchange(admin, booking, "B1", "A1", "slow:3600", key="k"), 202)
    assert kept["user_id"] == booking["user_id"]

    await decide_now(database)
    await finish(client, database)

    replayed = await exchange(admin, booking, "B1", "A1", "slow:3600", key="k")
    assert labels(told(replayed, 200)["seats"]) == ["A1"]
    assert replayed.headers["idempotent-replayed"] == "true"
    payment, _ = (await admin.read(f"/payments?booking_id={booking['id']}"))["items"]
    assert (payment["user_id"], payment["status"]) == (booking["user_id"], "captured")


async def test_limits_do_not_count_an_exchange_but_what_is_paid_for_meanwhile(
    ada: Visitor, admin: Visitor, client: AsyncClient, database: Database
) -> None:
    booking = await ada.book("B1", "B2")
    limits = {"max_seats_per_user": 2, "bookings_per_user_per_day": 1, "max_active_reservations_per_user": 1}
    told(await admin.ask("PATCH", "/screenings/1", {"limits": limits}), 200)

    told(await exchange(ada, booking, "B1", "C1"), 200)
    kept = told(await exchange(ada, booking, "B2", "A2", "slow:3600"), 202)

    exceeded = ("limit-exceeded", "limit", "allowed", "current")
    wanted = await ada.post("/screenings/1/reservations", {"seats": ["D1"]})
    assert refused(wanted, 409, *exceeded)["current"] == 3
    await decide_now(database)
    await finish(client, database)
    assert (await ada.read(f"/reservations/{kept['id']}"))["status"] == "booked"
    wanted = await ada.post("/screenings/1/reservations", {"seats": ["D1"]})
    assert refused(wanted, 409, *exceeded)["current"] == 2


# --- reports ---------------------------------------------------------------------------------------------------------


async def test_reports_add_up_to_the_cent(
    ada: Visitor,
    admin: Visitor,
    client: AsyncClient,
    database: Database,
) -> None:
    booking = await ada.book("B1", "A1")
    told(await exchange(ada, booking, "B1", "A2"), 200)
    told(await exchange(ada, booking, "A1", "D1"), 200)
    await finish(client, database)

    report = await admin.read("/screenings/1/report")

    assert report["revenue"] == euros(STANDARD + BOX + BOX - STANDARD)
    assert report["refunded"] == euros(BOX - CHEAP)
    for parts in (report["by_section"], report["by_category"], report["by_day"]):
        assert sum(part["revenue"]["amount_minor"] for part in parts) == BOX + CHEAP
        assert sum(part["sold"] for part in parts) == 2
    entries = [each for item in (await admin.read("/payments"))["items"] for each in item["entries"]]
    assert sum(each["amount"]["amount_minor"] for each in entries if each["kind"] == "capture") == 2 * BOX
    assert sum(each["amount"]["amount_minor"] for each in entries if each["kind"] == "refund") == BOX - CHEAP
