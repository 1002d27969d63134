"""Finding seats over HTTP, against looking at every choice, in small houses of any shape."""

from random import Random
from typing import Any

import pytest

from app.domain.seats import Layout, Point, Seat
from tests.domain.seat_finding.by_hand import ByHand
from tests.organizers import token_of
from tests.routers.visitors import Database, Json, Visitor, told

HOUSES = range(12)


def drawn(chance: Random) -> Json:
    """A house of a few rows with gaps, aisles, two categories and reserved places."""
    sections = []
    for section in ("S", "T")[: chance.randint(1, 2)]:
        rows = []
        for row in "AB"[: chance.randint(1, 2)]:
            xs = sorted(chance.sample(range(9), chance.randint(1, 6)))
            y = "AB".index(row) * 1.5 + (section == "T") * 6
            rows.append({"row": row, "seats": [seat(number, x, y, chance) for number, x in enumerate(xs, start=1)]})
        sections.append({"name": section, "rows": rows})
    point = {"x": chance.randint(0, 8), "y": chance.randint(-2, 6)}
    return {"sections": sections, **({"focal_point": point} if chance.random() < 0.5 else {})}


def seat(number: int, x: int, y: float, chance: Random) -> Json:
    flags = chance.randint(0, 11)
    return {
        "number": number,
        "x": x,
        "y": y,
        "category": chance.choice(("gold", "silver", "silver")),
        "accessible": flags == 0,
        "companion": flags in (1, 2),
        "aisle_after": flags == 3,
    }


class Opened:
    """A house that is on sale, some of its seats taken, and the same to be looked at by hand."""

    def __init__(self, screening_id: int, layout: Json, taken: set[int], released: bool) -> None:
        self.path = f"/screenings/{screening_id}"
        seats = tuple(Seat(**{name: each[name] for name in Seat.__dataclass_fields__}) for each in layout["seats"])
        focal_point = Point(**layout["focal_point"])
        self.layout = Layout(1, 1, seats, focal_point=focal_point)
        free = (at for at, each in enumerate(seats) if each.id not in taken)
        self.by_hand = ByHand(self.layout, free, released)

    def labels(self, places: Any) -> list[str]:
        return sorted(self.layout.seats[at].label for at in places)


async def opened(olga: Visitor, chance: Random, rule: str) -> Opened:
    theater = {"name": "A house", "timezone": "UTC", "layout": drawn(chance)}
    theater_id = told(await olga.post("/theaters", theater), 201)["id"]
    price = {"amount_minor": 100, "currency": "EUR"}
    released = chance.random() < 0.3
    screening = {
        "title": "An evening",
        "starts_at": "2099-01-01T00:00:00Z",
        "prices": {"gold": price, "silver": price},
        "orphan_rule": rule,
        "reserved_places": "released" if released else "kept",
    }
    screening_id = told(await olga.post(f"/theaters/{theater_id}/screenings", screening), 201)["id"]
    layout = await olga.read(f"/theaters/{theater_id}/layout")
    taken = {each["id"] for each in layout["seats"] if chance.random() < 0.3}
    if taken:
        told(await olga.post(f"/screenings/{screening_id}/blocks", {"seat_ids": sorted(taken)}), 200)
    return Opened(screening_id, layout, taken, released)


@pytest.mark.parametrize("number", HOUSES)
async def test_what_is_chosen_suggested_and_refused(nobody: Visitor, database: Database, number: int) -> None:
    chance = Random(number)  # noqa: S311 - houses, not secrets
    olga = Visitor(nobody.client, await token_of(database))
    rule = ("lenient", "strict")[number % 2]
    house = await opened(olga, chance, rule)
    by_hand = house.by_hand

    for count in range(1, 5):
        for together in ("preferred", "required"):
            answer = await nobody.get(f"{house.path}/best-available?count={count}&together={together}")
            best = by_hand.best(count, lambda _: True, together == "required")
            if best is None:
                assert answer.json()["code"] == "not-enough-seats"
                assert answer.json()["available"] == len(by_hand.ordinary)
            else:
                found = told(answer, 200)
                assert sorted(each["label"] for each in found["seats"]) == house.labels(best)
                assert found["adjacent"] is by_hand.is_block(best)

    everywhere = range(len(house.layout.seats))
    for size in range(1, min(3, len(everywhere)) + 1):
        for chosen in (frozenset(chance.sample(everywhere, size)) for _ in range(3)):
            checked = told(await nobody.post(f"{house.path}/check-selection", {"seats": house.labels(chosen)}), 200)
            problem = checked["problem"] or {"code": None}
            if not chosen <= by_hand.free:
                assert problem["code"] == "seats-unavailable"
            elif by_hand.refuses(chosen, rule):
                assert problem["code"] == "leaves-single-seat"
                assert sorted(problem["stranded"]) == house.labels(by_hand.left_alone(chosen, rule))
            else:
                assert checked["ok"]
                continue
            assert [sorted(each) for each in problem["suggestions"]] == [
                house.labels(each) for each in by_hand.suggestions(chosen)
            ]


@pytest.mark.parametrize("number", HOUSES)
async def test_a_house_is_sold_out_in_the_order_of_what_is_best(
    nobody: Visitor, ada: Visitor, database: Database, number: int
) -> None:
    chance = Random(1000 + number)  # noqa: S311
    house = await opened(Visitor(nobody.client, await token_of(database)), chance, "strict")
    by_hand = house.by_hand

    while (best := by_hand.best(count := chance.randint(1, 3), lambda _: True)) is not None:
        held = told(await ada.post(f"{house.path}/reservations", {"best_available": {"count": count}}), 201)
        assert sorted(each["label"] for each in held["seats"]) == house.labels(best)
        by_hand.free -= best
        by_hand.ordinary -= best
