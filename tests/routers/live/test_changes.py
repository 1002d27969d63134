"""What changed since a version: for whoever read the map and wants only the difference."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from httpx import AsyncClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.seat_maps import seat_events
from app.db.seat_maps.seat_events import Changes
from tests.conftest import resources_of
from tests.routers.visitors import BASES, MOMENT, Database, Json, Visitor, labels, refused, time_passes

CHANGES = "/screenings/1/changes"


def without_ends(updates: list[Json]) -> list[tuple[str, str, bool, int | None]]:
    """What changes say, but for when holds end."""
    return [(each["label"], each["status"], each["is_mine"], each["previously_reserved_by"]) for each in updates]


async def test_before_anything_happened_there_is_nothing(nobody: Visitor) -> None:
    for base in BASES:
        assert await nobody.read(base + CHANGES) == {"version": 0, "updates": []}


async def test_everything_after_a_version_is_told(ada: Visitor, nobody: Visitor) -> None:
    await ada.hold("A1", "A2")
    await ada.book("A2")

    whole = await nobody.read(CHANGES)
    since_the_first = await nobody.read(f"{CHANGES}?since=1")

    assert whole["version"] == since_the_first["version"] == 2
    assert without_ends(whole["updates"]) == [("A1", "reserved", False, None), ("A2", "booked", False, None)]
    assert labels(since_the_first["updates"]) == ["A2"]
    assert all(
        list(each) == ["seat_id", "label", "status", "is_mine", "expires_at", "previously_reserved_by"]
        for each in whole["updates"]
    )
    assert MOMENT.fullmatch(whole["updates"][0]["expires_at"])
    assert whole["updates"][1]["expires_at"] is None


async def test_at_the_present_and_beyond_it_there_is_nothing(ada: Visitor) -> None:
    await ada.hold("A1")

    for since in (1, 2, 2**63 - 1):
        assert await ada.read(f"{CHANGES}?since={since}") == {"version": 1, "updates": []}


async def test_changes_are_told_from_the_callers_side(ada: Visitor, bob: Visitor, nobody: Visitor) -> None:
    held = await ada.hold("A1", "A2")
    await ada.delete(f"/reservations/{held['id']}/seats/2")
    her_id = held["user_id"]

    hers, his, everybodys = [(await who.read(CHANGES))["updates"] for who in (ada, bob, nobody)]

    assert without_ends(hers) == [("A1", "reserved_by_me", True, None), ("A2", "available", False, her_id)]
    assert without_ends(his) == [("A1", "reserved", False, None), ("A2", "available", False, None)]
    assert everybodys == his


async def test_a_hold_that_ran_out_reads_available_and_was_mine(ada: Visitor, bob: Visitor, database: Database) -> None:
    held = await ada.hold("A1")
    await time_passes(database, held, 301)

    assert without_ends((await ada.read(CHANGES))["updates"]) == [("A1", "available", False, held["user_id"])]
    assert without_ends((await bob.read(CHANGES))["updates"]) == [("A1", "available", False, None)]


async def test_a_booking_of_my_own_hold_took_nothing_from_me(ada: Visitor) -> None:
    await ada.confirm(await ada.hold("A1"))

    assert without_ends((await ada.read(CHANGES))["updates"]) == [("A1", "booked", True, None)]


async def test_extending_counts_as_a_change(ada: Visitor) -> None:
    held = await ada.hold("A1")

    await ada.post(f"/reservations/{held['id']}/extend")

    changes = await ada.read(f"{CHANGES}?since=1")
    assert (changes["version"], labels(changes["updates"])) == (2, ["A1"])


async def test_too_old_a_version_is_gone(ada: Visitor, database: Database) -> None:
    for label in ("A1", "A2", "A3"):
        await ada.hold(label)
    await database.execute("DELETE FROM seat_events WHERE version < 3")

    for since in (0, 1):
        assert refused(await ada.get(f"{CHANGES}?since={since}"), 410, "changes-gone", "oldest")["oldest"] == 2
    assert labels((await ada.read(f"{CHANGES}?since=2"))["updates"]) == ["A3"]


async def test_when_no_event_is_kept_only_the_present_can_be_asked(ada: Visitor, database: Database) -> None:
    await ada.hold("A1")
    await database.execute("DELETE FROM seat_events")

    assert refused(await ada.get(CHANGES), 410, "changes-gone", "oldest")["oldest"] == 1
    assert await ada.read(f"{CHANGES}?since=1") == {"version": 1, "updates": []}


async def test_more_than_the_map_costs_is_gone(ada: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seat_events, "MOST_AT_ONCE", 3)
    for wanted in (("A1",), ("A2", "A3"), ("A4",)):
        await ada.hold(*wanted)

    assert refused(await ada.get(CHANGES), 410, "changes-gone", "oldest")["oldest"] == 1
    assert labels((await ada.read(f"{CHANGES}?since=1"))["updates"]) == ["A2", "A3", "A4"]

    await ada.hold("A5")

    for since in (0, 1):
        assert refused(await ada.get(f"{CHANGES}?since={since}"), 410, "changes-gone", "oldest")["oldest"] == 2
    assert labels((await ada.read(f"{CHANGES}?since=2"))["updates"]) == ["A4", "A5"]
    assert await ada.read(f"{CHANGES}?since=4") == {"version": 4, "updates": []}


async def test_one_change_of_more_seats_than_that_leaves_only_the_present(
    ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seat_events, "MOST_AT_ONCE", 3)
    await ada.hold("A1", "A2", "A3", "A4")

    assert refused(await ada.get(CHANGES), 410, "changes-gone", "oldest")["oldest"] == 1
    assert await ada.read(f"{CHANGES}?since=1") == {"version": 1, "updates": []}


async def test_a_seat_that_changed_often_is_told_once(ada: Visitor) -> None:
    for _ in range(3):
        await ada.toggle("A1")
        await ada.toggle("A2")

    changes = await ada.read(CHANGES)

    assert (changes["version"], labels(changes["updates"])) == (6, ["A1", "A2"])


async def test_readers_at_the_same_time_share_the_query(
    client: AsyncClient, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = await ada.hold("A1")
    asked: list[int] = []
    read = seat_events.since

    async def counted(connection: AsyncConnection, screening_id: int, version: int) -> Changes | None:
        asked.append(version)
        return await read(connection, screening_id, version)

    monkeypatch.setattr(seat_events, "since", counted)
    feed = resources_of(client).changes

    bodies = await asyncio.gather(*(feed.since(1, 0, who) for who in (None, held["user_id"]) for _ in range(5)))

    assert asked == [0, 0], "one for who came first, one for all the others"
    statuses = [json.loads(body)["updates"][0]["status"] for body in bodies]
    assert statuses == ["reserved"] * 5 + ["reserved_by_me"] * 5


@pytest.mark.parametrize("question", ["_SINCE", "_LOST"])
async def test_however_long_the_history_few_of_its_events_are_looked_at(
    ada: Visitor, database: Database, demo_engine: AsyncEngine, question: str
) -> None:
    user_id = (await ada.hold("A1"))["user_id"]
    await database.execute("""
        INSERT INTO seat_events (screening_id, version, seat_id, at, from_status, to_status, cause)
        SELECT 1, v, 1 + v % 80, now(), 'reserved', 'available', 'api' FROM generate_series(2, 20000) v
    """)
    await database.execute("ANALYZE seat_events")
    explained = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {getattr(seat_events, question).text}")
    given = {"screening_id": 1, "since": 0, "user_id": user_id, "at_most": 10}
    known = {name: given[name] for name in explained.compile().params}

    async with demo_engine.connect() as connection:
        [plan] = (await connection.execute(explained, known)).scalar_one()

    scans = [node for node in nodes(plan["Plan"]) if node.get("Relation Name") == "seat_events"]
    assert scans
    assert sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans) <= 12


def nodes(plan: Json) -> Iterator[Json]:
    """A node of a plan, and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def test_who_has_them_already_gets_no_body(ada: Visitor) -> None:
    await ada.hold("A1")
    etag = (await ada.get(CHANGES)).headers["etag"]

    again = await ada.get(CHANGES, if_none_match=etag)
    await ada.hold("A2")
    later = await ada.get(CHANGES, if_none_match=etag)

    assert (again.status_code, again.content, later.status_code) == (304, b"", 200)


async def test_what_makes_no_sense_is_refused(ada: Visitor) -> None:
    for since in ("x", "-1", "1.0", "1_0", "", str(2**63)):
        refused(await ada.get(f"{CHANGES}?since={since}"), 422, "validation", "errors")
    refused(await ada.get("/screenings/99/changes"), 404, "not-found")
    refused(await Visitor(ada.client, "no.token.this").get(CHANGES), 401, "unauthenticated")
