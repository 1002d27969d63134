"""The map of a screening in its three forms: for everybody, as I see it, and in short; and which screening is meant."""

from typing import Any

import pytest

from tests.conftest import OpenApp
from tests.order import edit
from tests.routers.visitors import (
    BASES,
    MOMENT,
    Database,
    Json,
    Visitor,
    guest,
    labels,
    refused,
    time_passes,
)

MAPS = ["/screenings/1/seats", "/screenings/1/availability", "/theaters/1/seats"]


def seat(found: Json, label: str) -> Json:
    """One seat of a map."""
    [one] = [each for each in found["seats"] if each["label"] == label]
    return dict(one)


async def some_of_each(ada: Visitor, bob: Visitor, database: Database) -> None:
    """Ada holds A1 and booked A2, Bob holds B1, and C1 is off sale."""
    await ada.hold("A1")
    await ada.book("A2")
    await database.execute("INSERT INTO seat_claims (screening_id, seat_id, status) VALUES (1, 41, 'blocked')")
    await bob.hold("B1")


# --- for everybody ---------------------------------------------------------------------------------------------------


async def test_the_map_has_every_seat_with_what_it_costs_and_what_it_is(
    ada: Visitor, bob: Visitor, nobody: Visitor, database: Database
) -> None:
    await some_of_each(ada, bob, database)

    found = await nobody.read("/screenings/1/seats")

    assert list(found) == ["screening_id", "version", "counts", "seats"]
    assert (found["screening_id"], found["version"]) == (1, 3)
    assert found["counts"] == {"available": 76, "reserved": 2, "booked": 1, "blocked": 1}
    assert len(found["seats"]) == 80
    assert all(
        list(each)
        == [
            *("seat_id", "label", "section", "row", "number", "category"),
            *("accessible", "companion", "price", "status", "is_mine", "expires_at"),
        ]
        for each in found["seats"]
    )
    assert seat(found, "B2") == {
        "seat_id": 22,
        "label": "B2",
        "section": "B",
        "row": "B",
        "number": 2,
        "category": "standard",
        "accessible": False,
        "companion": False,
        "price": {"amount_minor": 2500, "currency": "EUR"},
        "status": "available",
        "is_mine": False,
        "expires_at": None,
    }
    held, booked, blocked = seat(found, "A1"), seat(found, "A2"), seat(found, "C1")
    assert (held["status"], bool(MOMENT.fullmatch(held["expires_at"]))) == ("reserved", True)
    assert (booked["status"], booked["expires_at"]) == ("booked", None)
    assert (blocked["status"], blocked["expires_at"]) == ("blocked", None)


async def test_the_map_is_the_same_for_everybody_under_every_base_path(
    ada: Visitor, bob: Visitor, nobody: Visitor
) -> None:
    await ada.hold("A1")

    for path in MAPS:
        told = {(await who.get(base + path)).content for who in (ada, bob, nobody) for base in BASES}
        assert len(told) == 1
        assert b"user" not in told.pop()


async def test_counts_are_those_of_the_whole_house_under_any_filter(
    ada: Visitor, bob: Visitor, nobody: Visitor, database: Database
) -> None:
    await some_of_each(ada, bob, database)
    whole = await nobody.read("/screenings/1/seats")
    filters: dict[str, list[str]] = {
        "status=reserved": ["A1", "B1"],
        "status=booked": ["A2"],
        "status=blocked": ["C1"],
        "status=reserved_by_me": [],
        "status=reserved&section=B": ["B1"],
        "status=blocked&section=B": [],
    }

    for query, found in filters.items():
        for path in ("/screenings/1/seats", "/theaters/1/seats"):
            part = await nobody.read(f"{path}?{query}")
            assert (labels(part["seats"]), part["counts"]) == (found, whole["counts"])
    assert len((await nobody.read("/screenings/1/seats?status=available"))["seats"]) == 76
    assert labels((await nobody.read("/screenings/1/seats?section=C"))["seats"]) == [f"C{n}" for n in range(1, 21)]


async def test_the_map_in_short_lists_what_is_taken(
    ada: Visitor, bob: Visitor, nobody: Visitor, database: Database
) -> None:
    await some_of_each(ada, bob, database)

    found = await nobody.read("/screenings/1/availability")

    assert list(found) == ["screening_id", "version", "counts", "sections", "accessible", "companion", "taken"]
    assert found["counts"] == {"available": 76, "reserved": 2, "booked": 1, "blocked": 1}
    assert found["sections"] == [
        {"name": "A", "available": 18, "largest_block": 18},
        {"name": "B", "available": 19, "largest_block": 19},
        {"name": "C", "available": 19, "largest_block": 19},
        {"name": "D", "available": 20, "largest_block": 20},
    ]
    taken: dict[int, list[Any]] = {each[0]: each[1:] for each in found["taken"]}
    assert {seat_id: status for seat_id, (status, _) in taken.items()} == {
        1: "reserved",
        2: "booked",
        41: "blocked",
        21: "reserved",
    }
    assert taken[2][1] is taken[41][1] is None
    assert MOMENT.fullmatch(taken[1][1])


# --- as I see it -----------------------------------------------------------------------------------------------------


async def test_my_own_view_tells_what_is_mine(ada: Visitor, bob: Visitor, database: Database) -> None:
    await some_of_each(ada, bob, database)

    hers = await ada.read("/screenings/1/seats/me")

    assert list(hers) == ["screening_id", "version", "counts", "seats"]
    assert [
        (seat(hers, label)["status"], seat(hers, label)["is_mine"]) for label in ("A1", "A2", "B1", "C1", "D1")
    ] == [
        ("reserved_by_me", True),
        ("booked", True),
        ("reserved", False),
        ("blocked", False),
        ("available", False),
    ]
    assert hers["counts"] == {"available": 76, "reserved": 2, "booked": 1, "blocked": 1}
    assert labels((await ada.read("/screenings/1/seats/me?status=reserved_by_me"))["seats"]) == ["A1"]
    assert labels((await ada.read("/screenings/1/seats/me?status=reserved"))["seats"]) == ["B1"]
    assert labels((await bob.read("/screenings/1/seats/me?status=reserved_by_me"))["seats"]) == ["B1"]


async def test_my_own_view_needs_a_token_whatever_the_id(nobody: Visitor) -> None:
    for screening_id in ("1", "99", "x"):
        refused(await nobody.get(f"/screenings/{screening_id}/seats/me"), 401, "unauthenticated")


# --- never older than what was acknowledged --------------------------------------------------------------------------


async def test_every_map_knows_every_change_at_once(ada: Visitor, nobody: Visitor) -> None:
    async def status_of_a1() -> set[str]:
        maps = [await nobody.read("/screenings/1/seats"), await nobody.read("/theaters/1/seats")]
        short = await nobody.read("/screenings/1/availability")
        in_short = {seat_id: status for seat_id, status, _ in short["taken"]}.get(1, "available")
        return {in_short, *(seat(each, "A1")["status"] for each in maps)}

    assert await status_of_a1() == {"available"}
    held = await ada.hold("A1")
    assert await status_of_a1() == {"reserved"}
    booking = await ada.confirm(held)
    assert await status_of_a1() == {"booked"}
    await ada.delete(f"/bookings/{booking['id']}")
    assert await status_of_a1() == {"available"}


async def test_a_hold_that_ran_out_reads_available_though_nobody_swept(
    ada: Visitor, nobody: Visitor, database: Database
) -> None:
    held = await ada.hold("A1", "A2")
    await time_passes(database, held, 301)

    assert await nobody.taken() == {}
    assert (await nobody.read("/screenings/1/availability"))["taken"] == []
    assert (await nobody.read("/screenings/1/seats"))["counts"]["available"] == 80
    hers = await ada.read("/screenings/1/seats/me")
    assert (seat(hers, "A1")["status"], seat(hers, "A1")["is_mine"]) == ("available", False)
    assert await nobody.version() == 1


async def test_a_304_never_hides_a_seat_that_time_has_freed(open_app: OpenApp, database: Database) -> None:
    ada = await guest(await open_app(reservation_timeout=6), "ada@example.org")
    await ada.hold("A1")
    tags = {path: (await ada.get(path)).headers["etag"] for path in MAPS}
    assert await ada.taken() == {"A1": "reserved"}

    # The maps that were just made are kept until PostgreSQL's clock says that the hold is over.
    await database.execute("SELECT pg_sleep_until(max(expires_at)) FROM seat_claims")

    for path, etag in tags.items():
        assert (await ada.get(path, if_none_match=etag)).status_code == 200
    assert await ada.taken() == {}


# --- asking again ----------------------------------------------------------------------------------------------------


async def test_who_has_the_map_already_gets_no_body(ada: Visitor) -> None:
    paths = [*MAPS, "/screenings/1/seats/me", "/screenings/1/seats?status=booked", "/theaters/1/seats?screening_id=1"]

    for path in paths:
        etag = (await ada.get(path)).headers["etag"]
        for sent in (etag, f'"other", W/{etag}', "*"):
            again = await ada.get(path, if_none_match=sent)
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert (await ada.get(path, if_none_match='"other"')).status_code == 200


async def test_the_tag_moves_with_every_change_of_seats_and_prices(ada: Visitor, database: Database) -> None:
    for path in [*MAPS, "/screenings/1/seats/me"]:
        tags = [(await ada.get(path)).headers["etag"]]
        held = await ada.hold("A1")
        tags.append((await ada.get(path)).headers["etag"])
        await ada.post(f"/reservations/{held['id']}/extend")
        tags.append((await ada.get(path)).headers["etag"])
        await ada.delete(f"/reservations/{held['id']}")
        tags.append((await ada.get(path)).headers["etag"])
        assert len(set(tags)) == 4, path


async def test_everybodys_own_view_has_its_own_tag(ada: Visitor, bob: Visitor) -> None:
    tags = {
        (await who.get(path)).headers["etag"]
        for who in (ada, bob)
        for path in ("/screenings/1/seats/me", "/screenings/1/seats")
    }

    assert len(tags) == 3


async def test_the_tag_says_which_screening_it_is_of(nobody: Visitor, database: Database) -> None:
    first = await nobody.get("/theaters/2/seats")
    await edit(database, "sales_close_at = now()", "id = 2")

    second = await nobody.get("/theaters/2/seats", if_none_match=first.headers["etag"])

    assert (first.json()["screening_id"], first.json()["version"]) == (2, 0)
    assert second.status_code == 200
    assert (second.json()["screening_id"], second.json()["version"]) == (3, 0)


# --- by theater ------------------------------------------------------------------------------------------------------


async def test_a_read_by_theater_shows_the_next_screening_or_the_one_that_is_named(nobody: Visitor) -> None:
    assert (await nobody.read("/theaters/2/seats"))["screening_id"] == 2
    assert (await nobody.read("/theaters/2/seats?screening_id=3"))["screening_id"] == 3
    refused(await nobody.get("/theaters/2/seats?screening_id=1"), 404, "not-found")
    refused(await nobody.get("/theaters/99/seats"), 404, "not-found")


async def test_what_is_not_there_or_makes_no_sense_is_refused(ada: Visitor) -> None:
    for path in ("/screenings/99/seats", "/screenings/99/seats/me", "/screenings/99/availability"):
        refused(await ada.get(path), 404, "not-found")
    for path in (
        "/screenings/x/seats",
        "/screenings/1.0/availability",
        "/screenings/1/seats?status=free",
        "/screenings/1/seats/me?status=",
        "/theaters/1/seats?screening_id=0",
        f"/screenings/1/seats?section={'x' * 65}",
    ):
        refused(await ada.get(path), 422, "validation", "errors")


async def test_a_hall_of_1222_seats_is_never_cut_into_pages(nobody: Visitor) -> None:
    whole = await nobody.get("/screenings/4/seats")

    refused(await nobody.get("/screenings/4/seats?limit=5"), 422, "validation", "errors")
    assert len(whole.json()["seats"]) == 1222
    assert sum(whole.json()["counts"].values()) == 1222
    assert "link" not in whole.headers
    assert sum(each["available"] for each in (await nobody.read("/screenings/4/availability"))["sections"]) == 1222


@pytest.mark.changes_nothing
@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/screenings?date=2026-12-01", "cursor, from, limit, theater_id, to"),
        ("/screenings/1/seats?sections=A", "section, status"),
        ("/screenings/1/availability?section=A", None),
        ("/theaters?page=2", "cursor, limit"),
    ],
)
async def test_a_parameter_that_does_not_exist_is_refused_and_those_that_do_are_named(
    nobody: Visitor, path: str, known: str | None
) -> None:
    answer = await nobody.get(path)

    problem = refused(answer, 422, "validation", "errors")
    assert problem["errors"][0]["code"] == "parameter_unknown"
    assert (known or "takes none") in problem["detail"]


@pytest.mark.changes_nothing
@pytest.mark.parametrize("path", ["/seats?theater_id=1&x=1", "/docs?v=2", "/health?now=1", "/openapi.json?x"])
async def test_existing_clients_and_pages_may_send_what_nobody_reads(nobody: Visitor, path: str) -> None:
    assert (await nobody.get(path)).status_code == 200


@pytest.mark.changes_nothing
@pytest.mark.parametrize("path", ["/screenings/1/seats", "/screenings/1/seats/me", "/theaters/1/seats"])
async def test_a_section_that_does_not_exist_is_refused(ada: Visitor, path: str) -> None:
    problem = refused(await ada.get(f"{path}?section=null"), 422, "validation", "errors")

    assert (problem["errors"][0]["loc"], problem["errors"][0]["code"]) == (["query", "section"], "section_unknown")
    assert "Stalls" in problem["detail"] or "Its sections are" in problem["detail"]
