"""Section 10 of the contract: the calls that existing clients make, each sent exactly as they send it."""

from typing import Any

import pytest

from app.db.seat_maps import seat_events
from tests.conftest import OpenApp
from tests.order import edit
from tests.routers.visitors import BASES, MOMENT, Database, Visitor, guest, labels, refused, time_passes, told

MINE = "/api/v1/seat-reservations/screening/1/availability/me"
EXTRA = {"theater": "A", "client_version": 3, "price": 12.5, "nested": {"seat": None}}


def seat_of(listed: list[Any], label: str) -> Any:
    """One entry of the bare list of my seats."""
    [one] = [each for each in listed if each["seat"]["label"] == label]
    return one


# --- GET /seats ------------------------------------------------------------------------------------------------------


async def test_free_seats_are_a_bare_list_on_every_base_path(ada: Visitor, nobody: Visitor) -> None:
    await ada.hold("A1")
    await ada.book("A2")

    for base in BASES:
        for who in (ada, nobody, Visitor(nobody.client, "a token of another service")):
            listed = await who.read(f"{base}/seats")
            assert isinstance(listed, list)
            assert (listed[0]["seat_id"], listed[0]["seat"]) == (3, "A3")
            assert len(listed) == 78
            assert {each["screening_id"] for each in listed} == {1}


async def test_free_seats_are_those_of_a_theater_if_one_is_named(nobody: Visitor) -> None:
    listed = await nobody.read("/seats?theater_id=2")

    assert (len(listed), listed[0]["seat_id"], listed[0]["screening_id"]) == (20, 81, 2)
    refused(await nobody.get("/seats?theater_id=99"), 404, "not-found")
    refused(await nobody.get("/seats?theater_id=x"), 422, "validation", "errors")


async def test_when_nothing_is_on_sale_no_seat_is_free(ada: Visitor, nobody: Visitor, database: Database) -> None:
    await edit(database, "sales_open_at = starts_at", "theater_id = 2")
    assert await nobody.read("/seats?theater_id=2") == []
    await edit(database, "cancelled_at = now()")

    for base in BASES:
        assert await nobody.read(f"{base}/seats") == []
    refused(await ada.get("/theaters/1/seats"), 404, "not-found")
    problem = refused(
        await ada.post("/reserve", {"seat_id": 99_999}), 404, "unknown-seats", "unknown", "available_seats"
    )
    assert problem["available_seats"] == []


async def test_free_seats_are_not_sent_again_to_who_has_them(ada: Visitor, nobody: Visitor) -> None:
    etag = (await nobody.get("/seats")).headers["etag"]

    assert (await nobody.get("/seats", if_none_match=etag)).status_code == 304
    await ada.hold("A1")
    assert (await nobody.get("/seats", if_none_match=etag)).status_code == 200


# --- POST /reserve and /confirm --------------------------------------------------------------------------------------


async def test_a_seat_is_reserved_by_email_and_confirmed_with_the_token(nobody: Visitor) -> None:
    answer = await nobody.post("/reserve", {"email": "eve@example.org", "seat_id": 1})
    held = told(answer, 201)
    eve = Visitor(nobody.client, held["guest_token"])

    confirmed = await eve.post("/confirm", {"email": "eve@example.org", "seat_id": 1})
    again = await eve.post("/confirm", {"email": "eve@example.org", "seat_id": 1})

    assert answer.headers["location"] == f"/api/v1/reservations/{held['id']}"
    assert (held["status"], labels(held["seats"]), held["expires_in_seconds"]) == ("held", ["A1"], 300)
    assert (await eve.read("/me"))["email"] == "eve@example.org"
    booking = told(confirmed, 201)
    assert confirmed.headers["location"] == f"/api/v1/bookings/{booking['id']}"
    assert (booking["status"], booking["payment"]["status"]) == ("confirmed", "paid")
    assert told(again, 200) == booking


async def test_a_reservation_is_confirmed_by_its_id(ada: Visitor) -> None:
    for base in BASES:
        held = told(await ada.post(f"{base}/reserve", {"seat_id": 1 + BASES.index(base)}), 201)
        assert "guest_token" not in held
        booking = told(await ada.post(f"{base}/confirm", {"reservation_id": held["id"]}), 201)
        assert booking["reservation_id"] == held["id"]


async def test_confirming_needs_the_owners_token(ada: Visitor, bob: Visitor, nobody: Visitor) -> None:
    held = await ada.hold("A1")

    for body in ({"reservation_id": held["id"]}, {"email": "ada@example.org", "seat_id": 1}):
        refused(await nobody.post("/confirm", body), 401, "unauthenticated")
        refused(await bob.post("/confirm", body), 404, "not-found")
    assert await ada.taken() == {"A1": "reserved"}


async def test_what_to_confirm_is_said_once(ada: Visitor) -> None:
    held = await ada.hold("A1")

    for body in (
        {},
        {"email": "ada@example.org"},
        {"reservation_id": held["id"], "seat_id": 1},
        {"reservation_id": "x"},
        {"seat_id": "1"},
    ):
        refused(await ada.post("/confirm", body), 422, "validation", "errors")


async def test_the_newest_hold_with_a_seat_is_confirmed_by_the_seat(ada: Visitor, database: Database) -> None:
    first = await ada.hold("A1", "A2")
    second = await ada.hold("A1", "A3")

    by_seat = told(await ada.post("/confirm", {"seat_id": 1}), 201)

    assert by_seat["reservation_id"] == second["id"]
    await time_passes(database, first, 301)
    assert told(await ada.post("/confirm", {"seat_id": 2}), 201)["reservation_id"] == first["id"]
    refused(await ada.post("/confirm", {"seat_id": 80}), 404, "not-found")


async def test_what_is_held_now_is_what_a_seat_confirms(ada: Visitor, database: Database) -> None:
    await _two_evenings(database)
    tonight = await ada.hold("A1", screening=1)
    for end in ("run out", "booked", "cancelled"):
        tomorrow = await ada.hold("A1", screening=5)
        if end == "run out":
            await time_passes(database, tomorrow, 301)
        else:
            booking = await ada.confirm(tomorrow)
            await ada.delete(f"/bookings/{booking['id']}")
    await ada.book("A1", screening=5)

    booking = told(await ada.post("/confirm", {"seat_id": 1}), 201)

    assert booking["reservation_id"] == tonight["id"]


async def test_which_of_two_evenings_is_confirmed_is_never_guessed(ada: Visitor, database: Database) -> None:
    await _two_evenings(database)
    holds = [await ada.hold("A1", screening=screening) for screening in (1, 5)]

    for passed in (0, 301, 10_000):
        for hold in holds:
            await time_passes(database, hold, passed)
        problem = refused(await ada.post("/confirm", {"seat_id": 1}), 422, "screening-required", "screenings")
        assert [list(each) for each in problem["screenings"]] == [["id", "title", "starts_at"]] * 2
        assert {each["id"] for each in problem["screenings"]} == {1, 5}


async def test_what_ran_out_is_confirmed_by_a_seat_if_that_is_the_only_one(ada: Visitor, database: Database) -> None:
    await _two_evenings(database)
    tonight, tomorrow = [await ada.hold("A1", screening=screening) for screening in (1, 5)]
    await time_passes(database, tonight, 301)
    await time_passes(database, tomorrow, 10_000)

    booking = told(await ada.post("/confirm", {"seat_id": 1}), 201)

    assert booking["reservation_id"] == tonight["id"]


async def test_the_screening_of_a_seat_may_be_said(ada: Visitor, database: Database) -> None:
    await _two_evenings(database)
    tonight, tomorrow = [await ada.hold("A1", screening=screening) for screening in (1, 5)]

    booking = told(await ada.post("/confirm", {"seat_id": 1, "screening_id": 5}, key="once"), 201)

    assert booking["reservation_id"] == tomorrow["id"]
    refused(await ada.post("/confirm", {"seat_id": 1, "screening_id": 3}), 404, "not-found")
    assert told(await ada.post("/confirm", {"seat_id": 1}), 201)["reservation_id"] == tonight["id"]
    again = await ada.post("/confirm", {"seat_id": 1, "screening_id": 5}, key="once")
    assert (again.headers["idempotent-replayed"], told(again, 201)) == ("true", booking)


async def test_a_confirmation_by_seat_is_replayed_whatever_is_held_by_now(ada: Visitor, database: Database) -> None:
    await _two_evenings(database)
    await ada.hold("A1", screening=1)
    booking = told(await ada.post("/confirm", {"seat_id": 1}, key="once"), 201)
    await ada.hold("A1", screening=5)

    again = await ada.post("/confirm", {"seat_id": 1}, key="once")

    assert (again.headers["idempotent-replayed"], told(again, 201)) == ("true", booking)


async def test_the_screening_that_is_said_is_the_one_that_is_meant(ada: Visitor, database: Database) -> None:
    await _two_evenings(database)

    assert told(await ada.post("/reserve", {"seat": "A1", "screening_id": 5}), 201)["screening_id"] == 5
    assert (
        told(await ada.post("/reserve", {"seat": "A1", "theater_id": 2, "screening_id": 2}), 201)["screening_id"] == 2
    )
    refused(await ada.post("/reserve", {"seat": "A1", "theater_id": 2, "screening_id": 5}), 404, "not-found")
    refused(await ada.post("/reserve", {"seat": "A1", "theater_id": 1}), 422, "screening-required", "screenings")


async def _two_evenings(database: Database) -> None:
    """Theater 1 plays tomorrow, too: that is screening 5."""
    await database.execute(
        """INSERT INTO screenings (id, theater_id, title, starts_at, prices) OVERRIDING SYSTEM VALUE
           SELECT 5, theater_id, 'Tomorrow', starts_at + interval '1 day', prices FROM screenings WHERE id = 1"""
    )
    await database.execute(
        """INSERT INTO screening_states (screening_id, theater_id, timezone, starts_at, prices)
           SELECT 5, theater_id, timezone, starts_at + interval '1 day', prices
             FROM screening_states WHERE screening_id = 1"""
    )


async def test_a_label_is_enough_while_one_screening_is_on_sale(nobody: Visitor, database: Database) -> None:
    refused(await nobody.post("/reserve", {"seat": "A1"}), 422, "screening-required", "screenings")
    await edit(database, "sales_close_at = now()", "id > 1")

    assert labels(told(await nobody.post("/reserve", {"seat": "A1"}), 201)["seats"]) == ["A1"]


@pytest.mark.parametrize("path", ["/reserve", "/bookings"])
async def test_the_screening_that_was_asked_for_may_be_said(nobody: Visitor, path: str) -> None:
    asked = refused(await nobody.post(path, {"seat": "A1"}), 422, "screening-required", "screenings")
    screening_id = asked["screenings"][0]["id"]

    taken = told(await nobody.post(path, {"seat": "A1", "screening_id": screening_id}), 201)

    assert (taken["screening_id"], labels(taken["seats"])) == (screening_id, ["A1"])


@pytest.mark.parametrize("path", ["/reserve", "/bookings"])
async def test_the_theater_is_enough_if_one_screening_is_on_sale_there(nobody: Visitor, path: str) -> None:
    assert told(await nobody.post(path, {"seat": "A1", "theater_id": 1}), 201)["screening_id"] == 1

    refused(await nobody.post(path, {"seat": "A1", "theater_id": 2}), 422, "screening-required", "screenings")
    refused(await nobody.post(path, {"seat": "A1", "theater_id": 2, "screening_id": 1}), 404, "not-found")


async def test_who_holds_a_seat_and_forgot_the_token_is_told_what_proves_it(nobody: Visitor, ada: Visitor) -> None:
    wanted = {"seat": "A1", "theater_id": 1}
    held = told(await nobody.post("/reserve", wanted), 201)

    forgotten = refused(
        await nobody.post("/theaters/1/book", {"seat": "A1"}),
        409,
        "seats-unavailable",
        "seats",
        "available_seats",
        "suggestions",
    )
    another = refused(
        await ada.post("/theaters/1/book", {"seat": "A1"}),
        409,
        "seats-unavailable",
        "seats",
        "available_seats",
        "suggestions",
    )
    booked = await Visitor(nobody.client, held["guest_token"]).post("/theaters/1/book", {"seat": "A1"})

    assert "guest_token" in forgotten["detail"]
    assert "guest_token" not in another["detail"]
    assert told(booked, 201)["status"] == "confirmed"


async def test_a_wrong_seat_lists_the_ones_that_are_free(ada: Visitor) -> None:
    await ada.book("A1")

    for path, body, unknown in (
        ("/reserve", {"seat_id": 99_999}, [99_999]),
        ("/theaters/1/reserve", {"seat": "A99"}, ["A99"]),
        ("/theaters/1/reserve", {"seat_number": "17"}, ["17"]),
        ("/theaters/1/book", {"seat": "a2"}, ["a2"]),
        ("/bookings", {"seat_id": 99_999}, [99_999]),
    ):
        problem = refused(await ada.post(path, body), 404, "unknown-seats", "unknown", "available_seats")
        assert problem["unknown"] == unknown
        assert problem["available_seats"][:2] == ["A2", "A3"]
        assert len(problem["available_seats"]) == 50


# --- toggling --------------------------------------------------------------------------------------------------------


async def test_toggling_as_they_do(ada: Visitor) -> None:
    path = "/api/v1/seat-reservations/toggle"

    one = told(await ada.post(path, {"screening_id": 1, "seat_id": 1}), 200)
    two = told(await ada.post(path, {"screening_id": 1, "seat_ids": [1, 2]}), 200)

    assert list(one) == ["reserved", "released", "reservation", "version"]
    assert (labels(one["reserved"]), one["released"]) == (["A1"], [])
    assert (labels(two["reserved"]), labels(two["released"])) == (["A2"], ["A1"])
    refused(await ada.post(path, {"seat_id": 1}), 422, "validation", "errors")
    refused(await ada.post(path, {"screening_id": 99, "seat_id": 1}), 404, "not-found")


async def test_my_seats_are_a_bare_list(ada: Visitor, bob: Visitor, nobody: Visitor) -> None:
    me = (await ada.hold("A1"))["user_id"]
    await ada.book("A2")
    await bob.hold("B1")
    given_back = await ada.hold("C1")
    await ada.delete(f"/reservations/{given_back['id']}")

    listed = await ada.read(MINE)

    assert isinstance(listed, list)
    assert len(listed) == 80
    assert all(list(e) == ["seat", "status", "is_mine", "expires_at", "previously_reserved_by"] for e in listed)
    held = seat_of(listed, "A1")
    assert held["seat"] == {"id": 1, "label": "A1", "row": "A", "number": 1}
    assert (held["status"], held["is_mine"], held["previously_reserved_by"]) == ("reserved_by_me", True, None)
    assert MOMENT.fullmatch(held["expires_at"])
    booked, rivals, freed = seat_of(listed, "A2"), seat_of(listed, "B1"), seat_of(listed, "C1")
    assert (booked["status"], booked["is_mine"], booked["expires_at"]) == ("booked", True, None)
    assert (rivals["status"], rivals["is_mine"], rivals["previously_reserved_by"]) == ("reserved", False, None)
    assert (freed["status"], freed["is_mine"], freed["previously_reserved_by"]) == ("available", False, me)
    refused(await nobody.get(MINE), 401, "unauthenticated")
    refused(await ada.get(MINE.replace("/1/", "/99/")), 404, "not-found")


async def test_a_hold_of_mine_that_ran_out_was_mine(ada: Visitor, bob: Visitor, database: Database) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 301)
    await bob.hold("A2")

    hers, his = await ada.read(MINE), await bob.read(MINE)

    for label, status in (("A1", "available"), ("A2", "reserved")):
        assert seat_of(hers, label)["status"] == status
        assert seat_of(hers, label)["previously_reserved_by"] == held["user_id"]
        assert seat_of(his, label)["previously_reserved_by"] is None


async def test_what_was_mine_long_ago_is_forgotten(ada: Visitor, bob: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seat_events, "MOST_AT_ONCE", 2)
    me = (await ada.hold("A1"))["user_id"]
    await ada.delete("/screenings/1/reservations")
    await bob.hold("B1")
    lately = seat_of(await ada.read(MINE), "A1")
    await bob.hold("B2")
    long_ago = seat_of(await ada.read(MINE), "A1")

    assert (lately["previously_reserved_by"], long_ago["previously_reserved_by"]) == (me, None)
    assert (lately["status"], long_ago["status"]) == ("available", "available")


async def test_everything_of_mine_is_cancelled_at_once(ada: Visitor, bob: Visitor) -> None:
    await ada.hold("A1")
    await ada.hold("A2")
    await bob.hold("B1")

    answer = told(await ada.delete("/api/v1/seat-reservations/cancel/1"), 200)

    assert sorted(labels(answer["released"])) == ["A1", "A2"]
    assert await ada.taken() == {"B1": "reserved"}


# --- by theater, and at the root -------------------------------------------------------------------------------------


async def test_a_theaters_seats_are_reserved_and_booked_by_their_names(ada: Visitor) -> None:
    for number, base in enumerate(BASES):
        held = await ada.post(f"{base}/theaters/1/reserve", {"seat": f"A{number + 1}"})
        booked = await ada.post(f"{base}/theaters/1/book", {"seat_number": f"B{number + 1}"})
        assert told(held, 201)["status"] == "held"
        assert told(booked, 201)["status"] == "confirmed"
        assert held.headers["location"] == f"/api/v1/reservations/{held.json()['id']}"
        assert booked.headers["location"] == f"/api/v1/bookings/{booked.json()['id']}"
    assert told(await ada.post("/theaters/2/book", {"seat": "A1", "screening_id": 3}), 201)["screening_id"] == 3


async def test_reserving_and_then_booking_takes_the_seat_out_of_the_hold(ada: Visitor) -> None:
    held = told(await ada.post("/theaters/1/reserve", {"seat": "A1"}), 201)

    told(await ada.post("/theaters/1/book", {"seat": "A1"}), 201)

    assert (await ada.read(f"/reservations/{held['id']}"))["status"] == "released"


async def test_bookings_at_the_root(ada: Visitor) -> None:
    booking = told(await ada.post("/bookings", {"seat_id": 1}), 201)

    listed = await ada.read("/bookings")
    cancelled = told(await ada.delete(f"/bookings/{booking['id']}"), 200)

    assert listed == {"items": [booking], "next_cursor": None}
    assert cancelled["status"] == "cancelled"
    assert (await ada.read("/me"))["is_guest"] is True
    assert (await ada.read("/health"))["status"] == "ok"


# --- members that nobody knows ---------------------------------------------------------------------------------------


async def test_members_that_nobody_knows_are_ignored_here(ada: Visitor) -> None:
    held = await ada.hold("A9")

    for path, body in (
        ("/reserve", {"seat_id": 1}),
        ("/confirm", {"reservation_id": held["id"]}),
        ("/api/v1/seat-reservations/toggle", {"screening_id": 1, "seat_id": 2}),
        ("/theaters/1/reserve", {"seat": "A3"}),
        ("/theaters/1/book", {"seat_number": "A4"}),
    ):
        assert (await ada.post(path, body | EXTRA)).is_success, path


async def test_and_a_mistake_everywhere_else(ada: Visitor) -> None:
    held = await ada.hold("A9")
    for path, body in (
        ("/screenings/1/reservations", {"seat": "A1"}),
        ("/screenings/1/reservations/toggle", {"seat": "A1"}),
        ("/bookings", {"seat_id": 1}),
        (f"/reservations/{held['id']}/confirm", {}),
    ):
        problem = refused(await ada.post(path, body | EXTRA), 422, "validation", "errors")
        assert {error["loc"][1] for error in problem["errors"]} == EXTRA.keys()
    assert await ada.version() == 1


async def test_they_work_the_same_where_guests_are_not_welcome(open_app: OpenApp) -> None:
    client = await open_app(guests=False)
    ada = await guest(client, "ada@example.org")

    refused(await Visitor(client).post("/reserve", {"email": "eve@example.org", "seat_id": 1}), 401, "unauthenticated")
    assert told(await ada.post("/reserve", {"seat_id": 1}), 201)["status"] == "held"
