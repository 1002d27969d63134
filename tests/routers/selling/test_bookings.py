"""Booking: a hold or seats directly, once; what a booking says, who finds it, and how it is undone."""

from tests.order import edit
from tests.organizers import token_of
from tests.routers.visitors import (
    BASES,
    MOMENT,
    NOBODYS_ID,
    Database,
    Json,
    Visitor,
    labels,
    refused,
    time_passes,
    told,
)

HOLD = "/screenings/1/reservations"
EUROS_45 = {"amount_minor": 4500, "currency": "EUR"}
BOOKING = [
    *("id", "screening_id", "user_id", "status", "seats", "total", "payment", "created_at", "cancelled_at", "version"),
]


# --- confirming ------------------------------------------------------------------------------------------------------


async def test_a_confirmed_hold_is_a_booking(ada: Visitor) -> None:
    held = await ada.hold("A1", "A2")

    answer = await ada.post(f"/reservations/{held['id']}/confirm")

    booking = told(answer, 201)
    assert answer.headers["location"] == f"/api/v1/bookings/{booking['id']}"
    assert [name for name in booking if name != "reservation_id"] == BOOKING
    assert booking["reservation_id"] == held["id"]
    assert (booking["status"], booking["screening_id"], booking["user_id"]) == ("confirmed", 1, held["user_id"])
    assert booking["seats"] == held["seats"]
    assert booking["total"] == held["total"] == {"amount_minor": 9000, "currency": "EUR"}
    assert list(booking["payment"]) == ["status", "provider", "reference", "amount", "refunded"]
    assert MOMENT.fullmatch(booking["created_at"])
    assert booking["cancelled_at"] is None
    assert booking["version"] == await ada.version() == 2
    assert await ada.read(answer.headers["location"]) == booking
    reservation = await ada.read(f"/reservations/{held['id']}")
    assert (reservation["status"], reservation["booking_id"]) == ("booked", booking["id"])
    assert await ada.taken() == {"A1": "booked", "A2": "booked"}


async def test_confirming_again_gives_the_same_booking(ada: Visitor) -> None:
    held = await ada.hold("A1")
    path = f"/reservations/{held['id']}/confirm"
    first = told(await ada.post(path, {"payment": {"method": "card", "token": "ok"}}), 201)

    bodies: list[Json | None] = [None, {}, {"payment": None}, {"payment": {}}]
    for body in bodies:
        answer = await ada.post(path, body)
        assert told(answer, 200) == first
        assert "location" not in answer.headers
    assert told(await ada.post("/bookings", {"reservation_id": held["id"]}), 200) == first
    assert await ada.version() == 2


async def test_a_late_confirmation_succeeds_while_every_seat_is_free(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 1_190)

    booking = await ada.confirm(held)

    assert labels(booking["seats"]) == ["A1", "A2"]
    assert await ada.taken() == {"A1": "booked", "A2": "booked"}


async def test_a_late_confirmation_names_the_seats_that_are_gone(
    ada: Visitor, bob: Visitor, database: Database
) -> None:
    held = await ada.hold("A1", "A2", "A3")
    await time_passes(database, held, 301)
    await bob.hold("A1")
    await bob.book("A2")

    problem = refused(
        await ada.post(f"/reservations/{held['id']}/confirm"), 409, "reservation-expired", "expired_at", "seats"
    )

    assert [(seat["label"], seat["status"]) for seat in problem["seats"]] == [("A1", "reserved"), ("A2", "booked")]
    assert problem["expired_at"] < held["expires_at"]
    assert "A3" not in await ada.taken()


def _confirming(held: Json) -> list[tuple[str, Json | None]]:
    """Both ways to book a reservation: path and body."""
    return [(f"/reservations/{held['id']}/confirm", None), ("/bookings", {"reservation_id": held["id"]})]


async def test_a_confirmation_that_is_too_late_takes_no_seat(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1")
    await time_passes(database, held, 1_201)

    for path, body in _confirming(held):
        problem = refused(await ada.post(path, body), 409, "reservation-expired", "expired_at", "seats")
        assert problem["seats"] == []
    assert await ada.taken() == {}


async def test_a_late_confirmation_never_takes_the_old_price(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 301)
    await edit(
        database,
        """revision = 2, prices = '{"premium": {"amount_minor": 9900, "currency": "EUR"}}'""",
        "id = 1",
    )

    for path, body in _confirming(held):
        problem = refused(await ada.post(path, body), 409, "price-changed", "total")
        assert problem["total"] == {"amount_minor": 19800, "currency": "EUR"}
    assert await ada.taken() == {}


async def test_a_reservation_whose_booking_was_cancelled_is_over(ada: Visitor) -> None:
    held = await ada.hold("A1")
    first = await ada.post(f"/reservations/{held['id']}/confirm", key="once")
    booking = told(first, 201)
    await ada.delete(f"/bookings/{booking['id']}")

    for path, body in _confirming(held):
        problem = refused(await ada.post(path, body), 409, "reservation-ended", "reservation_status", "booking_id")
        assert (problem["reservation_status"], problem["booking_id"]) == ("booked", booking["id"])
    replayed = await ada.post(f"/reservations/{held['id']}/confirm", key="once")
    assert (replayed.status_code, replayed.content) == (201, first.content)
    assert await ada.taken() == {}


async def test_what_was_released_cannot_be_confirmed(ada: Visitor) -> None:
    held = await ada.hold("A1")
    await ada.delete(f"/reservations/{held['id']}")

    for path, body in ((f"/reservations/{held['id']}/confirm", None), ("/bookings", {"reservation_id": held["id"]})):
        problem = refused(await ada.post(path, body), 409, "reservation-ended", "reservation_status")
        assert problem["reservation_status"] == "released"


async def test_a_hold_keeps_the_price_of_its_moment(ada: Visitor, database: Database) -> None:
    held = await ada.hold("A1", "A2")
    await edit(
        database,
        """revision = 2, prices = '{"premium": {"amount_minor": 9900, "currency": "EUR"}}'""",
        "id = 1",
    )

    directly = await ada.book("A1")
    confirmed = await ada.confirm(held)

    assert directly["total"] == confirmed["total"] == EUROS_45
    assert (await ada.book("A3"))["total"]["amount_minor"] == 9900


# --- booking directly ------------------------------------------------------------------------------------------------


async def test_a_hold_is_booked_by_its_id_too(ada: Visitor) -> None:
    held = await ada.hold("A1")

    answer = await ada.post("/bookings", {"reservation_id": held["id"]})

    assert told(answer, 201)["reservation_id"] == held["id"]
    assert answer.headers["location"] == f"/api/v1/bookings/{answer.json()['id']}"


async def test_seats_can_be_booked_directly_in_five_ways_at_every_base_path(ada: Visitor) -> None:
    ways: list[tuple[Json, list[str]]] = [
        ({"seat_ids": [2, 1]}, ["A1", "A2"]),
        ({"seats": ["A4", " A3"]}, ["A3", "A4"]),
        ({"seat_id": 5}, ["A5"]),
        ({"seat": "A6"}, ["A6"]),
        ({"seat_number": "A7"}, ["A7"]),
    ]

    for number, (way, booked) in enumerate(ways):
        booking = told(await ada.post(f"{BASES[number % 3]}/bookings", {"screening_id": 1, **way}), 201)
        assert (labels(booking["seats"]), booking["reservation_id"]) == (booked, None)
    assert (await ada.read("/screenings/1/seats"))["counts"]["booked"] == 7


async def test_what_to_book_is_said_once(ada: Visitor) -> None:
    held = await ada.hold("A1")
    bodies: list[Json] = [
        {},
        {"screening_id": 1},
        {"reservation_id": held["id"], "seat": "A1"},
        {"reservation_id": held["id"], "screening_id": 1},
        {"reservation_id": 1},
        {"screening_id": 1, "seat": "A1", "seat_id": 1},
        {"screening_id": 1, "seats": []},
        {"screening_id": 1, "seat": "A1", "price": 0},
        {"screening_id": 1, "seat": "A1", "payment": {"amount": 0}},
    ]

    for body in bodies:
        refused(await ada.post("/bookings", body), 422, "validation", "errors")
    assert await ada.version() == 1


async def test_booking_what_i_hold_takes_it_out_of_the_hold(ada: Visitor) -> None:
    held = await ada.hold("A1", "A2")

    booking = await ada.book("A2", "A3")

    left = await ada.read(f"/reservations/{held['id']}")
    assert labels(booking["seats"]) == ["A2", "A3"]
    assert (left["status"], labels(left["seats"])) == ("held", ["A1"])
    assert await ada.taken() == {"A1": "reserved", "A2": "booked", "A3": "booked"}


async def test_nobody_can_book_twice(ada: Visitor, bob: Visitor) -> None:
    await ada.book("A1", "A2")
    await ada.hold("A3")
    before = await ada.version()

    problem = refused(
        await bob.post("/bookings", {"screening_id": 1, "seats": ["A4", "A3", "A2", "A1"]}),
        409,
        "seats-unavailable",
        "seats",
        "available_seats",
        "suggestions",
    )

    assert [(seat["label"], seat["status"]) for seat in problem["seats"]] == [
        ("A3", "reserved"),
        ("A2", "booked"),
        ("A1", "booked"),
    ]
    assert problem["available_seats"][0] == "A4"
    assert await ada.version() == before


async def test_booking_just_what_i_booked_together_gives_that_booking(ada: Visitor) -> None:
    first = await ada.book("A1", "A2")

    answer = await ada.post("/bookings", {"screening_id": 1, "seat_ids": [2, 1]})

    assert told(answer, 200) == first
    assert "location" not in answer.headers
    assert await ada.version() == 1


async def test_booking_a_part_of_what_i_booked_is_refused(ada: Visitor) -> None:
    await ada.book("A1", "A2")

    for seats in (["A1"], ["A1", "A2", "A3"]):
        refused(
            await ada.post("/bookings", {"screening_id": 1, "seats": seats}),
            409,
            "seats-unavailable",
            "seats",
            "available_seats",
            "suggestions",
        )


async def test_limits_bind_direct_bookings_too(ada: Visitor, database: Database) -> None:
    too_many = {"screening_id": 1, "seat_ids": list(range(1, 12))}
    refused(await ada.post("/bookings", too_many), 409, "limit-exceeded", "limit", "allowed", "current")
    await edit(database, "max_seats_per_user = 2", "id = 1")
    await ada.book("A1", "A2")

    problem = refused(
        await ada.post("/bookings", {"screening_id": 1, "seat": "A3"}),
        409,
        "limit-exceeded",
        "limit",
        "allowed",
        "current",
    )

    assert (problem["limit"], problem["allowed"], problem["current"]) == ("max_seats_per_user", 2, 2)


# --- the screening that is meant -------------------------------------------------------------------------------------


async def test_with_one_screening_on_sale_seats_say_enough(ada: Visitor, database: Database) -> None:
    await edit(database, "sales_close_at = now()", "id > 1")

    by_label = told(await ada.post("/bookings", {"seat": "A1"}), 201)
    by_id = told(await ada.post("/bookings", {"seat_id": 2}), 201)

    assert (by_label["screening_id"], by_id["screening_id"]) == (1, 1)


async def test_a_seat_id_says_its_theater(ada: Visitor) -> None:
    assert told(await ada.post("/bookings", {"seat_id": 1}), 201)["screening_id"] == 1
    assert told(await ada.post("/bookings", {"seat_id": 101}), 201)["screening_id"] == 4


async def test_several_that_might_be_meant_are_all_named(ada: Visitor) -> None:
    asked: list[tuple[str, Json, list[int]]] = [
        ("/bookings", {"seat": "A1"}, [1, 2, 3, 4]),
        ("/bookings", {"seat_id": 81}, [2, 3]),
        ("/theaters/2/reserve", {"seat": "A1"}, [2, 3]),
        ("/theaters/2/book", {"seat": "A1"}, [2, 3]),
    ]

    for path, body, candidates in asked:
        problem = refused(await ada.post(path, body), 422, "screening-required", "screenings")
        assert sorted(each["id"] for each in problem["screenings"]) == candidates
        for each in problem["screenings"]:
            assert list(each) == ["id", "title", "starts_at"]
            assert MOMENT.fullmatch(each["starts_at"])
    assert await ada.version(2) == 0


async def test_a_write_never_guesses_when_nothing_is_on_sale(ada: Visitor, database: Database) -> None:
    await edit(database, "sales_open_at = starts_at", "theater_id = 1")

    problem = refused(await ada.post("/theaters/1/book", {"seat": "A1"}), 422, "screening-required", "screenings")

    assert [each["id"] for each in problem["screenings"]] == [1]


async def test_a_theater_or_screening_that_is_not_there_is_not_found(ada: Visitor) -> None:
    asked: list[tuple[str, Json]] = [
        ("/bookings", {"screening_id": 99, "seat": "A1"}),
        ("/theaters/99/book", {"seat": "A1"}),
        ("/theaters/99/reserve", {"seat": "A1"}),
        ("/theaters/1/reserve", {"seat": "A1", "screening_id": 2}),
        ("/theaters/1/book", {"seat": "A1", "screening_id": 99}),
        ("/bookings", {"reservation_id": NOBODYS_ID}),
    ]

    for path, body in asked:
        refused(await ada.post(path, body), 404, "not-found")


# --- cancelling ------------------------------------------------------------------------------------------------------


async def test_a_cancelled_booking_frees_its_seats_at_once(ada: Visitor, bob: Visitor) -> None:
    booking = await ada.book("A1", "A2")

    cancelled = told(await ada.delete(f"/bookings/{booking['id']}"), 200)

    assert list(cancelled) == list(booking)
    assert (cancelled["status"], cancelled["payment"]["status"], cancelled["version"]) == (
        "cancelled",
        "refund_pending",
        2,
    )
    assert cancelled["payment"]["reference"] == booking["payment"]["reference"]
    assert MOMENT.fullmatch(cancelled["cancelled_at"])
    assert labels(cancelled["seats"]) == ["A1", "A2"]
    assert await ada.taken() == {}
    await bob.book("A1", "A2")


async def test_cancelling_what_is_cancelled_changes_nothing(ada: Visitor, bob: Visitor) -> None:
    booking = await ada.book("A1", "A2")
    first = told(await ada.delete(f"/bookings/{booking['id']}"), 200)
    await bob.book("A1")

    for path in ("", "/seats/1"):
        assert told(await ada.delete(f"/bookings/{booking['id']}{path}"), 200) == first
    assert await ada.taken() == {"A1": "booked"}
    assert await ada.version() == 3


async def test_one_seat_is_cancelled_and_the_rest_is_left(ada: Visitor) -> None:
    booking = await ada.book("A1", "D1")

    smaller = told(await ada.delete(f"/bookings/{booking['id']}/seats/1"), 200)
    again = told(await ada.delete(f"/bookings/{booking['id']}/seats/1"), 200)

    assert smaller == again == await ada.read(f"/bookings/{booking['id']}")
    assert (smaller["status"], smaller["cancelled_at"]) == ("confirmed", None)
    assert (labels(smaller["seats"]), smaller["total"]["amount_minor"]) == (["D1"], 1500)
    assert await ada.taken() == {"D1": "booked"}
    last = told(await ada.delete(f"/bookings/{booking['id']}/seats/61"), 200)
    assert last["status"] == "cancelled"
    assert await ada.taken() == {}


async def test_a_seat_that_is_not_in_the_booking_is_not_found(ada: Visitor) -> None:
    booking = await ada.book("A1")

    refused(await ada.delete(f"/bookings/{booking['id']}/seats/2"), 404, "not-found")
    refused(await ada.delete(f"/bookings/{booking['id']}/seats/x"), 422, "validation", "errors")


# --- looking up ------------------------------------------------------------------------------------------------------


async def test_my_bookings_are_listed_newest_first_and_found(ada: Visitor, bob: Visitor) -> None:
    first, second, third = [await ada.book("A1"), await ada.book("A2"), await ada.book("A1", screening=2)]
    await ada.delete(f"/bookings/{first['id']}")
    await bob.book("A3")

    async def found(query: str) -> list[str]:
        return [each["id"] for each in (await ada.read(f"/bookings{query}"))["items"]]

    for base in BASES:
        listed = await ada.read(f"{base}/bookings")
        assert list(listed) == ["items", "next_cursor"]
        assert listed["items"][0] == third
        assert [each["id"] for each in listed["items"]] == [third["id"], second["id"], first["id"]]
    assert await found("?screening_id=1") == [second["id"], first["id"]]
    assert await found("?status=cancelled") == [first["id"]]
    assert await found("?status=confirmed&screening_id=1") == [second["id"]]
    assert await found("?user_id=2") == [third["id"], second["id"], first["id"]]


async def test_bookings_come_in_pages(ada: Visitor) -> None:
    mine = [(await ada.book(f"A{number}"))["id"] for number in range(1, 4)]

    first = await ada.get("/bookings?limit=2")
    second = await ada.get(first.links["next"]["url"])

    assert [each["id"] for page in (first, second) for each in told(page, 200)["items"]] == mine[::-1]
    by_cursor = await ada.read(f"/bookings?limit=2&cursor={first.json()['next_cursor']}")
    assert by_cursor == second.json()
    assert second.json()["next_cursor"] is None
    assert "link" not in second.headers


async def test_who_has_a_booking_already_gets_no_body(ada: Visitor) -> None:
    booking = await ada.book("A1", "A2")

    for path in (f"/bookings/{booking['id']}", "/bookings"):
        etag = (await ada.get(path)).headers["etag"]
        again = await ada.get(path, if_none_match=etag)
        assert (again.status_code, again.content) == (304, b"")
    await ada.delete(f"/bookings/{booking['id']}/seats/1")
    assert (await ada.get("/bookings", if_none_match=etag)).status_code == 200


async def test_somebody_elses_booking_is_not_found_through_any_route(ada: Visitor, bob: Visitor) -> None:
    hers = await ada.book("A1")

    for base in BASES:
        for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", "/seats/1")):
            answers = [await bob.ask(method, f"{base}/bookings/{each}{path}") for each in (hers["id"], NOBODYS_ID)]
            problems = [refused(answer, 404, "not-found") for answer in answers]
            assert problems[0]["detail"] == problems[1]["detail"]
        assert (await bob.read(f"{base}/bookings"))["items"] == []
    assert await ada.taken() == {"A1": "booked"}


async def test_no_token_is_401_whatever_the_id(nobody: Visitor) -> None:
    for booking_id in (NOBODYS_ID, "x"):
        for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", "/seats/1")):
            refused(await nobody.ask(method, f"/bookings/{booking_id}{path}"), 401, "unauthenticated")
    refused(await nobody.get("/bookings"), 401, "unauthenticated")


async def test_organizers_see_and_cancel_everybodys(
    ada: Visitor, bob: Visitor, nobody: Visitor, database: Database
) -> None:
    boss = Visitor(nobody.client, await token_of(database))
    hers, his = await ada.book("A1"), await bob.book("A2")

    everybodys = (await boss.read("/bookings"))["items"]
    only_his = (await boss.read(f"/bookings?user_id={his['user_id']}"))["items"]
    cancelled = told(await boss.delete(f"/bookings/{hers['id']}"), 200)

    assert everybodys == [his, hers]
    assert only_his == [his]
    assert (cancelled["status"], cancelled["user_id"]) == ("cancelled", hers["user_id"])
    assert await boss.read(f"/bookings/{his['id']}") == his
