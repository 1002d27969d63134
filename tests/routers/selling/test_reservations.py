"""Holding seats: what a hold says, what stands in its way, how it moves, is renewed, given back and found again."""

from typing import Any

from httpx import AsyncClient

from tests.conftest import OpenApp
from tests.order import edit
from tests.routers.visitors import (
    BASES,
    MOMENT,
    NOBODYS_ID,
    Database,
    Json,
    Visitor,
    guest,
    labels,
    refused,
    time_passes,
    told,
)

HOLD = "/screenings/1/reservations"
EUROS_45 = {"amount_minor": 4500, "currency": "EUR"}


async def fifty_seconds_before_the_cap(database: Database, hold: Json) -> None:
    """As if the hold had been extended twice, and were about to end for good."""
    await time_passes(database, hold, 250)
    await database.execute("UPDATE reservations SET first_held_at = first_held_at - interval '600 seconds'")


# --- holding ---------------------------------------------------------------------------------------------------------


async def test_a_hold_says_all_that_a_buyer_must_know(ada: Visitor) -> None:
    answer = await ada.post(HOLD, {"seats": ["A1", "D2"]})

    said = told(answer, 201)
    assert answer.headers["location"] == f"/api/v1/reservations/{said['id']}"
    assert list(said) == [
        *("id", "screening_id", "user_id", "status", "seats", "total", "created_at", "expires_at"),
        *("expires_in_seconds", "server_time", "extensions_left", "booking_id", "payment", "version"),
    ]
    assert all(MOMENT.fullmatch(said[name]) for name in ("created_at", "expires_at", "server_time"))
    assert said["id"][14] == "7", "a UUIDv7"
    assert {name: said[name] for name in ("screening_id", "status", "booking_id", "version")} == {
        "screening_id": 1,
        "status": "held",
        "booking_id": None,
        "version": 1,
    }
    assert said["user_id"] == (await ada.read("/me"))["id"]
    assert said["seats"] == [
        {"seat_id": 1, "label": "A1", "price": EUROS_45},
        {"seat_id": 62, "label": "D2", "price": {"amount_minor": 1500, "currency": "EUR"}},
    ]
    assert said["total"] == {"amount_minor": 6000, "currency": "EUR"}
    assert (said["expires_in_seconds"], said["extensions_left"]) == (300, 2)
    assert said["server_time"] == said["created_at"]


async def test_its_location_leads_to_it(ada: Visitor) -> None:
    answer = await ada.post(HOLD, {"seat": "A1"})

    found = await ada.read(answer.headers["location"])

    moving = {"server_time", "expires_in_seconds"}
    assert {k: v for k, v in found.items() if k not in moving} == {
        k: v for k, v in answer.json().items() if k not in moving
    }


async def test_every_base_path_holds_alike(ada: Visitor) -> None:
    held = [told(await ada.post(f"{base}{HOLD}", {"seat_id": number}), 201) for number, base in enumerate(BASES, 1)]

    assert [each.keys() for each in held] == [held[0].keys()] * 3
    assert [each["version"] for each in held] == [1, 2, 3]


async def test_seats_can_be_named_in_five_ways(ada: Visitor) -> None:
    ways: list[tuple[Json, list[str]]] = [
        ({"seat_ids": [18, 17]}, ["A17", "A18"]),
        ({"seats": ["B1", " A2 "]}, ["A2", "B1"]),
        ({"seat_id": 3}, ["A3"]),
        ({"seat": "A4"}, ["A4"]),
        ({"seat_number": "A5"}, ["A5"]),
    ]

    for body, held in ways:
        assert labels(told(await ada.post(HOLD, body), 201)["seats"]) == held


async def test_named_in_no_way_or_in_two_or_twice_changes_nothing(ada: Visitor) -> None:
    bodies: list[Json] = [
        {},
        {"seats": []},
        {"seats": ["A1"], "seat_ids": [1]},
        {"seat": "A1", "seat_id": 1},
        {"seats": ["A1", "A1 "]},
        {"seat_ids": [1, 1]},
        {"seats": ["A1"], "screening_id": 1},
    ]

    for body in bodies:
        refused(await ada.post(HOLD, body), 422, "validation", "errors")
        refused(await ada.post(f"{HOLD}/toggle", body), 422, "validation", "errors")
    assert await ada.version() == 0


async def test_every_seat_that_stands_in_the_way_is_named_with_a_reason(ada: Visitor, bob: Visitor) -> None:
    await bob.hold("A1", "A2")
    await bob.book("A3")
    before = await ada.version()

    problem = refused(
        await ada.post(HOLD, {"seats": ["A4", "A3", "A2"]}),
        409,
        "seats-unavailable",
        "seats",
        "available_seats",
        "suggestions",
    )

    assert [(seat["seat_id"], seat["label"], seat["status"]) for seat in problem["seats"]] == [
        (3, "A3", "booked"),
        (2, "A2", "reserved"),
    ]
    assert all(list(seat) == ["seat_id", "label", "status", "reason"] for seat in problem["seats"])
    assert all(seat["reason"].endswith(".") for seat in problem["seats"])
    assert "A3" in problem["detail"]
    assert "A2" in problem["detail"]
    assert await ada.version() == before
    assert "A4" not in await ada.taken()


async def test_free_seats_are_offered_the_nearest_first_and_not_too_many(ada: Visitor, bob: Visitor) -> None:
    await bob.book("B10")

    problem = refused(
        await ada.post(HOLD, {"seat": "B10"}),
        *(409, "seats-unavailable", "seats", "available_seats", "suggestions"),
    )

    assert set(problem["available_seats"][:2]) == {"B9", "B11"}
    assert "D1" not in problem["available_seats"]
    assert len(problem["available_seats"]) == 50


async def test_a_blocked_seat_stands_in_the_way_too(ada: Visitor, database: Database) -> None:
    await database.execute("INSERT INTO seat_claims (screening_id, seat_id, status) VALUES (1, 1, 'blocked')")

    problem = refused(
        await ada.post(HOLD, {"seat": "A1"}),
        *(409, "seats-unavailable", "seats", "available_seats", "suggestions"),
    )

    assert problem["seats"][0]["status"] == "blocked"


async def test_seats_that_the_theater_does_not_have_are_named_as_they_were_given(ada: Visitor) -> None:
    given: list[tuple[Json, list[int | str]]] = [
        ({"seats": ["A1", "A21", "a1", "A 1"]}, ["A21", "a1", "A 1"]),
        ({"seat_ids": [81, 1, 2147483647]}, [81, 2147483647]),
        ({"seat": "Z99"}, ["Z99"]),
        ({"seat_number": "17"}, ["17"]),
        ({"seat_id": 999}, [999]),
    ]

    for body, unknown in given:
        for path in (HOLD, f"{HOLD}/toggle"):
            problem = refused(await ada.post(path, body), 404, "unknown-seats", "unknown", "available_seats")
            assert problem["unknown"] == unknown
            assert problem["available_seats"][:2] == ["A1", "A2"]
            assert len(problem["available_seats"]) == 50
    assert await ada.version() == 0


async def test_a_screening_that_does_not_exist_is_not_found(ada: Visitor) -> None:
    refused(await ada.post("/screenings/99/reservations", {"seat": "A1"}), 404, "not-found")
    refused(await ada.post("/screenings/99/reservations/toggle", {"seat": "A1"}), 404, "not-found")
    refused(await ada.delete("/screenings/99/reservations"), 404, "not-found")


async def test_more_seats_than_one_may_take_are_refused(ada: Visitor) -> None:
    problem = refused(
        await ada.post(HOLD, {"seat_ids": list(range(1, 12))}), 409, "limit-exceeded", "limit", "allowed", "current"
    )

    assert (problem["limit"], problem["allowed"], problem["current"]) == ("max_seats_per_reservation", 10, 0)
    assert len((told(await ada.post(HOLD, {"seat_ids": list(range(1, 11))}), 201))["seats"]) == 10


async def test_the_limit_of_a_user_counts_held_and_booked_together(ada: Visitor, database: Database) -> None:
    await edit(database, "max_seats_per_user = 3", "id = 1")
    await ada.hold("A1")
    await ada.book("A2")

    too_many = refused(
        await ada.post(HOLD, {"seats": ["A3", "A4"]}), 409, "limit-exceeded", "limit", "allowed", "current"
    )

    assert (too_many["limit"], too_many["allowed"], too_many["current"]) == ("max_seats_per_user", 3, 2)
    assert labels((await ada.hold("A3"))["seats"]) == ["A3"]


async def test_seats_are_taken_only_while_they_are_on_sale(ada: Visitor, database: Database) -> None:
    for sales, opens in (
        ("sales_open_at = now() + interval '1 hour'", True),
        ("sales_open_at = NULL, sales_close_at = now() - interval '1 hour'", False),
        ("sales_close_at = NULL, starts_at = now() - interval '1 minute'", False),
        ("starts_at = now() + interval '1 day', cancelled_at = now()", False),
    ):
        await edit(database, f"{sales}", "id = 1")
        for path in (HOLD, f"{HOLD}/toggle"):
            problem = refused(await ada.post(path, {"seat": "A1"}), 409, "sales-closed", "opens_at", "closes_at")
            assert bool(problem["opens_at"]) is opens
            assert MOMENT.fullmatch(problem["closes_at"])


async def test_a_hold_that_ran_out_can_be_taken_over(ada: Visitor, bob: Visitor, database: Database) -> None:
    late = await ada.hold("A1", "A2")
    await time_passes(database, late, 301)

    await bob.hold("A1")

    assert await bob.taken() == {"A1": "reserved"}
    assert (await ada.read(f"/reservations/{late['id']}"))["status"] == "expired"


# --- what I hold already ---------------------------------------------------------------------------------------------


async def test_holding_just_what_i_hold_together_gives_that_hold_not_renewed(ada: Visitor, database: Database) -> None:
    first = await ada.hold("A1", "A2")
    await time_passes(database, first, 100)
    before = await ada.version()

    answer = await ada.post(HOLD, {"seat_ids": [2, 1]})

    again = told(answer, 200)
    assert "location" not in answer.headers
    assert again["id"] == first["id"]
    assert 198 <= again["expires_in_seconds"] <= 200
    assert await ada.version() == before


async def test_holding_seats_of_another_hold_moves_them(ada: Visitor) -> None:
    first = await ada.hold("A1", "A2")

    second = await ada.hold("A2", "A3")

    kept = await ada.read(f"/reservations/{first['id']}")
    assert (kept["status"], labels(kept["seats"]), kept["total"]) == ("held", ["A1"], EUROS_45)
    assert labels(second["seats"]) == ["A2", "A3"]
    assert second["version"] == first["version"] + 1


async def test_a_hold_that_lost_all_of_its_seats_ends(ada: Visitor) -> None:
    first = await ada.hold("A1")
    await ada.hold("A1", "A2")

    ended = await ada.read(f"/reservations/{first['id']}")

    assert (ended["status"], ended["expires_in_seconds"], ended["extensions_left"]) == ("released", 0, 0)


async def test_holding_anew_is_no_free_extension(ada: Visitor, database: Database) -> None:
    first = await ada.hold("A1")
    await fifty_seconds_before_the_cap(database, first)

    second = await ada.hold("A1", "A2")

    assert first["extensions_left"] == 2
    assert 48 <= second["expires_in_seconds"] <= 50
    assert second["extensions_left"] == 0


# --- toggling --------------------------------------------------------------------------------------------------------


async def test_available_seats_become_mine_and_mine_available(ada: Visitor) -> None:
    first = await ada.toggle("A1", "A2")
    second = await ada.toggle("A2", "A3")

    assert list(first) == ["reserved", "released", "reservation", "version"]
    assert first["reserved"] == [{"seat_id": 1, "label": "A1"}, {"seat_id": 2, "label": "A2"}]
    assert (first["released"], first["version"]) == ([], 1)
    assert (labels(second["reserved"]), labels(second["released"]), second["version"]) == (["A3"], ["A2"], 2)
    assert second["reservation"]["id"] == first["reservation"]["id"]
    assert labels(second["reservation"]["seats"]) == ["A1", "A3"]


async def test_when_nothing_of_mine_is_left_there_is_no_reservation(ada: Visitor) -> None:
    await ada.toggle("A1", "A2")

    last = await ada.toggle("A1", "A2")

    assert (last["reserved"], labels(last["released"]), last["reservation"]) == ([], ["A1", "A2"], None)
    assert await ada.taken() == {}


async def test_added_seats_join_my_newest_hold_and_renew_it(ada: Visitor, database: Database) -> None:
    old = await ada.hold("A1")
    newest = await ada.hold("B1")
    for each in (old, newest):
        await time_passes(database, each, 100)

    joined = (await ada.toggle("B2"))["reservation"]

    assert joined["id"] == newest["id"]
    assert labels(joined["seats"]) == ["B1", "B2"]
    assert joined["expires_in_seconds"] == 300
    assert labels((await ada.read(f"/reservations/{old['id']}"))["seats"]) == ["A1"]


async def test_renewing_by_toggling_never_passes_the_cap(ada: Visitor, database: Database) -> None:
    await fifty_seconds_before_the_cap(database, await ada.hold("A1"))

    joined = (await ada.toggle("A2"))["reservation"]

    assert 48 <= joined["expires_in_seconds"] <= 50


async def test_giving_seats_back_by_toggling_does_not_renew(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 100)

    left = (await ada.toggle("A2"))["reservation"]

    assert 198 <= left["expires_in_seconds"] <= 200


async def test_toggling_somebody_elses_seat_changes_nothing(ada: Visitor, bob: Visitor) -> None:
    await ada.hold("A1")
    await bob.hold("A2")
    before = await ada.version()

    problem = refused(
        await ada.post(f"{HOLD}/toggle", {"seats": ["A1", "A2", "A3"]}),
        409,
        "seats-unavailable",
        "seats",
        "available_seats",
        "suggestions",
    )

    assert labels(problem["seats"]) == ["A2"]
    assert await ada.version() == before
    assert await ada.taken() == {"A1": "reserved", "A2": "reserved"}


async def test_a_seat_that_i_booked_is_not_toggled(ada: Visitor) -> None:
    await ada.book("A1")

    problem = refused(
        await ada.post(f"{HOLD}/toggle", {"seat": "A1"}),
        409,
        "seats-unavailable",
        "seats",
        "available_seats",
        "suggestions",
    )

    assert problem["seats"][0]["status"] == "booked"


async def test_toggling_is_bound_by_the_limit_of_a_reservation(ada: Visitor) -> None:
    await ada.toggle(*(f"A{number}" for number in range(1, 10)))

    problem = refused(
        await ada.post(f"{HOLD}/toggle", {"seats": ["B1", "B2"]}), 409, "limit-exceeded", "limit", "allowed", "current"
    )

    assert (problem["allowed"], problem["current"]) == (10, 9)


# --- giving back -----------------------------------------------------------------------------------------------------


async def test_released_seats_are_free_at_once(ada: Visitor, bob: Visitor) -> None:
    held = await ada.hold("A1", "A2")

    released = told(await ada.delete(f"/reservations/{held['id']}"), 200)

    assert (released["status"], released["expires_in_seconds"]) == ("released", 0)
    assert labels(released["seats"]) == ["A1", "A2"]
    assert released["version"] == 2
    await bob.hold("A1", "A2")


async def test_releasing_what_is_released_changes_nothing(ada: Visitor) -> None:
    held = await ada.hold("A1")
    first = told(await ada.delete(f"/reservations/{held['id']}"), 200)
    before = await ada.version()

    again = told(await ada.delete(f"/reservations/{held['id']}"), 200)

    assert {**again, "server_time": ""} == {**first, "server_time": ""}
    assert await ada.version() == before


async def test_one_seat_can_be_released_and_again(ada: Visitor) -> None:
    held = await ada.hold("A1", "A2")

    smaller = told(await ada.delete(f"/reservations/{held['id']}/seats/1"), 200)
    again = told(await ada.delete(f"/reservations/{held['id']}/seats/1"), 200)

    for each in (smaller, again):
        assert (each["status"], labels(each["seats"]), each["total"], each["version"]) == ("held", ["A2"], EUROS_45, 2)
    assert await ada.taken() == {"A2": "reserved"}


async def test_releasing_the_last_seat_releases_the_reservation(ada: Visitor) -> None:
    held = await ada.hold("A1")

    assert told(await ada.delete(f"/reservations/{held['id']}/seats/1"), 200)["status"] == "released"


async def test_a_seat_that_was_never_in_it_is_not_found(ada: Visitor) -> None:
    held = await ada.hold("A1")

    for seat_id in (3, 81, 2147483647):
        refused(await ada.delete(f"/reservations/{held['id']}/seats/{seat_id}"), 404, "not-found")


async def test_what_was_given_back_stays_given_back_run_out_or_not(ada: Visitor, database: Database) -> None:
    for number, (path, sweep) in enumerate(
        (path, sweep) for path in ("/reservations/{}", "/screenings/1/reservations") for sweep in (False, True)
    ):
        held = await ada.hold(f"A{number + 1}", f"B{number + 1}")
        await time_passes(database, held, 301)
        if sweep:
            await ada.hold(f"B{number + 1}", screening=1)
            await ada.delete("/reservations/" + (await ada.read("/reservations"))["items"][0]["id"])
        version = await ada.version()

        told(await ada.delete(path.format(held["id"])), 200)

        assert (await ada.read(f"/reservations/{held['id']}"))["status"] == "released"
        assert await ada.version() == version + 1
        for call in ("confirm", "extend"):
            refused(
                await ada.post(f"/reservations/{held['id']}/{call}"), 409, "reservation-ended", "reservation_status"
            )
        told(await ada.delete(path.format(held["id"])), 200)
        assert await ada.version() == version + 1
    assert await ada.taken() == {}


async def test_a_seat_that_was_given_back_late_is_not_sold_with_the_others(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 301)

    smaller = told(await ada.delete(f"/reservations/{held['id']}/seats/2"), 200)

    assert (smaller["status"], labels(smaller["seats"]), smaller["total"]) == ("expired", ["A1"], EUROS_45)
    assert labels((await ada.confirm(held))["seats"]) == ["A1"]
    assert await ada.taken() == {"A1": "booked"}


async def test_a_seat_that_was_toggled_twice_after_its_hold_ran_out_is_not_sold(
    ada: Visitor, database: Database
) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 301)
    await ada.toggle("A2")
    await ada.toggle("A2")

    problem = refused(
        await ada.post(f"/reservations/{held['id']}/confirm"), 409, "reservation-expired", "expired_at", "seats"
    )

    assert labels(problem["seats"]) == ["A2"]
    assert await ada.taken() == {}


async def test_a_late_release_shows_in_no_seat_of_anybody_else(ada: Visitor, bob: Visitor, database: Database) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 301)
    await bob.book("A1", "A2")

    told(await ada.delete(f"/reservations/{held['id']}"), 200)

    assert await bob.taken() == {"A1": "booked", "A2": "booked"}
    changes = await bob.read("/screenings/1/changes?since=0")
    assert changes["version"] == await bob.version()
    assert {each["status"] for each in changes["updates"]} == {"booked"}


async def test_what_is_booked_is_cancelled_not_released(ada: Visitor) -> None:
    held = await ada.hold("A1")
    booking = await ada.confirm(held)

    for path in ("", "/seats/1"):
        problem = refused(
            await ada.delete(f"/reservations/{held['id']}{path}"),
            *(409, "reservation-ended", "reservation_status", "booking_id"),
        )
        assert (problem["reservation_status"], problem["booking_id"]) == ("booked", booking["id"])
        assert "cancel the booking" in problem["detail"]


async def test_everything_that_i_hold_there_can_be_released(ada: Visitor, bob: Visitor) -> None:
    await ada.hold("A1")
    await ada.hold("A2", "A3")
    await ada.hold("A1", screening=2)
    await ada.book("A4")
    await bob.hold("B1")

    answer = told(await ada.delete(HOLD), 200)

    assert list(answer) == ["released", "version"]
    assert sorted(labels(answer["released"])) == ["A1", "A2", "A3"]
    assert all(list(seat) == ["seat_id", "label"] for seat in answer["released"])
    assert answer["version"] == await ada.version() == 5
    assert await ada.taken() == {"A4": "booked", "B1": "reserved"}
    assert await ada.taken(2) == {"A1": "reserved"}


async def test_releasing_everything_when_there_is_nothing_changes_nothing(ada: Visitor) -> None:
    assert told(await ada.delete(HOLD), 200) == {"released": [], "version": 0}


# --- extending -------------------------------------------------------------------------------------------------------


async def test_extending_gives_a_fresh_hold_time(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1")
    await time_passes(database, held, 200)

    extended = told(await ada.post(f"/reservations/{held['id']}/extend"), 200)

    assert (extended["id"], extended["expires_in_seconds"], extended["status"]) == (held["id"], 300, "held")
    assert extended["extensions_left"] == 1
    assert extended["version"] == held["version"] + 1


async def test_extending_needs_no_body_and_takes_no_wishes(ada: Visitor) -> None:
    path = f"/reservations/{(await ada.hold('A1'))['id']}/extend"

    wishes: list[Any] = [{"seconds": 3600}, {"expires_at": "2099-01-01T00:00:00Z"}, [], "long"]
    for wish in wishes:
        refused(await ada.post(path, wish), 422, "validation", "errors")
    assert await ada.version() == 1
    assert told(await ada.post(path, {}), 200)["expires_in_seconds"] == 300


async def test_extending_never_passes_the_cap(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1")
    await time_passes(database, held, 250)
    await database.execute("UPDATE reservations SET first_held_at = first_held_at - interval '500 seconds'")

    with_what_is_left = told(await ada.post(f"/reservations/{held['id']}/extend"), 200)
    problem = refused(await ada.post(f"/reservations/{held['id']}/extend"), 409, "extension-limit", "latest_expires_at")

    assert 148 <= with_what_is_left["expires_in_seconds"] <= 150
    assert with_what_is_left["extensions_left"] == 0
    assert problem["latest_expires_at"] == with_what_is_left["expires_at"]


async def test_a_hold_that_ran_out_is_extended_while_its_seats_are_free(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 301)

    extended = told(await ada.post(f"/reservations/{held['id']}/extend"), 200)

    assert (extended["status"], labels(extended["seats"])) == ("held", ["A1", "A2"])
    assert await ada.taken() == {"A1": "reserved", "A2": "reserved"}


async def test_what_costs_something_else_by_now_is_not_extended_late(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1")
    await time_passes(database, held, 301)
    await edit(
        database,
        """revision = 2, prices = '{"premium": {"amount_minor": 9900, "currency": "EUR"}}'""",
        "id = 1",
    )

    problem = refused(await ada.post(f"/reservations/{held['id']}/extend"), 409, "price-changed", "total")

    assert problem["total"] == {"amount_minor": 9900, "currency": "EUR"}
    assert await ada.taken() == {}


async def test_extending_after_the_cap_was_shortened_does_not_end_the_hold_earlier(
    ada: Visitor, database: Database
) -> None:
    held = await ada.hold("A1")
    await edit(database, "hold_seconds = 60, max_hold_seconds = 60, revision = 2", "id = 1")

    problem = refused(await ada.post(f"/reservations/{held['id']}/extend"), 409, "extension-limit", "latest_expires_at")

    assert problem["latest_expires_at"] == held["expires_at"]
    assert (await ada.read(f"/reservations/{held['id']}"))["extensions_left"] == 0


async def test_nothing_can_be_extended_when_sales_have_closed(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1")
    await edit(database, "sales_close_at = now(), revision = 2", "id = 1")

    assert (await ada.read(f"/reservations/{held['id']}"))["extensions_left"] == 0


async def test_a_seat_that_would_be_held_for_less_than_ten_seconds_is_refused(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1")
    await time_passes(database, held, 295)
    await database.execute("UPDATE reservations SET first_held_at = first_held_at - interval '600 seconds'")

    for path in (HOLD, f"{HOLD}/toggle"):
        body = {"seats": ["A1", "A2"]} if path == HOLD else {"seat": "A2"}
        problem = refused(await ada.post(path, body), 409, "extension-limit", "latest_expires_at")
        assert problem["latest_expires_at"] == (await ada.read(f"/reservations/{held['id']}"))["expires_at"]
    assert await ada.taken() == {"A1": "reserved"}


async def test_a_hold_may_have_as_many_seats_as_the_screening_allows(ada: Visitor, database: Database) -> None:
    await edit(database, "max_seats_per_reservation = 300, revision = 2", "id = 4")
    seats = [each["seat_id"] for each in (await ada.read("/screenings/4/seats"))["seats"][:301]]

    held = told(await ada.post("/screenings/4/reservations", {"seat_ids": seats[:300]}), 201)
    refused(
        await ada.post("/screenings/4/reservations", {"seat_ids": seats}),
        *(409, "limit-exceeded", "limit", "allowed", "current"),
    )

    assert len(held["seats"]) == 300


async def test_a_cancelled_screening_says_so(ada: Visitor, database: Database) -> None:
    await edit(database, "cancelled_at = now(), revision = 2", "id = 1")

    problem = refused(await ada.post(HOLD, {"seat": "A1"}), 409, "sales-closed", "opens_at", "closes_at")

    assert "This screening was cancelled" in problem["detail"]


async def test_extending_too_late_names_the_seats_that_are_gone(ada: Visitor, bob: Visitor, database: Database) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 301)
    await bob.hold("A2")

    problem = refused(
        await ada.post(f"/reservations/{held['id']}/extend"), 409, "reservation-expired", "expired_at", "seats"
    )

    assert labels(problem["seats"]) == ["A2"]
    assert MOMENT.fullmatch(problem["expired_at"])
    assert await ada.taken() == {"A2": "reserved"}


async def test_what_was_released_cannot_be_extended(ada: Visitor) -> None:
    held = await ada.hold("A1")
    await ada.delete(f"/reservations/{held['id']}")

    problem = refused(
        await ada.post(f"/reservations/{held['id']}/extend"), 409, "reservation-ended", "reservation_status"
    )

    assert problem["reservation_status"] == "released"


# --- looking up ------------------------------------------------------------------------------------------------------


async def test_my_reservations_are_listed_newest_first(ada: Visitor, bob: Visitor) -> None:
    mine = [(await ada.hold(label))["id"] for label in ("A1", "A2", "A3")]
    await bob.hold("A4")

    for base in BASES:
        listed = await ada.read(f"{base}/reservations")
        assert list(listed) == ["items", "next_cursor"]
        assert [each["id"] for each in listed["items"]] == mine[::-1]
        assert listed["next_cursor"] is None
        assert listed["items"][0].keys() == (await ada.read(f"{base}/reservations/{mine[0]}")).keys()


async def test_reservations_are_found_by_screening_and_status(ada: Visitor, database: Database) -> None:
    held, released, expired, booked, elsewhere = [
        await ada.hold("A1"),
        await ada.hold("A2"),
        await ada.hold("A3"),
        await ada.hold("A4"),
        await ada.hold("A1", screening=2),
    ]
    await ada.delete(f"/reservations/{released['id']}")
    await time_passes(database, expired, 301)
    await ada.confirm(booked)

    async def found(query: str) -> list[str]:
        return [each["id"] for each in (await ada.read(f"/reservations?{query}"))["items"]]

    assert await found("screening_id=2") == [elsewhere["id"]]
    assert await found("status=held") == [elsewhere["id"], held["id"]]
    assert await found("status=held&screening_id=1") == [held["id"]]
    assert await found("status=released") == [released["id"]]
    assert await found("status=expired") == [expired["id"]]
    assert await found("status=booked") == [booked["id"]]
    assert await found("status=paying") == []


async def test_reservations_come_in_pages(ada: Visitor) -> None:
    mine = [(await ada.hold(f"A{number}"))["id"] for number in range(1, 6)]

    answers = [await ada.get("/v1/reservations?limit=2&status=held")]
    while "next" in answers[-1].links:
        answers.append(await ada.get(answers[-1].links["next"]["url"]))

    pages = [told(answer, 200) for answer in answers]
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert [each["id"] for page in pages for each in page["items"]] == mine[::-1]
    assert 'rel="next"' in answers[0].headers["link"]
    assert "status=held" in answers[0].headers["link"]
    assert pages[0]["next_cursor"] in answers[0].headers["link"]
    assert pages[-1]["next_cursor"] is None


async def test_a_query_that_makes_no_sense_is_refused(ada: Visitor) -> None:
    queries = (
        "status=open",
        "status=",
        "screening_id=x",
        "screening_id=9223372036854775808",
        "limit=0",
        "limit=201",
        "cursor=x",
    )

    for path in ("/reservations", "/bookings"):
        for query in queries:
            problem = refused(await ada.get(f"{path}?{query}"), 422, "validation", "errors")
            assert problem["errors"][0]["loc"] == ["query", query.partition("=")[0]]


async def test_a_hold_that_ended_is_not_sent_again_to_who_has_it(ada: Visitor) -> None:
    held = await ada.hold("A1")
    await ada.delete(f"/reservations/{held['id']}")

    for path in (f"/reservations/{held['id']}", "/reservations"):
        etag = (await ada.get(path)).headers["etag"]
        again = await ada.get(path, if_none_match=etag)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)


async def test_the_tag_of_a_hold_moves_with_the_seconds_that_it_has_left(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1")
    path = f"/reservations/{held['id']}"
    etag = (await ada.get(path)).headers["etag"]

    await time_passes(database, held, 10)

    assert (await ada.get(path, if_none_match=etag)).status_code == 200


# --- nobody else's business ------------------------------------------------------------------------------------------

ROUTES = [
    ("GET", "/reservations/{id}"),
    ("DELETE", "/reservations/{id}"),
    ("DELETE", "/reservations/{id}/seats/1"),
    ("POST", "/reservations/{id}/extend"),
    ("POST", "/reservations/{id}/confirm"),
]


async def test_somebody_elses_reservation_is_not_found_through_any_route(ada: Visitor, bob: Visitor) -> None:
    hers = await ada.hold("A1")
    before = await ada.version()

    for base in BASES:
        for method, path in ROUTES:
            answers = [await bob.ask(method, base + path.format(id=each)) for each in (hers["id"], NOBODYS_ID)]
            problems = [refused(answer, 404, "not-found") for answer in answers]
            assert problems[0]["detail"] == problems[1]["detail"]
        for path, body in (
            ("/bookings", {"reservation_id": hers["id"]}),
            ("/confirm", {"reservation_id": hers["id"]}),
            ("/confirm", {"email": "ada@example.org", "seat_id": 1}),
        ):
            refused(await bob.post(base + path, body), 404, "not-found")
        assert (await bob.read(f"{base}/reservations"))["items"] == []
    assert await ada.version() == before
    assert (await ada.read(f"/reservations/{hers['id']}"))["status"] == "held"


async def test_no_token_is_401_whatever_the_id(nobody: Visitor) -> None:
    for reservation_id in (NOBODYS_ID, "1", "x"):
        for method, path in ROUTES:
            answer = await nobody.ask(method, path.format(id=reservation_id))
            refused(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"
    refused(await nobody.get("/reservations"), 401, "unauthenticated")
    refused(await nobody.delete("/screenings/99/reservations"), 401, "unauthenticated")
    refused(await nobody.post("/bookings", {"reservation_id": NOBODYS_ID}, key="not a key"), 401, "unauthenticated")


async def test_an_id_that_is_no_uuid_is_refused(ada: Visitor) -> None:
    for reservation_id in ("1", "x", f"{{{NOBODYS_ID}}}", NOBODYS_ID.replace("-", "")):
        for method, path in ROUTES:
            refused(await ada.ask(method, path.format(id=reservation_id)), 422, "validation", "errors")


# --- settings --------------------------------------------------------------------------------------------------------


async def test_the_hold_time_is_a_setting(open_app: OpenApp) -> None:
    client: AsyncClient = await open_app(reservation_timeout=60, max_hold_seconds=150)
    ada = await guest(client, "ada@example.org")

    held = await ada.hold("A1")

    assert (held["expires_in_seconds"], held["extensions_left"]) == (60, 1)


async def test_the_cap_of_seats_that_were_released_goes_on_counting(ada: Visitor, database: Database) -> None:
    first = await ada.hold("A1", "A2")
    await time_passes(database, first, 100)
    told(await ada.delete(f"/reservations/{first['id']}"), 200)

    held = await ada.hold("A2")
    other = await ada.hold("A3")
    joined = told(await ada.post(f"{HOLD}/toggle", {"seat": "A1"}), 200)["reservation"]

    assert (held["extensions_left"], other["extensions_left"], joined["extensions_left"]) == (1, 2, 1)
    assert joined["id"] == other["id"]
    assert (await ada.read(f"/reservations/{joined['id']}"))["extensions_left"] == 1


async def test_seats_held_again_for_less_than_ten_seconds_are_refused_to_their_buyer_only(
    ada: Visitor, client: AsyncClient, database: Database
) -> None:
    held = await ada.hold("A1", "A2")
    await database.execute("UPDATE reservations SET first_held_at = first_held_at - interval '895 seconds'")
    told(await ada.delete(f"/reservations/{held['id']}"), 200)

    for path in (HOLD, f"{HOLD}/toggle"):
        refused(await ada.post(path, {"seats": ["A2", "A3"]}), 409, "extension-limit", "latest_expires_at")
    await (await guest(client, "ben@example.org")).hold("A1")

    # When it ended is told by its event: long enough ago, and all of it is forgotten.
    await database.execute("UPDATE seat_events SET at = at - interval '900 seconds'")
    assert (await ada.hold("A2"))["extensions_left"] == 2
