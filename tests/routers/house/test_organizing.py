"""What organizers do over HTTP: theaters, layouts and screenings (docs/api.md, sections 4 and 5)."""

import threading
from typing import Any

import pytest

from app.domain.people.people import Role
from app.http.runner import operations
from tests.conftest import resources_of
from tests.order import edit
from tests.organizers import token_of
from tests.routers.visitors import BASES, Database, Visitor, labels, refused, time_passes, told

Json = dict[str, Any]

LATER = {"starts_at": "2030-06-01T13:00:00.000Z", "sales_open_at": "2030-05-01T08:00:00.000Z"}
EDITS = [
    ("POST", "/theaters", {"name": "Studio", "timezone": "UTC"}),
    ("PATCH", "/theaters/1", {"name": "Mine"}),
    ("DELETE", "/theaters/1", None),
    ("PUT", "/theaters/1/layout", {"sections": [{"name": "S", "rows": [{"row": "A", "seats": 1}]}]}),
    ("POST", "/theaters/1/screenings", {"title": "Mine", **LATER, "prices": {}}),
    ("PATCH", "/screenings/1", {"title": "Mine"}),
    ("DELETE", "/screenings/1", None),
]


def euros(cents: int) -> Json:
    return {"amount_minor": cents, "currency": "EUR"}


PRICES = {"premium": euros(3000), "standard": euros(1800), "economy": euros(900)}


def house(seats_in_d: int = 20, **more: str) -> Json:
    """Theater A as it stands, but for the last row; `more` are further rows with their category."""
    rows = {"A": "premium", "B": "standard", "C": "standard", "D": "economy", **more}
    return {
        "sections": [
            {"name": name, "category": category, "rows": [{"row": name, "seats": seats_in_d if name == "D" else 20}]}
            for name, category in rows.items()
        ]
    }


@pytest.fixture
async def olga(nobody: Visitor, database: Database) -> Visitor:
    """An organizer."""
    return Visitor(nobody.client, await token_of(database))


async def patch(visitor: Visitor, path: str, body: Json, **headers: str) -> Json:
    changed: Json = told(await visitor.ask("PATCH", path, body, **headers), 200)
    return changed


def wrong(problem: Json) -> list[tuple[str, str]]:
    """Where it is wrong, and how."""
    return [(".".join(map(str, each["loc"])), each["code"]) for each in problem["errors"]]


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.changes_nothing
@pytest.mark.parametrize(("method", "path", "body"), EDITS)
async def test_only_organizers_edit(
    nobody: Visitor, ada: Visitor, database: Database, method: str, path: str, body: Json | None
) -> None:
    staff = Visitor(nobody.client, await token_of(database, Role.STAFF))
    before = [await database.fetch(f"TABLE {table}") for table in ("theaters", "seats", "screenings")]

    refused(await nobody.ask(method, path, body), 401, "unauthenticated")
    refused(await ada.ask(method, path, body), 403, "forbidden")
    refused(await staff.ask(method, path, body), 403, "forbidden")

    assert [await database.fetch(f"TABLE {table}") for table in ("theaters", "seats", "screenings")] == before


@pytest.mark.changes_nothing
@pytest.mark.parametrize(("method", "path", "body"), [edit for edit in EDITS if "/1" in edit[1]])
async def test_what_does_not_exist_is_not_found(olga: Visitor, method: str, path: str, body: Json | None) -> None:
    refused(await olga.ask(method, path.replace("/1", "/99"), body), 404, "not-found")


@pytest.mark.changes_nothing
@pytest.mark.parametrize(("method", "path", "body"), [edit for edit in EDITS if edit[2]])
async def test_a_member_that_nobody_knows_is_named(olga: Visitor, method: str, path: str, body: Json) -> None:
    problem = refused(await olga.ask(method, path, {**body, "is_admin": True}), 422, "validation", "errors")

    assert ("body.is_admin", "extra_forbidden") in wrong(problem)


# --- theaters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
async def test_a_theater_is_opened_with_its_seats(olga: Visitor, base: str) -> None:
    layout = {"sections": [{"name": "Stalls", "rows": [{"row": "A", "seats": 2}]}]}

    answer = await olga.post(f"{base}/theaters", {"name": " Studio ", "timezone": "Asia/Tokyo", "layout": layout})

    theater = told(answer, 201)
    expected = {"name": "Studio", "timezone": "Asia/Tokyo", "seat_count": 2, "screenings_count": 0}
    assert theater == {"id": theater["id"], **expected}
    assert answer.headers["location"] == f"/api/v1/theaters/{theater['id']}"
    shown = await olga.get(answer.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (theater, answer.headers["etag"])
    assert labels((await olga.read(f"/theaters/{theater['id']}/layout"))["seats"]) == ["A1", "A2"]


async def test_a_theater_may_come_without_seats(olga: Visitor) -> None:
    theater = told(await olga.post("/theaters", {"name": "Field", "timezone": "UTC"}), 201)

    assert (await olga.read(f"/theaters/{theater['id']}/layout"))["seats"] == []


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    ("body", "flaws"),
    [
        ({}, [("body.name", "missing"), ("body.timezone", "missing")]),
        ({"name": "", "timezone": "UTC"}, [("body.name", "string_too_short")]),
        ({"name": "x" * 101, "timezone": "UTC"}, [("body.name", "string_too_long")]),
        ({"name": "two\nlines", "timezone": "UTC"}, [("body.name", "string_control")]),
        ({"name": 5, "timezone": "UTC"}, [("body.name", "string_type")]),
        ({"name": "S", "timezone": "Europe/Atlantis"}, [("body.timezone", "timezone_unknown")]),
        ({"name": "S", "timezone": "../../etc/passwd"}, [("body.timezone", "timezone_unknown")]),
        ({"name": "S", "timezone": "+02:00"}, [("body.timezone", "timezone_unknown")]),
        (
            {"name": "S", "timezone": "UTC", "layout": {"sections": []}},
            [("body.layout.sections", "too_short")],
        ),
        (
            {
                "name": "S",
                "timezone": "UTC",
                "layout": {
                    "sections": [
                        {"name": "S", "rows": [{"row": "A", "seats": [{"number": n, "label": "A1"} for n in (1, 2)]}]}
                    ]
                },
            },
            [("body.layout.sections.0.rows.0.seats.1.label", "label_twice")],
        ),
    ],
)
async def test_a_theater_that_is_none_is_refused(olga: Visitor, body: Json, flaws: list[tuple[str, str]]) -> None:
    problem = refused(await olga.post("/theaters", body), 422, "validation", "errors")

    assert wrong(problem) == flaws
    assert len((await olga.read("/theaters"))["items"]) == 3


async def test_a_theater_gets_another_name(olga: Visitor) -> None:
    theater = await patch(olga, "/theaters/1", {"name": "Grand"})

    assert (theater["name"], theater["timezone"]) == ("Grand", "Europe/Berlin")
    assert await olga.read("/theaters/1") == theater


@pytest.mark.changes_nothing
@pytest.mark.parametrize("body", [{"name": None}, {"timezone": None}, {"name": ""}, {"timezone": "Mars"}, []])
async def test_a_theater_does_not_get_what_is_no_name(olga: Visitor, body: Any) -> None:
    refused(await olga.ask("PATCH", "/theaters/1", body), 422, "validation", "errors")

    assert (await olga.read("/theaters/1"))["name"] == "Theater A"


async def test_a_theater_with_screenings_to_come_stays(olga: Visitor) -> None:
    problem = refused(await olga.delete("/theaters/2"), 409, "theater-in-use", "screenings")

    assert [(each["id"], each["title"]) for each in problem["screenings"]] == [(2, "Waiting for Godot"), (3, "Endgame")]
    assert set(problem["screenings"][0]) == {"id", "title", "starts_at"}
    assert (await olga.read("/theaters/2"))["screenings_count"] == 2


async def test_a_theater_that_is_taken_away_leaves_its_history(olga: Visitor, ada: Visitor, database: Database) -> None:
    booking = await ada.book("A1", "A2")
    await edit(database, "starts_at = now() - interval '1 day'", "theater_id = 1")

    gone = await olga.delete("/theaters/1")

    assert (gone.status_code, gone.content) == (204, b"")
    assert [each["id"] for each in (await olga.read("/theaters"))["items"]] == [3, 2]
    for path in ("/theaters/1", "/theaters/1/layout", "/theaters/1/screenings"):
        refused(await olga.get(path), 404, "not-found")
    refused(await olga.delete("/theaters/1"), 404, "not-found")
    refused(await olga.post("/theaters/1/screenings", {"title": "T", **LATER, "prices": PRICES}), 404, "not-found")
    refused(await olga.ask("PATCH", "/screenings/1", LATER), 404, "not-found")
    assert (await olga.read("/screenings/1"))["title"] == "The Tempest"
    assert labels((await ada.read(f"/bookings/{booking['id']}"))["seats"]) == ["A1", "A2"]


async def test_a_theater_whose_screenings_are_cancelled_may_go(olga: Visitor) -> None:
    assert (await olga.delete("/screenings/1")).status_code == 204

    assert (await olga.delete("/theaters/1")).status_code == 204


# --- layouts ---------------------------------------------------------------------------------------------------------


async def test_a_seat_is_known_by_its_label(olga: Visitor) -> None:
    plan = house(19, E="economy")
    plan["sections"][0]["rows"][0]["seats"] = [
        {"number": n, "x": n * 2.0, "accessible": n == 1} for n in range(20, 0, -1)
    ]

    answer = await olga.ask("PUT", "/theaters/1/layout", plan)

    layout = told(answer, 200)
    ids = {seat["label"]: seat["id"] for seat in layout["seats"]}
    first = layout["seats"][0]
    assert (first["id"], first["label"], first["x"]) == (20, "A20", 40.0)
    assert (ids["A1"], ids["D19"], ids["E1"]) == (1, 79, 1323)
    assert "D20" not in ids
    assert answer.headers["etag"] == '"2"'
    assert await olga.read("/theaters/1/layout") == layout


async def test_a_balcony_with_a_row_of_the_same_name_changes_no_other_seat(olga: Visitor, ada: Visitor) -> None:
    told(await olga.ask("POST", "/screenings/1/blocks", {"seats": ["A3"]}), 200)
    await ada.hold("B1")
    wider = house()
    wider["sections"].append({"name": "Balcony", "category": "premium", "rows": [{"row": "A", "seats": 5}]})

    layout = told(await olga.ask("PUT", "/theaters/1/layout", wider), 200)

    assert [seat["id"] for seat in layout["seats"][:80]] == list(range(1, 81))
    assert labels(layout["seats"])[:3] == ["A1", "A2", "A3"]
    assert labels(layout["seats"])[80:] == [f"Balcony-A-{number}" for number in range(1, 6)]
    assert await olga.taken() == {"A3": "blocked", "B1": "reserved"}
    in_the_way = refused(
        await ada.post("/screenings/1/reservations", {"seats": ["A3"]}), 409, "seats-unavailable",
        "seats", "available_seats", "suggestions",
    )  # fmt: skip
    assert in_the_way["seats"][0]["status"] == "blocked"


async def test_labels_that_are_given_name_seats_move_them_and_bring_them_back(olga: Visitor, ada: Visitor) -> None:
    """Every write of labels that the index seats_label_in_use might not like."""
    booking = await ada.book("A1")

    def row_a(*labels: str | None) -> Json:
        plan = house()
        given = [{"number": n, **({"label": label} if label else {})} for n, label in enumerate(labels, start=1)]
        plan["sections"][0]["rows"][0]["seats"] = given
        return plan

    async def put(*given: str | None, **more: Json) -> dict[str, int]:
        plan = row_a(*given)
        plan["sections"] += more.values()
        layout = told(await olga.ask("PUT", "/theaters/1/layout", plan), 200)
        return {seat["label"]: seat["id"] for seat in layout["seats"] if seat["row"] == "A"}

    assert await put("Box", None, None) == {"Box": 1, "A2": 2, "A3": 3}
    assert labels((await ada.read(f"/bookings/{booking['id']}"))["seats"]) == ["Box"]
    assert await put("A2", "Box", None) == {"A2": 2, "Box": 1, "A3": 3}
    assert await put("Box", None) == {"Box": 1, "A2": 2}
    assert await put("Box", "X", "A2") == {"Box": 1, "X": 1323, "A2": 2}
    assert await put("Box", "A4") == {"Box": 1, "A4": 4}
    assert await put("Box", "X", None) == {"Box": 1, "X": 1323, "A2": 2}
    annex = {"name": "Annex", "category": "premium", "rows": [{"row": "A", "seats": [{"number": 2}]}]}
    assert await put("Box", "X", "New", annex=annex) == {"Box": 1, "X": 1323, "New": 2, "A2": 1324}
    assert await olga.taken() == {"Box": "booked"}


async def test_a_seat_that_comes_back_is_the_same_seat(olga: Visitor) -> None:
    told(await olga.ask("PUT", "/theaters/1/layout", house(19)), 200)

    layout = told(await olga.ask("PUT", "/theaters/1/layout", house(20)), 200)

    assert [seat["id"] for seat in layout["seats"]] == list(range(1, 81))


async def test_the_map_of_a_screening_moves_with_the_layout(olga: Visitor) -> None:
    before = await olga.get("/screenings/1/seats")

    told(await olga.ask("PUT", "/theaters/1/layout", house(21)), 200)

    after = await olga.get("/screenings/1/seats", if_none_match=before.headers["etag"])
    assert told(after, 200)["counts"]["available"] == 81
    assert after.json()["version"] == before.json()["version"]


async def test_blocks_come_from_places_never_from_numbers(olga: Visitor, ada: Visitor) -> None:
    odd_and_even = zip((7, 5, 3, 1, 2, 4, 6, 8), (0, 1, 2, 3, 5, 6, 7, 8), strict=True)
    rows = {
        "Odd": [{"number": number} for number in (1, 3, 5, 7)],
        "Aisle": [{"number": number, "x": x, "y": 9} for number, x in odd_and_even],
    }
    plan = {"sections": [{"name": name, "rows": [{"row": name, "seats": seats}]} for name, seats in rows.items()]}
    theater = told(await olga.post("/theaters", {"name": "Studio", "timezone": "UTC", "layout": plan}), 201)
    new = {"title": "Now", "starts_at": LATER["starts_at"], "prices": {"standard": euros(1800)}}
    screening = told(await olga.post(f"/theaters/{theater['id']}/screenings", new), 201)["id"]

    before = await olga.read(f"/screenings/{screening}/availability")
    await ada.hold("Odd3", "Aisle4", screening=screening)
    after = await olga.read(f"/screenings/{screening}/availability")

    assert [section["largest_block"] for section in before["sections"]] == [4, 4]
    assert [section["largest_block"] for section in after["sections"]] == [2, 4]


async def test_a_seat_that_is_held_or_booked_cannot_go(olga: Visitor, ada: Visitor) -> None:
    await ada.hold("D20")
    await ada.book("D18")

    problem = refused(await olga.ask("PUT", "/theaters/1/layout", house(17)), 409, "layout-in-use", "seats")

    assert problem["seats"] == [
        {"seat_id": 78, "label": "D18", "status": "booked", "reason": "Booked in screening 1."},
        {"seat_id": 80, "label": "D20", "status": "reserved", "reason": "Held in screening 1."},
    ]
    assert len((await olga.read("/theaters/1/layout"))["seats"]) == 80
    told(await olga.ask("PUT", "/theaters/1/layout", house(20, E="standard")), 200)
    assert await olga.taken() == {"D18": "booked", "D20": "reserved"}


async def test_a_blocked_seat_cannot_go_until_it_is_unblocked(olga: Visitor) -> None:
    told(await olga.ask("POST", "/screenings/1/blocks", {"seats": ["D20"], "reason": "A pillar"}), 200)

    problem = refused(await olga.ask("PUT", "/theaters/1/layout", house(19)), 409, "layout-in-use", "seats")

    assert problem["seats"] == [
        {"seat_id": 80, "label": "D20", "status": "blocked", "reason": "Blocked in screening 1."}
    ]
    assert "D20 is in use" in problem["detail"]
    told(await olga.ask("DELETE", "/screenings/1/blocks", {"seats": ["D20"]}), 200)
    told(await olga.ask("PUT", "/theaters/1/layout", house(19)), 200)


async def test_what_stands_on_a_seat_in_several_screenings_is_told_with_the_firmest_first(
    olga: Visitor, ada: Visitor
) -> None:
    label = (await olga.read("/theaters/2/layout"))["seats"][-1]["label"]
    told(await olga.ask("POST", "/screenings/2/blocks", {"seats": [label]}), 200)
    await ada.book(label, screening=3)
    smaller = {"sections": [{"name": "S", "category": "standard", "rows": [{"row": "Z", "seats": 1}]}]}

    problem = refused(await olga.ask("PUT", "/theaters/2/layout", smaller), 409, "layout-in-use", "seats")

    [seat] = problem["seats"]
    assert (seat["label"], seat["status"]) == (label, "booked")
    assert seat["reason"] == "Booked in screening 3, and in use in 1 more."


async def test_a_seat_whose_hold_is_over_may_go(olga: Visitor, ada: Visitor, database: Database) -> None:
    await ada.hold("D20")
    await database.execute("UPDATE seat_claims SET expires_at = now() - interval '1 second'")

    told(await olga.ask("PUT", "/theaters/1/layout", house(19)), 200)

    assert "D20" not in [seat["label"] for seat in (await olga.read("/screenings/1/seats"))["seats"]]
    assert (await olga.read("/screenings/1/availability"))["taken"] == []


@pytest.mark.parametrize("call", ["confirm", "extend"])
async def test_whoever_is_late_for_a_seat_that_went_is_told_so(
    olga: Visitor, ada: Visitor, database: Database, call: str
) -> None:
    hold = await ada.hold("D19", "D20")
    await time_passes(database, hold, 301)
    told(await olga.ask("PUT", "/theaters/1/layout", house(19)), 200)

    late = await ada.post(f"/reservations/{hold['id']}/{call}")

    problem = refused(late, 409, "reservation-expired", "expired_at", "seats")
    assert labels(problem["seats"]) == ["D20"]
    assert "D20 is no longer available" in problem["detail"]
    assert await olga.taken() == {}


async def test_an_old_booking_still_says_where_one_sat(olga: Visitor, ada: Visitor, database: Database) -> None:
    booking = await ada.book("D19", "D20")
    await edit(database, "starts_at = now() - interval '1 day'", "theater_id = 1")

    told(await olga.ask("PUT", "/theaters/1/layout", house(19)), 200)

    assert labels((await ada.read(f"/bookings/{booking['id']}"))["seats"]) == ["D19", "D20"]
    compact = await olga.read("/screenings/1/availability")
    assert ([seat_id for seat_id, *_ in compact["taken"]], compact["counts"]["booked"]) == ([79, 80], 2)


# --- screenings that have begun keep their seats ----------------------------------------------------------------------

MAPS = ["/screenings/1/seats", "/screenings/1/seats?section=D", "/screenings/1/availability"]


async def begin(database: Database, screening: int = 1) -> None:
    """The screening began a moment ago."""
    await edit(database, "starts_at = now() - interval '1 second'", "id = $1", screening)


@pytest.mark.parametrize("way", ["begun", "cancelled"])
async def test_an_edit_changes_nothing_of_a_screening_that_is_over(
    olga: Visitor, ada: Visitor, database: Database, way: str
) -> None:
    booking = await ada.book("D19", "D20")
    told(await olga.ask("POST", "/screenings/1/blocks", {"seats": ["D18"]}), 200)
    if way == "begun":
        await begin(database)
    else:
        assert (await olga.delete("/screenings/1")).status_code == 204
    before = [await olga.get(path) for path in MAPS]
    ticket, personal = await ada.read(f"/bookings/{booking['id']}"), await ada.read("/screenings/1/seats/me")
    renamed = house(15, E="royal")
    renamed["sections"][0]["rows"][0]["seats"] = [{"number": n, "label": f"Loge {n}"} for n in range(1, 21)]

    layout = told(await olga.ask("PUT", "/theaters/1/layout", renamed), 200)

    assert len(layout["seats"]) == 95
    after = [await olga.get(path) for path in MAPS]
    assert [(each.content, each.headers["etag"]) for each in after] == [
        (each.content, each.headers["etag"]) for each in before
    ]
    assert await ada.read(f"/bookings/{booking['id']}") == ticket
    assert await ada.read("/screenings/1/seats/me") == personal
    assert (await olga.read("/screenings/1/seats/80/history"))["items"][-1]["to"] == "booked"
    assert (await olga.read("/screenings/1/seats/77/history"))["items"] == []
    refused(await olga.get("/screenings/1/seats/1323/history"), 404, "not-found")


async def test_screenings_that_began_before_different_edits_keep_different_seats(
    olga: Visitor, database: Database
) -> None:
    new = {"title": "Now", "starts_at": LATER["starts_at"], "prices": PRICES}
    await begin(database)
    told(await olga.ask("PUT", "/theaters/1/layout", house(19)), 200)
    second = told(await olga.post("/theaters/1/screenings", new), 201)["id"]
    await begin(database, second)
    told(await olga.ask("PUT", "/theaters/1/layout", house(25)), 200)
    third = told(await olga.post("/theaters/1/screenings", new), 201)["id"]
    told(await olga.ask("PUT", "/theaters/1/layout", house(18)), 200)

    counted = [(await olga.read(f"/screenings/{each}/seats"))["counts"]["available"] for each in (1, second, third)]

    assert counted == [80, 79, 78]
    kept = await database.fetch("SELECT theater_id, revision FROM former_layouts ORDER BY 1, 2")
    assert [tuple(row) for row in kept] == [(1, 1), (1, 2)]


async def test_a_house_that_had_no_seats_has_none_in_a_screening_that_has_begun(
    olga: Visitor, database: Database
) -> None:
    theater = told(await olga.post("/theaters", {"name": "Field", "timezone": "UTC"}), 201)["id"]
    new = {"title": "Open air", "starts_at": LATER["starts_at"], "prices": {}}
    screening = told(await olga.post(f"/theaters/{theater}/screenings", new), 201)["id"]
    await begin(database, screening)

    told(await olga.ask("PUT", f"/theaters/{theater}/layout", house()), 200)

    assert (await olga.read(f"/screenings/{screening}/seats"))["seats"] == []


async def test_what_is_still_sold_after_the_start_is_sold_as_the_house_was(
    olga: Visitor, ada: Visitor, bob: Visitor, database: Database
) -> None:
    await patch(olga, "/screenings/1", {"sales_close_at": LATER["starts_at"]})
    hold = await ada.hold("D20")
    await begin(database)

    told(await olga.ask("PUT", "/theaters/1/layout", house(18, E="royal")), 200)

    told(await ada.post(f"/reservations/{hold['id']}/extend"), 200)
    await ada.confirm(hold)
    await bob.book("D19")
    assert await olga.taken() == {"D19": "booked", "D20": "booked"}
    refused(
        await bob.post("/screenings/1/reservations", {"seats": ["E1"]}), 404, "unknown-seats",
        "unknown", "available_seats",
    )  # fmt: skip
    updates = (await olga.read("/screenings/1/changes"))["updates"]
    assert {each["label"] for each in updates} == {"D19", "D20"}


async def test_a_screening_that_has_begun_can_be_edited_whatever_the_house_has_now(
    olga: Visitor, database: Database
) -> None:
    await begin(database)
    told(await olga.ask("PUT", "/theaters/1/layout", house(20, E="royal")), 200)

    assert (await patch(olga, "/screenings/1", {"title": "The Storm"}))["title"] == "The Storm"
    problem = refused(
        await olga.ask("PATCH", "/screenings/1", {"prices": {"premium": None}}), 422, "validation", "errors"
    )
    assert wrong(problem) == [("body.prices.premium", "price_missing")]


async def test_a_screening_is_not_put_into_the_future_while_its_seats_are_not_in_the_house(
    olga: Visitor, ada: Visitor, database: Database
) -> None:
    await ada.book("D20")
    told(await olga.ask("POST", "/screenings/1/blocks", {"seats": ["D19"]}), 200)
    await begin(database)
    told(await olga.ask("PUT", "/theaters/1/layout", house(18)), 200)
    before = await olga.read("/screenings/1")

    problem = refused(await olga.ask("PATCH", "/screenings/1", LATER), 409, "layout-in-use", "seats")

    assert problem["seats"] == [
        {"seat_id": 79, "label": "D19", "status": "blocked", "reason": "Blocked in screening 1."},
        {"seat_id": 80, "label": "D20", "status": "booked", "reason": "Booked in screening 1."},
    ]
    assert await olga.read("/screenings/1") == before
    told(await olga.ask("PUT", "/theaters/1/layout", house(21)), 200)
    changed = await patch(olga, "/screenings/1", LATER)
    assert changed["starts_at"] == LATER["starts_at"]
    seats = (await olga.read("/screenings/1/seats"))["seats"]
    assert (len(seats), seats[-1]["label"]) == (81, "D21")
    assert await olga.taken() == {"D19": "blocked", "D20": "booked"}
    refused(await olga.ask("PUT", "/theaters/1/layout", house(18)), 409, "layout-in-use", "seats")


async def test_a_screening_that_is_put_into_the_future_needs_a_price_for_what_the_house_has_now(
    olga: Visitor, ada: Visitor, database: Database
) -> None:
    hold = await ada.hold("D20")
    await begin(database)
    await time_passes(database, hold, 301)
    told(await olga.ask("PUT", "/theaters/1/layout", house(18, E="royal")), 200)

    problem = refused(await olga.ask("PATCH", "/screenings/1", LATER), 422, "validation", "errors")

    assert wrong(problem) == [("body.prices.royal", "price_missing")]
    await patch(olga, "/screenings/1", {**LATER, "prices": {"royal": euros(9900)}, "sales_open_at": None})
    assert "E1" in labels((await ada.hold("E1"))["seats"])
    late = await ada.post(f"/reservations/{hold['id']}/confirm")
    assert labels(refused(late, 409, "reservation-expired", "expired_at", "seats")["seats"]) == ["D20"]


async def test_every_category_needs_a_price_in_screenings_to_come(olga: Visitor) -> None:
    problem = refused(
        await olga.ask("PUT", "/theaters/1/layout", house(20, E="royal", F="box")), 422, "validation", "errors"
    )

    assert wrong(problem) == [("body.sections", "price_missing")] * 2
    assert '"royal"' in problem["errors"][0]["message"]
    assert '"box"' in problem["errors"][1]["message"]
    assert "The Tempest" in problem["detail"]
    await patch(olga, "/screenings/1", {"prices": {"royal": euros(9900), "box": euros(7900)}})
    told(await olga.ask("PUT", "/theaters/1/layout", house(20, E="royal", F="box")), 200)


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    ("seats", "where", "code"),
    [
        (0, "body.sections.0.rows.0.seats.count", "greater_than_equal"),
        ([], "body.sections.0.rows.0.seats.list", "too_short"),
        ([{"number": 1}, {"number": 1}], "body.sections.0.rows.0.seats.1.number", "number_twice"),
        ([{"number": 1, "x": 1e9}], "body.sections.0.rows.0.seats.list.0.x", "less_than_equal"),
        ([{"number": "1"}], "body.sections.0.rows.0.seats.list.0.number", "int_type"),
        ([{"number": 1, "price": 5}], "body.sections.0.rows.0.seats.list.0.price", "extra_forbidden"),
        (50_001, "body.sections.0.rows.0.seats.count", "less_than_equal"),
    ],
)
async def test_a_layout_that_is_none_is_refused(olga: Visitor, seats: Any, where: str, code: str) -> None:
    plan = {"sections": [{"name": "S", "category": "standard", "rows": [{"row": "A", "seats": seats}]}]}

    problem = refused(await olga.ask("PUT", "/theaters/1/layout", plan), 422, "validation", "errors")

    assert wrong(problem) == [(where, code)]
    assert len((await olga.read("/theaters/1/layout"))["seats"]) == 80


async def test_a_large_body_is_read_beside_the_event_loop(olga: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"row": f"R{row}", "seats": [{"number": number} for number in range(100)]} for row in range(50)]
    threads: list[threading.Thread] = []
    read = operations._arguments

    def noted(*given: Any) -> dict[str, Any]:
        threads.append(threading.current_thread())
        return read(*given)

    monkeypatch.setattr(operations, "_arguments", noted)
    wanted = {"name": "Large", "timezone": "UTC", "layout": {"sections": [{"name": "S", "rows": rows}]}}

    told(await olga.post("/theaters", wanted), 201)
    many = {f"member{number}": 0 for number in range(10_000)}
    problem = refused(await olga.post("/theaters", many), 422, "validation", "errors")

    # FastAPI's own routing reads bodies in its own way.
    assert bool(threads) is not resources_of(olga.client).settings.usher_plain
    assert threading.main_thread() not in threads
    assert [error["code"] for error in problem["errors"]] == ["json_too_large"]


async def test_the_largest_house_is_built_and_built_again(olga: Visitor) -> None:
    rows = [{"row": str(row), "seats": 500} for row in range(1, 101)]
    plan = {"sections": [{"name": "Arena", "rows": rows}]}
    theater = told(await olga.post("/theaters", {"name": "Arena", "timezone": "UTC", "layout": plan}), 201)
    assert theater["seat_count"] == 50_000

    rows[-1]["seats"] = 499
    layout = told(await olga.ask("PUT", f"/theaters/{theater['id']}/layout", plan), 200)

    assert len(layout["seats"]) == 49_999


# --- screenings ------------------------------------------------------------------------------------------------------


async def test_a_screening_needs_title_start_and_prices(olga: Visitor) -> None:
    answer = await olga.post("/theaters/1/screenings", {"title": "Matinee", **LATER, "prices": PRICES})

    screening = told(answer, 201)
    assert answer.headers["location"] == f"/api/v1/screenings/{screening['id']}"
    assert screening == {
        "id": screening["id"],
        "theater_id": 1,
        "title": "Matinee",
        **LATER,
        "sales_close_at": None,
        "cancel_until": None,
        "hold_seconds": 300,
        "max_hold_seconds": 900,
        "prices": PRICES,
        "limits": {
            "max_seats_per_reservation": 10,
            "max_seats_per_user": None,
            "max_active_reservations_per_user": None,
            "bookings_per_user_per_day": None,
        },
        "orphan_rule": "off",
        "reserved_places": "kept",
        "on_sale": False,
        "cancelled_at": None,
        "revision": 1,
        "version": 0,
    }
    assert await olga.read(answer.headers["location"]) == screening


async def test_a_screening_without_a_sales_window_is_on_sale_at_once(olga: Visitor, ada: Visitor) -> None:
    new = {"title": "Now", "starts_at": LATER["starts_at"], "prices": PRICES, "orphan_rule": "strict"}

    screening = told(await olga.post("/theaters/1/screenings", new), 201)

    assert (screening["on_sale"], screening["orphan_rule"]) == (True, "strict")
    held = await ada.hold("A1", screening=screening["id"])
    assert held["total"] == PRICES["premium"]


async def test_a_screening_of_a_rebuilt_house_knows_its_seats(olga: Visitor, ada: Visitor) -> None:
    told(await olga.ask("PUT", "/theaters/1/layout", house(21)), 200)
    new = {"title": "Now", "starts_at": LATER["starts_at"], "prices": PRICES}

    screening = told(await olga.post("/theaters/1/screenings", new), 201)

    assert labels((await ada.hold("D21", screening=screening["id"]))["seats"]) == ["D21"]


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    ("change", "flaws"),
    [
        ({"title": ""}, [("body.title", "string_too_short")]),
        ({"starts_at": "2030-06-01T13:00:00"}, [("body.starts_at", "moment_form")]),
        ({"starts_at": 1900000000}, [("body.starts_at", "moment_form")]),
        ({"prices": {}}, [(f"body.prices.{category}", "price_missing") for category in PRICES]),
        ({"prices": {"premium": euros(1), "economy": euros(1)}}, [("body.prices.standard", "price_missing")]),
        ({"prices": {**PRICES, "economy": euros(-1)}}, [("body.prices.economy.amount_minor", "greater_than_equal")]),
        ({"prices": {**PRICES, "economy": 9.5}}, [("body.prices.economy", "model_type")]),
        (
            {"prices": {**PRICES, "economy": {"amount_minor": 9.5, "currency": "EUR"}}},
            [("body.prices.economy.amount_minor", "int_type")],
        ),
        (
            {"prices": {**PRICES, "economy": {"amount_minor": True, "currency": "EUR"}}},
            [("body.prices.economy.amount_minor", "int_type")],
        ),
        (
            {"prices": {**PRICES, "economy": {"amount_minor": 900, "currency": "eur"}}},
            [("body.prices.economy.currency", "currency_unknown")],
        ),
        (
            {"prices": {**PRICES, "economy": {"amount_minor": 900, "currency": "XXQ"}}},
            [("body.prices.economy.currency", "currency_unknown")],
        ),
        (
            {"prices": {**PRICES, "economy": {"amount_minor": 900, "currency": "USD"}}},
            [("body.prices", "currencies_differ")],
        ),
        ({"sales_open_at": LATER["starts_at"]}, [("body.sales_open_at", "sales_never_open")]),
        ({"sales_close_at": "2030-04-01T08:00:00Z"}, [("body.sales_open_at", "sales_never_open")]),
        ({"hold_seconds": 0}, [("body.hold_seconds", "greater_than_equal")]),
        ({"hold_seconds": 86_401}, [("body.hold_seconds", "less_than_equal")]),
        ({"hold_seconds": 600, "max_hold_seconds": 599}, [("body.max_hold_seconds", "cap_below_hold")]),
        ({"max_hold_seconds": 60}, [("body.max_hold_seconds", "cap_below_hold")]),
        ({"limits": {"max_seats_per_user": 0}}, [("body.limits.max_seats_per_user", "greater_than_equal")]),
        ({"limits": {"max_seats_per_user": -1}}, [("body.limits.max_seats_per_user", "greater_than_equal")]),
        ({"limits": {"max_seats": 5}}, [("body.limits.max_seats", "extra_forbidden")]),
        ({"limits": None}, [("body.limits", "model_type")]),
        ({"orphan_rule": "yes"}, [("body.orphan_rule", "enum")]),
        ({"orphan_rule": 0}, [("body.orphan_rule", "enum")]),
        ({"orphan_rule": True}, [("body.orphan_rule", "enum")]),
        ({"orphan_rule": False}, [("body.orphan_rule", "enum")]),
        ({"reserved_places": "sold"}, [("body.reserved_places", "enum")]),
        ({"theater_id": 2}, [("body.theater_id", "extra_forbidden")]),
        ({"revision": 7}, [("body.revision", "extra_forbidden")]),
    ],
)
async def test_a_screening_that_makes_no_sense_is_refused(
    olga: Visitor, change: Json, flaws: list[tuple[str, str]]
) -> None:
    body = {"title": "Matinee", **LATER, "prices": PRICES, **change}

    problem = refused(await olga.post("/theaters/1/screenings", body), 422, "validation", "errors")

    assert wrong(problem) == flaws
    assert len((await olga.read("/theaters/1/screenings"))["items"]) == 1


async def test_an_edit_merges_prices_and_limits(olga: Visitor) -> None:
    before = await olga.read("/screenings/1")

    changed = await patch(
        olga, "/screenings/1", {"prices": {"premium": euros(5000)}, "limits": {"max_seats_per_user": 4}}
    )

    assert changed["prices"] == {**before["prices"], "premium": euros(5000)}
    assert changed["limits"] == {**before["limits"], "max_seats_per_user": 4}
    assert (changed["revision"], changed["version"]) == (2, 0)
    assert {**changed, "prices": 0, "limits": 0, "revision": 1} == {**before, "prices": 0, "limits": 0}


async def test_a_limit_of_null_is_none_whatever_is_usual(olga: Visitor, ada: Visitor) -> None:
    row = [f"A{number}" for number in range(1, 16)]
    refused(
        await ada.post("/screenings/1/reservations", {"seats": row}), 409, "limit-exceeded",
        "limit", "allowed", "current",
    )  # fmt: skip

    changed = await patch(olga, "/screenings/1", {"limits": {"max_seats_per_reservation": None}})

    assert changed["limits"]["max_seats_per_reservation"] is None
    assert len((await ada.hold(*row))["seats"]) == 15
    again = await patch(olga, "/screenings/1", {"title": "The Storm"})
    assert again["limits"]["max_seats_per_reservation"] is None


async def test_what_people_have_keeps_the_price_of_its_moment(olga: Visitor, ada: Visitor) -> None:
    held, booked = await ada.hold("A1"), await ada.book("A2")
    map_before = await olga.get("/screenings/1/seats")

    await patch(olga, "/screenings/1", {"prices": {"premium": euros(9900)}})

    assert (await ada.read(f"/reservations/{held['id']}"))["total"] == euros(4500)
    assert (await ada.read(f"/bookings/{booked['id']}"))["total"] == euros(4500)
    assert (await ada.hold("A3"))["total"] == euros(9900)
    after = await olga.get("/screenings/1/seats", if_none_match=map_before.headers["etag"])
    assert told(after, 200)["seats"][5]["price"] == euros(9900)


async def test_the_currency_stays_once_seats_were_taken(olga: Visitor, ada: Visitor) -> None:
    dollars = {"prices": {category: {**price, "currency": "USD"} for category, price in PRICES.items()}}
    assert (await patch(olga, "/screenings/2", {"prices": {"premium": euros(1)}}))["revision"] == 2
    await ada.hold("A1")

    problem = refused(await olga.ask("PATCH", "/screenings/1", dollars), 422, "validation", "errors")

    assert wrong(problem) == [("body.prices", "currency_in_use")]


async def test_the_currency_of_a_screening_that_nobody_wanted_may_change(olga: Visitor) -> None:
    dollars = {category: {**price, "currency": "USD"} for category, price in PRICES.items()}

    assert (await patch(olga, "/screenings/1", {"prices": dollars}))["prices"] == dollars


async def test_a_price_goes_when_no_seat_needs_it(olga: Visitor) -> None:
    await patch(olga, "/screenings/1", {"prices": {"royal": euros(9900)}})

    problem = refused(
        await olga.ask("PATCH", "/screenings/1", {"prices": {"premium": None}}), 422, "validation", "errors"
    )
    changed = await patch(olga, "/screenings/1", {"prices": {"royal": None}})

    assert wrong(problem) == [("body.prices.premium", "price_missing")]
    assert set(changed["prices"]) == {"premium", "standard", "economy"}


async def test_sales_can_be_stopped_and_hold_times_changed(olga: Visitor, ada: Visitor) -> None:
    await patch(olga, "/screenings/1", {"hold_seconds": 60, "max_hold_seconds": 60})
    assert (await ada.hold("A1"))["extensions_left"] == 0
    changed = await patch(olga, "/screenings/1", {"sales_close_at": "2026-01-01T00:00:00Z"})

    assert changed["on_sale"] is False
    closed = await ada.post("/screenings/1/reservations", {"seats": ["A2"]})
    refused(closed, 409, "sales-closed", "opens_at", "closes_at")
    usual = await patch(olga, "/screenings/1", {"sales_close_at": None, "hold_seconds": None, "max_hold_seconds": None})
    assert (usual["on_sale"], usual["hold_seconds"], usual["max_hold_seconds"]) == (True, 300, 900)


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    "body",
    [
        {"title": None},
        {"starts_at": None},
        {"prices": None},
        {"limits": None},
        {"orphan_rule": None},
        {"orphan_rule": True},
        {"orphan_rule": False},
        {"reserved_places": None},
        {"version": 5},
        {"cancelled_at": None},
        {"theater_id": 2},
        {"starts_at": "tomorrow"},
        {"sales_open_at": "2100-01-01T00:00:00Z"},
    ],
)
async def test_an_edit_that_makes_no_sense_changes_nothing(olga: Visitor, body: Json) -> None:
    before = await olga.read("/screenings/1")

    problem = refused(await olga.ask("PATCH", "/screenings/1", body), 422, "validation", "errors")

    assert [each["loc"][1] for each in problem["errors"]] == list(body)
    assert await olga.read("/screenings/1") == before


async def test_the_rules_about_single_seats_and_reserved_places_are_told_and_changed(olga: Visitor) -> None:
    said = await olga.read("/screenings/1")
    assert (said["orphan_rule"], said["reserved_places"]) == ("off", "kept")

    assert (await patch(olga, "/screenings/1", {"orphan_rule": "lenient"}))["orphan_rule"] == "lenient"
    changed = await patch(olga, "/screenings/1", {"reserved_places": "released"})
    assert (changed["orphan_rule"], changed["reserved_places"], changed["revision"]) == ("lenient", "released", 3)
    assert (await patch(olga, "/screenings/1", {"title": "The Storm"}))["orphan_rule"] == "lenient"


async def test_a_cancelled_screening_stays_readable_and_its_bookings_are_refunded(
    olga: Visitor, ada: Visitor, bob: Visitor
) -> None:
    held, booked = await ada.hold("A1"), await bob.book("A2")

    assert (await olga.delete("/screenings/1")).status_code == 204
    assert (await olga.delete("/screenings/1")).status_code == 204

    screening = await olga.read("/screenings/1")
    assert (screening["on_sale"], screening["revision"]) == (False, 2)
    assert screening["cancelled_at"] is not None
    assert (await ada.read(f"/reservations/{held['id']}"))["status"] == "released"
    assert (await bob.read(f"/bookings/{booked['id']}"))["status"] == "cancelled"
    assert await olga.taken() == {}
    refused(
        await ada.post("/screenings/1/reservations", {"seats": ["A3"]}), 409, "sales-closed", "opens_at", "closes_at"
    )


# --- If-Match --------------------------------------------------------------------------------------------------------

GUARDED = [
    ("PATCH", "/theaters/2", {"name": "Mine"}),
    ("PUT", "/theaters/2/layout", {"sections": [{"name": "S", "rows": [{"row": "A", "seats": 9}]}]}),
    ("PATCH", "/screenings/2", {"title": "Mine"}),
    ("DELETE", "/screenings/2", None),
]


@pytest.mark.parametrize(("method", "path", "body"), GUARDED)
async def test_an_edit_of_what_was_read_is_made(olga: Visitor, method: str, path: str, body: Json | None) -> None:
    etag = (await olga.get(path)).headers["etag"]

    answer = await olga.ask(method, path, body, if_match=etag)

    assert answer.status_code in (200, 204), answer.text


@pytest.mark.changes_nothing
@pytest.mark.parametrize(("method", "path", "body"), GUARDED)
@pytest.mark.parametrize("tag", ['"2"', '"2-0123abcd"', '"one"', '"01"', '"2", "3"', '""', '"0"', '"99999999999"'])
async def test_an_edit_of_something_else_is_refused(
    olga: Visitor, method: str, path: str, body: Json | None, tag: str
) -> None:
    before = await olga.read(path)

    problem = refused(await olga.ask(method, path, body, if_match=tag), 412, "precondition-failed")

    assert '"1"' in problem["detail"]
    assert await olga.read(path) == before


@pytest.mark.parametrize("tag", ['"1"', '"1-0123abcd"', 'W/"1-0123abcd"', "*", " * "])
async def test_a_tag_names_a_revision(olga: Visitor, tag: str) -> None:
    assert (await patch(olga, "/screenings/2", {"title": "Mine"}, if_match=tag))["revision"] == 2


async def test_the_answer_to_an_edit_guards_the_next_one(olga: Visitor) -> None:
    first = await olga.ask("PATCH", "/theaters/1", {"name": "One"}, if_match='"1"')
    second = await olga.ask("PATCH", "/theaters/1", {"name": "Two"}, if_match=first.headers["etag"])
    late = await olga.ask("PATCH", "/theaters/1", {"name": "Three"}, if_match=first.headers["etag"])

    assert (second.status_code, late.status_code) == (200, 412)
    assert (await olga.read("/theaters/1"))["name"] == "Two"


async def test_an_edit_that_changes_nothing_is_no_revision(olga: Visitor) -> None:
    for path in ("/theaters/1", "/screenings/1"):
        etag = (await olga.get(path)).headers["etag"]
        same = await olga.ask("PATCH", path, {})
        assert (same.status_code, same.headers["etag"]) == (200, etag)


async def test_a_theater_that_was_edited_is_not_taken_away(olga: Visitor, database: Database) -> None:
    await edit(database, "starts_at = now() - interval '1 day'", "theater_id = 1")
    await patch(olga, "/theaters/1", {"name": "One"})

    refused(await olga.ask("DELETE", "/theaters/1", if_match='"1"'), 412, "precondition-failed")
    assert (await olga.ask("DELETE", "/theaters/1", if_match='"2"')).status_code == 204


async def test_the_reason_of_a_block_is_shown_to_organizers(olga: Visitor, ada: Visitor) -> None:
    told(await olga.post("/screenings/1/blocks", {"seats": ["D19", "D20"], "reason": "a broken light"}), 200)
    told(await olga.post("/screenings/1/blocks", {"seats": ["A1"]}), 200)

    blocks = (await olga.read("/screenings/1/blocks"))["items"]

    assert [(block["label"], block["reason"]) for block in blocks] == [
        ("A1", None),
        ("D19", "a broken light"),
        ("D20", "a broken light"),
    ]
    refused(await ada.get("/screenings/1/blocks"), 403, "forbidden")


@pytest.mark.changes_nothing
@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory"])
async def test_a_zone_of_this_machine_is_none(olga: Visitor, zone: str) -> None:
    refused(await olga.post("/theaters", {"name": "Studio", "timezone": zone}), 422, "validation", "errors")


async def test_a_name_in_two_spellings_is_one_name(olga: Visitor, nobody: Visitor) -> None:
    layout = {"sections": [{"name": "Cafe\u0301", "rows": [{"row": "E\u0301", "seats": 2}]}]}
    theater = told(
        await olga.post("/theaters", {"name": "\u6771\u4eac\u3000\u4e00", "timezone": "UTC", "layout": layout}), 201
    )

    seats = (await nobody.read(f"/theaters/{theater['id']}/layout"))["seats"]

    assert [seat["label"] for seat in seats] == ["\u00c91", "\u00c92"]
    assert {seat["section"] for seat in seats} == {"Caf\u00e9"}


async def test_one_of_several_tags_is_enough(olga: Visitor) -> None:
    theirs = '"77", W/"1-0a", "nothing-of-ours"'

    assert (await patch(olga, "/screenings/2", {"title": "Mine"}, if_match=theirs))["revision"] == 2
    refused(await olga.ask("PATCH", "/screenings/2", {"title": "M"}, if_match=theirs), 412, "precondition-failed")


@pytest.mark.parametrize("tag", ["1", "'1'", '"1', '"1" "2"', "", '*, "1"'])
async def test_what_is_no_list_of_tags_is_told_so(olga: Visitor, tag: str) -> None:
    problem = refused(
        await olga.ask("PATCH", "/screenings/2", {"title": "Mine"}, if_match=tag), 422, "validation", "errors"
    )

    assert [error["loc"] for error in problem["errors"]] == [["header", "If-Match"]]


async def test_of_a_large_body_the_one_seat_that_is_wrong_is_named(olga: Visitor) -> None:
    """It is checked in a thread, with the same answers."""
    seats: list[Json] = [{"number": number, "label": f"Seat {number} of the long row"} for number in range(1, 8_001)]
    seats[5_000]["number"] = "x"
    layout = {"sections": [{"name": "S", "rows": [{"row": "A", "seats": seats}]}]}
    theater = {"name": "A hall", "timezone": "UTC", "layout": layout}
    assert len(str(theater)) > 256 * 1024

    problem = refused(await olga.post("/theaters", theater), 422, "validation", "errors")
    seats[5_000]["number"] = 5_001
    opened = told(await olga.post("/theaters", theater), 201)

    assert [place for place, _ in wrong(problem)] == ["body.layout.sections.0.rows.0.seats.list.5000.number"]
    assert opened["seat_count"] == 8_000
