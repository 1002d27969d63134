"""Finding seats: the best available, what is suggested, and single seats that nobody leaves behind (section 12)."""

from typing import Any

import pytest

from tests.organizers import token_of
from tests.routers.visitors import Database, Json, Visitor, labels, refused, time_passes, told

HOLD = "/screenings/1/reservations"


@pytest.fixture
async def olga(nobody: Visitor, database: Database) -> Visitor:
    """An organizer."""
    return Visitor(nobody.client, await token_of(database))


def best(count: int, **more: Any) -> Json:
    return {"best_available": {"count": count, **more}}


async def look(visitor: Visitor, query: str) -> Json:
    """What would be chosen now."""
    return dict(told(await visitor.get(f"/screenings/1/best-available?{query}"), 200))


async def rule(olga: Visitor, orphan_rule: str, **more: Any) -> None:
    told(await olga.ask("PATCH", "/screenings/1", {"orphan_rule": orphan_rule, **more}), 200)


# --- the best available ----------------------------------------------------------------------------------------------


async def test_the_best_seats_are_held_together_in_front_of_the_focal_point(ada: Visitor) -> None:
    answer = await ada.post(HOLD, best(4))

    held = told(answer, 201)
    assert answer.headers["location"] == f"/api/v1/reservations/{held['id']}"
    assert labels(held["seats"]) == ["A9", "A10", "A11", "A12"]
    assert held["adjacent"] is True
    assert list(held)[-1] == "adjacent"
    assert await ada.taken() == dict.fromkeys(["A9", "A10", "A11", "A12"], "reserved")
    assert "adjacent" not in await ada.read(f"/reservations/{held['id']}")


async def test_what_would_be_chosen_is_told_and_not_taken(ada: Visitor, nobody: Visitor) -> None:
    found = await look(nobody, "count=2")

    assert found == {
        "screening_id": 1,
        "version": 0,
        "adjacent": True,
        "seats": [
            {
                "seat_id": number,
                "label": f"A{number}",
                "section": "A",
                "row": "A",
                "number": number,
                "category": "premium",
                "price": {"amount_minor": 4500, "currency": "EUR"},
            }
            for number in (10, 11)
        ],
        "total": {"amount_minor": 9000, "currency": "EUR"},
    }
    assert await ada.taken() == {}
    await ada.hold("A10")
    assert labels((await look(nobody, "count=2"))["seats"]) == ["A11", "A12"]


async def test_a_section_a_category_and_a_price_are_kept_to(ada: Visitor) -> None:
    assert labels((await look(ada, "count=1&section=C"))["seats"]) == ["C10"]
    assert labels((await look(ada, "count=1&category=economy"))["seats"]) == ["D10"]
    assert labels((await look(ada, "count=1&max_price_minor=2500"))["seats"]) == ["B10"]
    held = told(await ada.post(HOLD, best(1, max_price={"amount_minor": 1500, "currency": "EUR"})), 201)
    assert labels(held["seats"]) == ["D10"]


async def test_the_best_seats_can_be_booked_at_once_by_every_door(ada: Visitor, bob: Visitor) -> None:
    booked = told(await ada.post("/bookings", {"screening_id": 1, **best(2)}), 201)
    assert (labels(booked["seats"]), booked["adjacent"]) == (["A10", "A11"], True)
    held = told(await bob.post("/theaters/1/reserve", {"screening_id": 1, **best(2)}), 201)
    assert (labels(held["seats"]), held["adjacent"]) == (["A8", "A9"], True)
    more = told(await bob.post("/theaters/1/book", {"screening_id": 1, **best(2)}), 201)
    assert (labels(more["seats"]), more["adjacent"]) == (["A12", "A13"], True)


async def test_a_key_makes_it_once(ada: Visitor) -> None:
    first = await ada.post(HOLD, best(2), key="once")
    again = await ada.post(HOLD, best(2), key="once")

    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert len(await ada.taken()) == 2


async def test_nobody_signed_in_becomes_a_guest(nobody: Visitor) -> None:
    held = told(await nobody.post(HOLD, best(1)), 201)
    assert held["guest_token"]


async def test_a_hold_that_ran_out_is_free_at_once(ada: Visitor, bob: Visitor, database: Database) -> None:
    first = told(await ada.post(HOLD, best(2)), 201)
    await time_passes(database, first, 301)

    assert labels((await look(bob, "count=2"))["seats"]) == ["A10", "A11"]
    assert labels(told(await bob.post(HOLD, best(2)), 201)["seats"]) == ["A10", "A11"]


async def test_a_seat_that_is_blocked_when_its_hold_ends_is_not_found(
    ada: Visitor, bob: Visitor, olga: Visitor, database: Database
) -> None:
    held = await ada.hold("A10")
    told(await olga.post("/screenings/1/blocks", {"seats": ["A10"], "when_free": True}), 200)
    await time_passes(database, held, 301)

    assert labels(told(await bob.post(HOLD, best(1)), 201)["seats"]) == ["A11"]


async def test_nothing_fits(ada: Visitor, olga: Visitor) -> None:
    told(await olga.ask("PATCH", "/screenings/1", {"limits": {"max_seats_per_reservation": None}}), 200)
    problem = refused(
        await ada.post(HOLD, best(21, together="required")),
        409,
        "not-enough-seats",
        *("requested", "available", "largest_block"),
    )
    assert (problem["requested"], problem["available"], problem["largest_block"]) == (21, 80, 20)
    apart = told(await ada.post(HOLD, best(21)), 201)
    assert (len(apart["seats"]), apart["adjacent"]) == (21, False)
    members = ("requested", "available", "largest_block")
    problem = refused(await ada.get("/screenings/1/best-available?count=500"), 409, "not-enough-seats", *members)
    assert (problem["requested"], problem["available"], problem["largest_block"]) == (500, 59, 20)


async def test_more_than_the_limit_is_told_before_anything_is_looked_for(ada: Visitor) -> None:
    problem = refused(await ada.post(HOLD, best(11)), 409, "limit-exceeded", "limit", "allowed", "current")
    assert (problem["limit"], problem["allowed"], problem["current"]) == ("max_seats_per_reservation", 10, 0)
    refused(await ada.get("/screenings/1/best-available?count=100000"), 409, "limit-exceeded", *list(problem)[7:])


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    ("body", "where"),
    [
        (best(0), "body.best_available.count"),
        (best(-1), "body.best_available.count"),
        (best(True), "body.best_available.count"),
        (best(1.5), "body.best_available.count"),
        ({"best_available": {}}, "body.best_available.count"),
        (best(2, accessible=3), "body.best_available"),
        (best(2, accessible=-1), "body.best_available.accessible"),
        (best(2, together="maybe"), "body.best_available.together"),
        (best(2, colour="red"), "body.best_available.colour"),
        (best(2, section="Nowhere"), "body.best_available.section"),
        (best(2, category="gold"), "body.best_available.category"),
        (best(2, max_price={"amount_minor": 1, "currency": "USD"}), "body.best_available.max_price.currency"),
        ({**best(2), "seats": ["A1"]}, "body"),
        ({**best(2), "seat_id": 1}, "body"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused_where_it_is_wrong(ada: Visitor, body: Json, where: str) -> None:
    problem = refused(await ada.post(HOLD, body), 422, "validation", "errors")
    assert [".".join(map(str, each["loc"])) for each in problem["errors"]] == [where]
    refused(await ada.post("/bookings", {"screening_id": 1, **body}), 422, "validation", "errors")


async def test_unknown_names_come_with_those_that_are_known(ada: Visitor) -> None:
    problem = refused(await ada.post(HOLD, best(2, section="X", category="Y")), 422, "validation", "errors")
    assert [each["allowed"] for each in problem["errors"]] == [["A", "B", "C", "D"], ["premium", "standard", "economy"]]
    problem = refused(await ada.get("/screenings/1/best-available?count=2&section=X"), 422, "validation", "errors")
    assert (problem["errors"][0]["loc"], problem["errors"][0]["allowed"]) == (
        ["query", "section"],
        ["A", "B", "C", "D"],
    )


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    "query",
    ["", "count=0", "count=-1", "count=x", "count=1&accessible=2", "count=1&together=no", "count=1&max_price_minor=-1"],
)
async def test_a_question_that_makes_no_sense_is_refused(ada: Visitor, query: str) -> None:
    refused(await ada.get(f"/screenings/1/best-available?{query}"), 422, "validation", "errors")


async def test_a_screening_that_is_not_there_or_not_on_sale(ada: Visitor, olga: Visitor) -> None:
    refused(await ada.get("/screenings/99/best-available?count=1"), 404, "not-found")
    refused(await ada.post("/screenings/99/check-selection", {"seats": ["A1"]}), 404, "not-found")
    later = {"sales_open_at": "2099-01-01T00:00:00Z", "starts_at": "2099-02-01T00:00:00Z"}
    told(await olga.ask("PATCH", "/screenings/1", later), 200)
    refused(await ada.post(HOLD, best(1)), 409, "sales-closed", "opens_at", "closes_at")


# --- suggestions -----------------------------------------------------------------------------------------------------


async def test_who_comes_too_late_hears_what_is_free_near_by(ada: Visitor, bob: Visitor) -> None:
    await ada.hold("A10", "A11")
    problem = refused(
        await bob.post(HOLD, {"seats": ["A10", "A11"]}),
        *(409, "seats-unavailable", "seats", "available_seats", "suggestions"),
    )
    assert problem["suggestions"] == [["A8", "A9"], ["A12", "A13"], ["A6", "A7"]]


# --- the orphan rule -------------------------------------------------------------------------------------------------


async def test_a_choice_that_leaves_a_single_seat_is_refused(ada: Visitor, bob: Visitor, olga: Visitor) -> None:
    await rule(olga, "lenient")
    await ada.hold("A10")

    answer = await bob.post(HOLD, {"seats": ["A12"]})
    problem = refused(answer, 409, "leaves-single-seat", "stranded", "suggestions")
    assert (problem["stranded"], problem["suggestions"]) == (["A11"], [["A11"], ["A13"], ["A14"]])
    refused(await bob.post(HOLD + "/toggle", {"seats": ["A12"]}), 409, "leaves-single-seat", "stranded", "suggestions")
    refused(
        await bob.post("/bookings", {"screening_id": 1, "seats": ["A12"]}),
        *(409, "leaves-single-seat", "stranded", "suggestions"),
    )
    assert await ada.taken() == {"A10": "reserved"}
    await olga.hold("A12")
    await rule(olga, "off")
    await bob.hold("A14")


async def test_the_end_of_a_row_may_be_left_but_not_by_the_strict_rule(ada: Visitor, olga: Visitor) -> None:
    await rule(olga, "strict")
    refused(await ada.post(HOLD, {"seats": ["A2"]}), 409, "leaves-single-seat", "stranded", "suggestions")
    await rule(olga, "lenient")
    await ada.hold("A2")


async def test_the_best_available_are_not_bound(ada: Visitor, olga: Visitor) -> None:
    await rule(olga, "strict")
    await olga.hold("A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9")
    await olga.hold("A13", "A14", "A15", "A16", "A17", "A18", "A19", "A20")
    held = told(await ada.post(HOLD, best(2, section="A")), 201)
    assert labels(held["seats"]) == ["A10", "A11"]


# --- checking a selection --------------------------------------------------------------------------------------------


async def check(visitor: Visitor, *seats: str) -> Json:
    return dict(told(await visitor.post("/screenings/1/check-selection", {"seats": list(seats)}), 200))


async def test_a_selection_is_checked_and_nothing_is_taken(ada: Visitor, nobody: Visitor) -> None:
    fine = {"ok": True, "total": {"amount_minor": 7000, "currency": "EUR"}, "problem": None}
    assert await check(ada, "A1", "B1") == fine
    assert await check(nobody, "A1", "B1") == fine
    assert (await ada.taken(), await ada.version()) == ({}, 0)


async def test_a_check_says_what_a_hold_would_say(ada: Visitor, bob: Visitor, nobody: Visitor, olga: Visitor) -> None:
    await ada.hold("A1")
    told_so = await check(bob, "A1", "A2")
    hold = (await bob.post(HOLD, {"seats": ["A1", "A2"]})).json()
    assert (told_so["ok"], told_so["total"]["amount_minor"]) == (False, 9000)
    assert told_so["problem"] | {"request_id": "", "instance": ""} == hold | {"request_id": "", "instance": ""}
    assert (await check(nobody, "A1"))["problem"]["code"] == "seats-unavailable"
    assert (await check(ada, "A1"))["ok"] is True
    await rule(olga, "lenient")
    single = await check(nobody, "A3")
    assert (single["problem"]["code"], single["problem"]["stranded"]) == ("leaves-single-seat", ["A2"])
    assert (await check(olga, "A3"))["ok"] is True


async def test_a_check_of_what_is_no_selection(ada: Visitor) -> None:
    refused(
        await ada.post("/screenings/1/check-selection", {"seats": ["A1", "Z9"]}),
        *(404, "unknown-seats", "unknown", "available_seats"),
    )
    refused(await ada.post("/screenings/1/check-selection", {"seats": ["A1", "A1"]}), 422, "validation", "errors")
    refused(await ada.post("/screenings/1/check-selection", best(1)), 422, "validation", "errors")


# --- reserved places -------------------------------------------------------------------------------------------------


async def test_reserved_places_are_for_who_asks_unless_the_house_releases_them(ada: Visitor, olga: Visitor) -> None:
    flags = {1: {"accessible": True}, 2: {"companion": True}, 3: {"accessible": True}}
    seats = [{"number": number, **flags.get(number, {})} for number in range(1, 6)]
    rows = [{"name": "S", "rows": [{"row": "A", "seats": seats}]}]
    theater = told(await olga.post("/theaters", {"name": "H", "timezone": "UTC", "layout": {"sections": rows}}), 201)
    price = {"standard": {"amount_minor": 100, "currency": "EUR"}}
    new = {"title": "E", "starts_at": "2099-01-01T00:00:00Z", "prices": price}
    screening = told(await olga.post(f"/theaters/{theater['id']}/screenings", new), 201)["id"]

    async def chosen(query: str) -> list[str]:
        return labels((await ada.read(f"/screenings/{screening}/best-available?{query}"))["seats"])

    assert await chosen("count=2") == ["A4", "A5"]
    refused(
        await ada.get(f"/screenings/{screening}/best-available?count=3"),
        *(409, "not-enough-seats", "requested", "available", "largest_block"),
    )
    assert await chosen("count=2&accessible=1") in (["A1", "A2"], ["A2", "A3"])
    assert await chosen("count=2&accessible=2") == ["A1", "A3"]
    told(await olga.ask("PATCH", f"/screenings/{screening}", {"reserved_places": "released"}), 200)
    assert await chosen("count=3") == ["A1", "A2", "A3"]
    short = await ada.read(f"/screenings/{screening}/availability")
    by_label = {seat["label"]: seat for seat in (await ada.read(f"/screenings/{screening}/seats"))["seats"]}
    assert short["accessible"] == [by_label["A1"]["seat_id"], by_label["A3"]["seat_id"]]
    assert short["companion"] == [by_label["A2"]["seat_id"]]
    assert [label for label, seat in by_label.items() if seat["companion"]] == ["A2"]
    by_seat = {each["seat"]: each for each in await ada.read(f"/seats?theater_id={theater['id']}")}
    assert [label for label, seat in by_seat.items() if seat["accessible"]] == ["A1", "A3"]
    assert [label for label, seat in by_seat.items() if seat["companion"]] == ["A2"]
    for path in (f"/theaters/{theater['id']}/seats", f"/screenings/{screening}/seats/me"):
        listed = (await ada.read(path))["seats"]
        assert [each["accessible"] for each in listed] == [True, False, True, False, False], path
        assert [each["companion"] for each in listed] == [False, True, False, False, False], path
    await ada.hold("A1", screening=screening)


async def test_a_focal_point_and_aisles_come_back_and_count(ada: Visitor, olga: Visitor) -> None:
    row = {"row": "A", "seats": [{"number": number, "aisle_after": number == 2} for number in range(1, 6)]}
    layout: Json = {"sections": [{"name": "S", "rows": [row]}], "focal_point": {"x": -2, "y": 0}}
    theater = told(await olga.post("/theaters", {"name": "H", "timezone": "UTC", "layout": layout}), 201)["id"]
    new = {
        "title": "E",
        "starts_at": "2099-01-01T00:00:00Z",
        "prices": {"standard": {"amount_minor": 1, "currency": "EUR"}},
    }
    screening = told(await olga.post(f"/theaters/{theater}/screenings", new), 201)["id"]

    said = await ada.read(f"/theaters/{theater}/layout")
    ids = [seat["id"] for seat in said["seats"]]
    assert said["focal_point"] == {"x": -2.0, "y": 0.0}
    assert [seat["aisle_after"] for seat in said["seats"]] == [False, True, False, False, False]
    assert [seat["right"] for seat in said["seats"]] == [ids[1], None, ids[3], ids[4], None]
    assert [seat["left"] for seat in said["seats"]] == [None, ids[0], None, ids[2], ids[3]]
    found = await ada.read(f"/screenings/{screening}/best-available?count=3")
    assert labels(found["seats"]) == ["A3", "A4", "A5"]
    del layout["focal_point"]
    changed = told(await olga.ask("PUT", f"/theaters/{theater}/layout", layout), 200)
    assert changed["focal_point"] == {"x": 0.0, "y": 0.0}


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    "point", ['{"x": NaN, "y": 0}', '{"x": 1}', '{"x": 1e9, "y": 0}', '{"x": "1", "y": 0}', "[1, 2]"]
)
async def test_a_focal_point_that_is_none_is_refused(olga: Visitor, point: str) -> None:
    body = '{"sections": [{"name": "S", "rows": [{"row": "A", "seats": 3}]}], "focal_point": ' + point + "}"
    headers = {"authorization": f"Bearer {olga.token}", "content-type": "application/json"}
    answer = await olga.client.put("/theaters/1/layout", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation")
