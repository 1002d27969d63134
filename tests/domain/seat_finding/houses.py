"""Small houses of every shape, drawn by Hypothesis.

Each drawing takes far more time than what is made of it, so there are few: one number says several things of a seat, or
one thing of several seats.
"""

from collections.abc import Collection

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from app.domain.seats import Layout, Point, Seat

NAMES = ("S", "A"), ("S", "B"), ("S", "C"), ("T", "A"), ("T", "B")


@st.composite
def houses(draw: DrawFn, most: int = 14, *, has_reserved_places: bool | None = None) -> Layout:
    """At most so many seats: in rows with gaps, or anywhere; in the order of the rows, or mixed."""
    seats: list[Seat] = []
    reserved = draw(st.booleans()) if has_reserved_places is None else has_reserved_places
    is_even, is_straight = draw(st.booleans()), draw(st.booleans())
    xs = st.integers(0, 7).map(float) if is_even else st.floats(0, 9, width=16)
    for _ in range(min(most, draw(st.integers(1, 2 * most)))):
        rest, flags = divmod(draw(st.integers(0, 12 * 8 * 3 * len(NAMES) - 1)), 12)
        rest, x = divmod(rest, 8)
        name, is_silver = divmod(rest, 3)
        section, row = NAMES[name]
        y = float("ABC".index(row)) * 1.5 + (section == "T") * 6 if is_straight else draw(xs)
        seats.append(
            Seat(
                100 + len(seats),
                str(len(seats)),
                section,
                row,
                len(seats),
                "silver" if is_silver else "gold",
                accessible=reserved and flags in (0, 1),
                companion=reserved and flags in (1, 2, 3),
                aisle_after=flags == 4,
                x=float(x) if is_even else draw(xs),
                y=y,
            )
        )
    far_away = st.just(Point(1e4, -1e4))
    return Layout(1, 1, tuple(seats), focal_point=draw(st.none() | st.builds(Point, xs, xs) | far_away))


@st.composite
def full_rows(draw: DrawFn, most: int = 16) -> Layout:
    """Rows as most houses have them: seats side by side, an aisle here and there, some for wheelchair users."""
    seats: list[Seat] = []
    for section, row in NAMES:
        size, first = divmod(draw(st.integers(0, 7 * 3 - 1)), 3)
        all_flags = draw(st.integers(0, 16**size - 1))
        for number in range(size):
            flags = all_flags // 16**number % 16
            if len(seats) < most:
                seats.append(
                    Seat(
                        100 + len(seats),
                        f"{section}{row}{number}",
                        section,
                        row,
                        number,
                        "gold" if number < 2 else "silver",
                        accessible=flags == 0,
                        companion=flags == 1,
                        aisle_after=flags == 2,
                        x=float(first + number),
                        y="ABC".index(row) * 1.2 + (section == "T") * 5,
                    )
                )
    if not seats:
        seats.append(Seat(100, "A0", "S", "A", 0, "gold"))
    return Layout(1, 1, tuple(seats))


HOUSES: SearchStrategy[Layout] = houses() | full_rows()


@st.composite
def free_in(draw: DrawFn, layout: Layout) -> frozenset[int]:
    """The positions of the seats that are free: many or few of them."""
    every = range(len(layout.seats))
    free, fewer = draw(some_of(every)), draw(some_of(every))
    return draw(st.sampled_from((frozenset(every), frozenset(every), free | fewer, free, free & fewer)))


@st.composite
def some_of(draw: DrawFn, positions: Collection[int]) -> frozenset[int]:
    """All, none, or some of these."""
    bits = draw(st.integers(0, 2 ** len(positions) - 1))
    return frozenset(at for nth, at in enumerate(sorted(positions)) if bits >> nth & 1)
