"""What organizers read about the sale of a screening: its report, and tables for spreadsheets."""

import csv
from io import StringIO
from threading import get_ident
from typing import Any

import pytest
from httpx import AsyncClient

from app.db.house import reports as db
from app.domain.people.people import Role
from app.services.house import reports
from app.services.running import beside
from tests.order import Connection
from tests.organizers import token_of
from tests.routers.visitors import Visitor, guest, refused, told

SCREENING = 1


@pytest.fixture
async def olga(client: AsyncClient, database: Connection) -> Visitor:
    return Visitor(client, await token_of(database, Role.ORGANIZER))


async def lines_of(visitor: Visitor, path: str) -> list[dict[str, str]]:
    """The lines of a table."""
    answer = await visitor.client.get(path, headers={"authorization": f"Bearer {visitor.token}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(StringIO(answer.content.decode("utf-8-sig"))))


async def a_sale(client: AsyncClient, olga: Visitor) -> tuple[Any, Any]:
    """Two bookings, one of which lost a seat; a hold; a block."""
    ada, bob = await guest(client, "ada@example.org"), await guest(client, "bob@example.org")
    first = await ada.book("A1", "A2", screening=SCREENING)
    second = await bob.book("B1", screening=SCREENING)
    told(await ada.delete(f"/bookings/{first['id']}/seats/{first['seats'][0]['seat_id']}"), 200)
    await bob.hold("B2", screening=SCREENING)
    told(await olga.post(f"/screenings/{SCREENING}/blocks", {"seats": ["D20"]}), 200)
    return first, second


async def test_the_report_adds_up_to_the_cent(client: AsyncClient, olga: Visitor) -> None:
    first, second = await a_sale(client, olga)
    prices = {seat["label"]: seat["price"]["amount_minor"] for seat in [*first["seats"], *second["seats"]]}

    report = await olga.read(f"/screenings/{SCREENING}/report")

    assert report["counts"] == {"available": 76, "reserved": 1, "booked": 2, "blocked": 1}
    assert report["revenue"] == {"amount_minor": sum(prices.values()), "currency": "EUR"}
    net = prices["A2"] + prices["B1"]
    for parts in (report["by_section"], report["by_category"], report["by_day"]):
        assert sum(part["revenue"]["amount_minor"] for part in parts) == net
        assert sum(part["sold"] for part in parts) == 2
    for parts in (report["by_section"], report["by_category"]):
        assert sum(part["sold"] + part["held"] + part["blocked"] + part["available"] for part in parts) == 80
    by_section = {part["name"]: part for part in report["by_section"]}
    assert {name: by_section["B"][name] for name in ("sold", "held", "blocked", "available")} == {
        "sold": 1,
        "held": 1,
        "blocked": 0,
        "available": 18,
    }
    [day] = report["by_day"]
    assert (day["held"], day["blocked"], day["available"]) == (None, None, None)
    counts = (await olga.read(f"/screenings/{SCREENING}/seats"))["counts"]
    assert report["counts"] == counts


async def test_what_has_gone_back_is_told_when_it_has(client: AsyncClient, olga: Visitor, database: Connection) -> None:
    first, _ = await a_sale(client, olga)
    gone = next(seat["price"]["amount_minor"] for seat in first["seats"] if seat["label"] == "A1")
    entries = "SELECT coalesce(sum(amount_minor), 0) FROM payment_entries WHERE screening_id = $1 AND kind = $2"

    report = await olga.read(f"/screenings/{SCREENING}/report")

    assert report["refunded"]["amount_minor"] == await database.fetchval(entries, SCREENING, "refund") in (0, gone)
    assert report["revenue"]["amount_minor"] == await database.fetchval(entries, SCREENING, "capture")


async def test_the_report_is_a_table_too(client: AsyncClient, olga: Visitor) -> None:
    await a_sale(client, olga)
    report = await olga.read(f"/screenings/{SCREENING}/report")

    total, *parts = await lines_of(olga, f"/screenings/{SCREENING}/report.csv")

    assert (total["part"], total["sold"], total["held"], total["available"]) == ("total", "2", "1", "76")
    assert total["taken_minor"] == str(report["revenue"]["amount_minor"])
    assert total["currency"] == "EUR"
    assert [(part["part"], part["name"], part["revenue_minor"]) for part in parts] == [
        (kind, part[name], str(part["revenue"]["amount_minor"]))
        for kind, name in (("section", "name"), ("category", "name"), ("day", "day"))
        for part in report[f"by_{kind}"]
    ]


async def test_the_bookings_are_a_table(client: AsyncClient, olga: Visitor) -> None:
    first, second = await a_sale(client, olga)

    lines = await lines_of(olga, f"/screenings/{SCREENING}/bookings.csv")

    assert [(line["booking_id"], line["seat"], line["status"]) for line in lines] == [
        (first["id"], "A1", "cancelled"),
        (first["id"], "A2", "confirmed"),
        (second["id"], "B1", "confirmed"),
    ]
    assert [bool(line["cancelled_at"]) for line in lines] == [True, False, False]
    assert {line["section"] for line in lines} == {"A", "B"}
    assert all(int(line["price_minor"]) > 0 and line["currency"] == "EUR" for line in lines)


async def test_a_screening_without_a_sale_has_a_report_too(olga: Visitor) -> None:
    report = await olga.read("/screenings/3/report")

    assert report["by_day"] == []
    assert report["revenue"]["amount_minor"] == report["refunded"]["amount_minor"] == 0
    assert await lines_of(olga, "/screenings/3/bookings.csv") == []


async def test_what_is_read_in_portions_and_made_beside_the_loop_is_the_same(
    client: AsyncClient, olga: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_sale(client, olga)
    report = await olga.read(f"/screenings/{SCREENING}/report")
    lines = await lines_of(olga, f"/screenings/{SCREENING}/bookings.csv")
    made_in: list[int] = []

    def made(*given: Any) -> Any:
        made_in.append(get_ident())
        return as_usual(*given)

    as_usual = reports.report
    monkeypatch.setattr(reports, "report", made)
    monkeypatch.setattr(db, "_IN_PORTIONS", {"yield_per": 2})
    monkeypatch.setattr(beside, "AT_ONCE", 1)

    assert await olga.read(f"/screenings/{SCREENING}/report") == report
    assert await lines_of(olga, f"/screenings/{SCREENING}/bookings.csv") == lines
    assert made_in
    assert get_ident() not in made_in


async def test_reports_are_for_organizers(client: AsyncClient, olga: Visitor) -> None:
    ada = await guest(client, "ada@example.org")

    for path in ("report", "report.csv", "bookings.csv"):
        refused(await ada.get(f"/screenings/1/{path}"), 403, "forbidden")
        refused(await Visitor(client).get(f"/screenings/1/{path}"), 401, "unauthenticated")
        refused(await olga.get(f"/screenings/999/{path}"), 404, "not-found")


# --- why bookings were cancelled -------------------------------------------------------------------------------------


async def test_organizers_read_why_a_booking_was_cancelled(client: AsyncClient, olga: Visitor) -> None:
    ada = await guest(client, "ada@example.org")
    booking, other = await ada.book("A1"), await ada.book("A2")
    told(await ada.delete(f"/bookings/{booking['id']}?reason=%3D1%2B1%20ill"), 200)
    told(await ada.delete(f"/bookings/{booking['id']}?reason=again"), 200)
    told(await olga.delete(f"/bookings/{other['id']}"), 200)

    theirs = await olga.read(f"/bookings/{booking['id']}")
    hers = await ada.read(f"/bookings/{booking['id']}")
    listed = {each["id"]: each for each in (await olga.read("/bookings"))["items"]}

    assert theirs == hers | {"cancel_reason": "=1+1 ill"}
    assert listed[booking["id"]] == theirs
    assert "cancel_reason" not in listed[other["id"]]
    assert all("cancel_reason" not in each for each in (await ada.read("/bookings"))["items"])
    lines = {line["seat"]: line["cancel_reason"] for line in await lines_of(olga, "/screenings/1/bookings.csv")}
    assert lines == {"A1": "'=1+1 ill", "A2": ""}


async def test_a_reason_goes_with_the_account_of_whoever_had_it(client: AsyncClient, olga: Visitor) -> None:
    ada = await guest(client, "ada@example.org")
    booking = await ada.book("A1")
    told(await ada.delete(f"/bookings/{booking['id']}?reason=ill"), 200)

    assert (await ada.ask("DELETE", "/me", {})).status_code == 204

    assert "cancel_reason" not in await olga.read(f"/bookings/{booking['id']}")


@pytest.mark.parametrize("reason", ["", "%20", "x" * 201, "two%0Alines", "nul%00"])
async def test_what_is_no_reason_is_refused(client: AsyncClient, reason: str) -> None:
    ada = await guest(client, "ada@example.org")
    booking = await ada.book("A1")

    refused(await ada.delete(f"/bookings/{booking['id']}?reason={reason}"), 422, "validation", "errors")

    assert await ada.taken() == {"A1": "booked"}
