"""`python -m benchmarks.finding`: how long finding seats takes, without a server; milliseconds of one processor."""

import json
from importlib.resources import files
from random import Random
from statistics import median
from time import process_time_ns
from typing import Final

from app.domain.house.layouts import RowPlan, SeatPlan, SectionPlan, lay_out
from app.domain.seat_finding.best_available import best_available
from app.domain.seat_finding.orphans import OrphanRule, refuses
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.suggestions import suggestions
from app.domain.seat_finding.wishes import Found, Wish
from app.domain.seats import Layout, Seat

COUNTS: Final = (1, 2, 4, 6, 10)
ROUNDS: Final = 50
SOLD: Final = 0.95


def main() -> None:
    """Measure the three houses, empty and nearly sold out, and print a table."""
    head = "".join(f"{name:>12}" for name in (*(f"best {count}" for count in COUNTS), "suggest", "strict"))
    print(f"{'seats':>6} {'sold':<18}{head}")
    for layout in (rows_of(1, 8, 10), hall(), rows_of(40, 40, 25)):
        picture, began = Picture(layout), process_time_ns()
        Picture(layout)
        built = (process_time_ns() - began) / 1e6
        for name, free in states(picture).items():
            row = "".join(f"{best(picture, free, count):>12}" for count in COUNTS)
            print(f"{len(layout.seats):>6} {name:<18}{row}{others(picture, free)}")
        print(f"{'':>6} picture {built:.1f} ms")
    print("*: not one block")


def states(picture: Picture) -> dict[str, int]:
    """What is free: everything; some seats here and there; those that are farthest from the focal point."""
    chance, seats = Random(1), picture.layout.seats  # noqa: S311 (seats, not secrets)
    here_and_there = picture.mask(seat.id for seat in seats if chance.random() > SOLD)
    outwards = sorted(seats, key=lambda seat: picture.far[picture.place[seat.id]])
    farthest = picture.mask(seat.id for seat in outwards[round(len(seats) * SOLD) :])
    return {"nothing": picture.whole, "95 % anywhere": here_and_there, "95 %, the nearest": farthest}


def best(picture: Picture, free: int, count: int) -> str:
    """How long best available takes, and whether it is one block."""
    answer, times = best_available(picture, free, Wish(count)), []
    for _ in range(ROUNDS):
        began = process_time_ns()
        best_available(picture, free, Wish(count))
        times.append(process_time_ns() - began)
    sign = "none" if not isinstance(answer, Found) else " " if answer.adjacent else "*"
    return f"{median(times) / 1e6:.3f}{sign}"


def others(picture: Picture, free: int) -> str:
    """How long suggestions take, and the strict orphan rule."""
    middle = len(picture.layout.seats) // 2
    ids = [seat.id for seat in picture.layout.seats[middle : middle + 2]]
    chosen, suggesting, refusing = picture.mask(ids), [], []
    for _ in range(ROUNDS):
        began = process_time_ns()
        suggestions(picture, free, ids)
        between = process_time_ns()
        refuses(picture, free | chosen, chosen, OrphanRule.STRICT)
        suggesting.append(between - began)
        refusing.append(process_time_ns() - between)
    return f"{median(suggesting) / 1e6:>12.3f}{median(refusing) / 1e6:>12.3f}"


def rows_of(sections: int, rows: int, seats: int) -> Layout:
    """Sections in squares of eight by eight."""
    return Layout(
        1,
        1,
        tuple(
            Seat(
                (section * rows + row) * seats + number + 1,
                f"{section}-{row}-{number}",
                f"{section}",
                f"{row}",
                number,
                "any",
                x=number + section % 8 * (seats + 5.0),
                y=row + section // 8 * (rows + 10.0),
            )
            for section in range(sections)
            for row in range(rows)
            for number in range(seats)
        ),
    )


def hall() -> Layout:
    """The demo's hall: six blocks of a real one."""
    plan = json.loads(files("app.services.house").joinpath("demo_houses", "riethsporthalle.json").read_bytes())
    drafts = lay_out(
        [
            SectionPlan(
                section["name"],
                [
                    RowPlan(row["row"], [SeatPlan(**seat) for seat in row["seats"]], row["category"])
                    for row in section["rows"]
                ],
            )
            for section in plan["layout"]["sections"]
        ]
    )
    seats = (
        Seat(
            number,
            draft.label,
            draft.section,
            draft.row,
            draft.number,
            draft.category,
            accessible=draft.accessible,
            companion=draft.companion,
            x=draft.x,
            y=draft.y,
        )
        for number, draft in enumerate(drafts, start=1)
    )
    return Layout(1, 1, tuple(seats))


if __name__ == "__main__":
    main()
