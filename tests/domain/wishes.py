"""What people may want in the small house, as Hypothesis thinks it up: random histories are made of it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Final
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from app.domain.bookings import Booking
from app.domain.commands import (
    Block,
    Book,
    Cancel,
    Close,
    Command,
    Confirm,
    Expire,
    Extend,
    Hold,
    Release,
    ReleaseAll,
    Toggle,
    Unblock,
)
from app.domain.house import House
from app.domain.money import Money
from app.domain.people import Person
from app.domain.reservations import Reservation
from app.domain.seats import SeatNames
from tests.domain.houses import ANN, BOB, CLEO, HOLD, LAYOUT, ORGANIZER

BUYERS: Final = (ANN, BOB, CLEO)
NOBODYS: Final = UUID(int=0)
"""The id of no reservation and no booking."""


class Kind(Enum):
    """What a wish is about."""

    HOLD = auto()
    TOGGLE = auto()
    RELEASE = auto()
    RELEASE_ALL = auto()
    EXTEND = auto()
    CONFIRM = auto()
    BOOK = auto()
    CANCEL = auto()
    EXPIRE = auto()
    BLOCK = auto()
    UNBLOCK = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Wish:
    """A command, before it is known which holds and bookings there are.

    `nth` counts them from the newest, and one past the oldest is nobody's. Without a buyer it is the owner who asks.
    """

    kind: Kind
    buyer: Person | None = None
    seat_ids: tuple[int, ...] = ()
    nth: int = 0
    seat_at: int | None = None

    def as_command(self, house: House, new_id: UUID) -> Command:
        """What the wish means in this house; what is made gets `new_id`."""
        names = SeatNames(ids=self.seat_ids)
        reservation_id, owner, seat_id = self._of(house)
        match self.kind:
            case Kind.HOLD:
                return Hold(owner, names, new_id)
            case Kind.TOGGLE:
                return Toggle(owner, names, new_id)
            case Kind.RELEASE:
                return Release(owner, reservation_id, seat_id)
            case Kind.RELEASE_ALL:
                return ReleaseAll(owner)
            case Kind.EXTEND:
                return Extend(owner, reservation_id)
            case Kind.CONFIRM:
                return Confirm(owner, reservation_id, new_id, f"paid for {new_id}")
            case Kind.BOOK:
                return Book(owner, names, new_id, f"paid for {new_id}")
            case Kind.CANCEL:
                return Cancel(owner, reservation_id, seat_id)
            case Kind.EXPIRE:
                return Expire(tuple(house.reservations)[self.nth :])
            case Kind.BLOCK:
                return Block(ORGANIZER, names, "a broken lamp")
            case Kind.UNBLOCK:
                return Unblock(ORGANIZER, names)
            case Kind.CLOSE:
                return Close(ORGANIZER, tuple(house.reservations)[self.nth :], tuple(house.bookings)[self.nth :])

    def _of(self, house: House) -> tuple[UUID, Person, int | None]:
        """The reservation or booking that is meant, who asks, and the seat of it that is meant."""
        papers: list[Reservation | Booking] = [*house.reservations.values()]
        if self.kind is Kind.CANCEL:
            papers = [*house.bookings.values()]
        if self.nth >= len(papers):
            return NOBODYS, self.buyer or ANN, self.seat_at
        paper = papers[-1 - self.nth]
        seat_ids = sorted({**paper.prices, **paper.left}) if self.seat_at is not None else []
        seat_id = seat_ids[(self.seat_at or 0) % len(seat_ids)] if seat_ids else None
        return paper.id, self.buyer or Person(paper.user_id), seat_id


@dataclass(frozen=True, slots=True)
class Passing:
    """Time that passes."""

    time: timedelta


@dataclass(frozen=True, slots=True)
class NewPrice:
    """The organizer gives the standard seats another price."""

    money: Money


Event = Wish | Passing | NewPrice

_BUYERS: Final = st.sampled_from(BUYERS)
_SEATS: Final = st.lists(st.sampled_from([seat.id for seat in LAYOUT.seats]), min_size=1, max_size=4, unique=True).map(
    tuple
)
_PAPERS: Final = st.integers(0, 4)
_ONE_SEAT: Final = st.none() | st.integers(0, 3)
# Mostly the owner asks.
_ASKERS: Final = st.sampled_from((None, None, None, *BUYERS))

HOLDS: Final = st.builds(Wish, st.just(Kind.HOLD), _BUYERS, _SEATS)
TOGGLES: Final = st.builds(Wish, st.just(Kind.TOGGLE), _BUYERS, _SEATS)
BOOKS: Final = st.builds(Wish, st.just(Kind.BOOK), _BUYERS, _SEATS)
RELEASES: Final = st.builds(Wish, st.just(Kind.RELEASE), _ASKERS, nth=_PAPERS, seat_at=_ONE_SEAT)
RELEASES_OF_ALL: Final = st.builds(Wish, st.just(Kind.RELEASE_ALL), _BUYERS)
EXTENSIONS: Final = st.builds(Wish, st.just(Kind.EXTEND), _ASKERS, nth=_PAPERS)
CONFIRMATIONS: Final = st.builds(Wish, st.just(Kind.CONFIRM), _ASKERS, nth=_PAPERS)
CANCELLATIONS: Final = st.builds(
    Wish,
    st.just(Kind.CANCEL),
    st.sampled_from((None, None, None, *BUYERS, ORGANIZER)),
    nth=_PAPERS,
    seat_at=_ONE_SEAT,
)
EXPIRIES: Final = st.builds(Wish, st.just(Kind.EXPIRE), nth=_PAPERS)
BLOCKS: Final = st.builds(Wish, st.just(Kind.BLOCK), seat_ids=_SEATS)
UNBLOCKS: Final = st.builds(Wish, st.just(Kind.UNBLOCK), seat_ids=_SEATS)
CLOSINGS: Final = st.builds(Wish, st.just(Kind.CLOSE), nth=_PAPERS)
PASSINGS: Final = st.sampled_from((timedelta(seconds=1), timedelta(minutes=2), HOLD, 2 * HOLD)).map(Passing)
NEW_PRICES: Final = st.integers(1, 5).map(lambda euros: NewPrice(Money(100 * euros, "EUR")))

WISHES: Final[SearchStrategy[Wish]] = st.one_of(
    HOLDS,
    TOGGLES,
    BOOKS,
    RELEASES,
    RELEASES_OF_ALL,
    EXTENSIONS,
    CONFIRMATIONS,
    CANCELLATIONS,
    EXPIRIES,
    BLOCKS,
    UNBLOCKS,
    CLOSINGS,
)
