"""What people may want in the small house, as Hypothesis thinks it up: random histories are made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from itertools import permutations
from typing import Final, TypeVar
from uuid import UUID, uuid5

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from app.domain.bookings import Booking
from app.domain.box_office.commands import (
    AcceptTransfer,
    AtOnce,
    Block,
    Book,
    Cancel,
    Close,
    Command,
    Confirm,
    Exchange,
    Expire,
    Extend,
    Hold,
    OfferTransfer,
    Release,
    ReleaseAll,
    Toggle,
    Unblock,
    WithdrawTransfer,
)
from app.domain.box_office.screening_state import ScreeningState
from app.domain.money import Money
from app.domain.people.people import Person
from app.domain.reservations import Reservation
from app.domain.seats import SeatNames
from tests.domain.states import ANN, BOB, CLEO, HOLD, LAYOUT, ORGANIZER

T = TypeVar("T")

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
    OFFER = auto()
    WITHDRAW = auto()
    ACCEPT = auto()
    EXCHANGE = auto()
    EXPIRE = auto()
    BLOCK = auto()
    UNBLOCK = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Wish:
    """A command, before it is known which holds and bookings there are.

    `nth` counts them from the newest, round and round; past the oldest comes one that is nobody's. Without a buyer it
    is the owner who asks.
    """

    kind: Kind
    buyer: Person | None = None
    seat_ids: tuple[int, ...] = ()
    nth: int = 0
    seat_at: int | None = None

    def as_command(self, state: ScreeningState, new_id: UUID) -> Command:
        """What the wish means in this house; what is made gets `new_id`."""
        names = SeatNames(ids=self.seat_ids)
        reservation_id, owner, seat_id = self._of(state)
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
            case Kind.OFFER:
                one = None if seat_id is None else SeatNames(ids=(seat_id,))
                return OfferTransfer(owner, reservation_id, one, new_id, new_id.bytes)
            case Kind.WITHDRAW:
                return WithdrawTransfer(*self._of_transfer(state))
            case Kind.ACCEPT:
                return AcceptTransfer(*self._of_transfer(state), new_id)
            case Kind.EXCHANGE:
                return self._exchange(state, reservation_id, owner, new_id)
            case Kind.EXPIRE:
                return Expire(tuple(state.reservations)[self.nth :])
            case Kind.BLOCK:
                return Block(ORGANIZER, names, "a broken lamp")
            case Kind.UNBLOCK:
                return Unblock(ORGANIZER, names)
            case Kind.CLOSE:
                return Close(ORGANIZER, tuple(state.reservations)[self.nth :], tuple(state.bookings)[self.nth :])

    def _exchange(self, state: ScreeningState, booking_id: UUID, asker: Person, new_id: UUID) -> Exchange:
        """As many of the seats of a booking as there are, and are wanted. The charge has another id of its own."""
        booking = state.bookings.get(booking_id)
        had = tuple(booking.prices) if booking else (1,)
        give = had[-len(self.seat_ids) :]
        names = SeatNames(ids=give), SeatNames(ids=self.seat_ids[: len(give)])
        charge = AtOnce(uuid5(new_id, "more"), f"more for {new_id}")
        return Exchange(asker, booking.user_id if booking else asker.id, booking_id, *names, new_id, charge)

    def _of(self, state: ScreeningState) -> tuple[UUID, Person, int | None]:
        """The reservation or booking that is meant, who asks, and the seat of it that is meant."""
        papers: list[Reservation | Booking] = [*state.reservations.values()]
        if self.kind in (Kind.CANCEL, Kind.OFFER, Kind.EXCHANGE):
            papers = [*state.bookings.values()]
        nth = self.nth % (len(papers) + 1)
        if nth == len(papers):
            return NOBODYS, self.buyer or ANN, self.seat_at
        paper = papers[-1 - nth]
        seat_ids = sorted({**paper.prices, **paper.left}) if self.seat_at is not None else []
        seat_id = seat_ids[(self.seat_at or 0) % len(seat_ids)] if seat_ids else None
        return paper.id, self.buyer or Person(paper.user_id), seat_id

    def _of_transfer(self, state: ScreeningState) -> tuple[Person, bytes]:
        """Who asks, and the hash of the code of the transfer that is meant. Without a buyer it is the giver."""
        transfers = [*state.transfers.values()]
        nth = self.nth % (len(transfers) + 1)
        if nth == len(transfers):
            return self.buyer or ANN, b"nobody's"
        transfer = transfers[-1 - nth]
        return self.buyer or Person(state.bookings[transfer.booking_id].user_id), transfer.code_hash


@dataclass(frozen=True, slots=True)
class Passing:
    """Time that passes."""

    time: timedelta


@dataclass(frozen=True, slots=True)
class NewPrice:
    """The organizer gives the standard seats another price."""

    money: Money


Event = Wish | Passing | NewPrice

# Mostly less than a hold lasts.
_TIMES: Final = (timedelta(seconds=1), timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=3), HOLD, 2 * HOLD)
PASSINGS: Final = st.sampled_from(_TIMES).map(Passing)
NEW_PRICES: Final = st.integers(1, 5).map(lambda euros: NewPrice(Money(100 * euros, "EUR")))


def up_to_three(things: Sequence[T]) -> SearchStrategy[tuple[T, ...]]:
    """One, two or three of a few things, each as often, in any order. In one drawing: several would take far longer."""
    choices = [list(permutations(things, size)) for size in (1, 2, 3)]
    most = max(map(len, choices))
    return st.sampled_from([each for of_a_size in choices for each in of_a_size * (most // len(of_a_size))])


class Wishes:
    """Strategies for wishes of these buyers, about these seats, and about so many of the newest papers."""

    def __init__(self, buyers: Sequence[Person], seat_ids: Sequence[int], papers: int) -> None:
        someone = st.sampled_from(buyers)
        seats = up_to_three(seat_ids)
        nth, one_seat = st.integers(0, papers), st.none() | st.integers(0, 2)
        all_or_all_but_one = st.integers(0, 1)
        # Mostly the owner asks.
        asker = st.sampled_from((None, None, None, *buyers))
        asker_or_staff = st.sampled_from((None, None, None, *buyers, ORGANIZER))
        self.holds = st.builds(Wish, st.just(Kind.HOLD), someone, seats)
        self.toggles = st.builds(Wish, st.just(Kind.TOGGLE), someone, seats)
        self.books = st.builds(Wish, st.just(Kind.BOOK), someone, seats)
        self.releases = st.builds(Wish, st.just(Kind.RELEASE), asker, nth=nth, seat_at=one_seat)
        self.releases_of_all = st.builds(Wish, st.just(Kind.RELEASE_ALL), someone)
        self.extensions = st.builds(Wish, st.just(Kind.EXTEND), asker, nth=nth)
        self.confirmations = st.builds(Wish, st.just(Kind.CONFIRM), asker, nth=nth)
        self.cancellations = st.builds(Wish, st.just(Kind.CANCEL), asker_or_staff, nth=nth, seat_at=one_seat)
        self.offers = st.builds(Wish, st.just(Kind.OFFER), asker, nth=nth, seat_at=one_seat)
        self.withdrawals = st.builds(Wish, st.just(Kind.WITHDRAW), asker, nth=nth)
        self.acceptances = st.builds(Wish, st.just(Kind.ACCEPT), someone, nth=nth)
        self.exchanges = st.builds(Wish, st.just(Kind.EXCHANGE), asker_or_staff, seats, nth=nth)
        self.expiries = st.builds(Wish, st.just(Kind.EXPIRE), nth=all_or_all_but_one)
        self.blocks = st.builds(Wish, st.just(Kind.BLOCK), seat_ids=seats)
        self.unblocks = st.builds(Wish, st.just(Kind.UNBLOCK), seat_ids=seats)
        self.closings = st.builds(Wish, st.just(Kind.CLOSE), nth=all_or_all_but_one)
        self.any: SearchStrategy[Wish] = st.one_of(
            self.holds,
            self.toggles,
            self.books,
            self.releases,
            self.releases_of_all,
            self.extensions,
            self.confirmations,
            self.cancellations,
            self.offers,
            self.offers,
            self.withdrawals,
            self.acceptances,
            self.acceptances,
            self.exchanges,
            self.expiries,
            self.blocks,
            self.unblocks,
            self.closings,
        )


MANY: Final = Wishes(BUYERS, [seat.id for seat in LAYOUT.seats], papers=4)
FEW: Final = Wishes((ANN, BOB), (1, 2, 5), papers=1)
"""Few people want the same few seats: what they do concerns each other."""
