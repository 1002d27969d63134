"""What a batch writes is exactly the difference that its decisions made: tables kept in memory show it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.db.bookings import BookingRow, booking_of
from app.db.box_office.parts import members_of
from app.db.box_office.rows_read import TransferRow, transfer_of
from app.db.box_office.writing import Writes
from app.db.money.payments import PaymentRow, payment_of
from app.db.reservations import ReservationRow, reservation_of
from app.domain.bookings import Booking
from app.domain.box_office.commands import Book, Cancel, Command, Confirm, Expire, Extend, Hold, Release, Toggle
from app.domain.box_office.decide import decide
from app.domain.box_office.screening_state import ScreeningState
from app.domain.claims import Claim, ClaimStatus
from app.domain.money import Money
from app.domain.people.people import Person
from app.domain.refusals import Refusal
from app.domain.reservations import Reservation
from app.services.box_office.ledger import Ledger
from tests.domain.states import ANN, BOB, DEARER, HOLD, NOON, ORGANIZER, STANDARD, empty_house, named, picture_of
from tests.domain.wishes import FEW, NEW_PRICES, PASSINGS, NewPrice, Passing, Wish

Row = dict[str, Any]

KEYS = {
    "claims": ("screening_id", "seat_id"),
    "reservations": ("screening_id", "id"),
    "reservation_seats": ("screening_id", "reservation_id", "seat_id"),
    "bookings": ("screening_id", "id"),
    "booking_seats": ("screening_id", "booking_id", "seat_id"),
    "payments": ("screening_id", "id"),
    "refunds": ("screening_id", "id"),
    "transfers": ("screening_id", "id"),
    "shared_payments": ("screening_id", "booking_id", "payment_id"),
    "events": ("screening_id", "version", "seat_id"),
    "versions": ("screening_id",),
}
NOW_IN = {
    "events_made": ("at",),
    "reservations_made": ("created_at", "first_held_at"),
    "bookings_made": ("created_at",),
    "payments_made": ("created_at",),
    "transfers_made": ("created_at",),
}
"""What is the time of the batch unless it is said otherwise."""

MAY_BE_MISSING = ({"booking_id"}, {"booking_id", "refunding_minor", "cause"}, {"refunding_minor", "cause"})
"""A payment that is charged at once says only for an exchange what it is for, and only if it goes back in the same
batch how much.
"""


@dataclass(slots=True)
class Tables:
    """What PostgreSQL would have, with its primary keys and its one unique index."""

    rows: dict[str, dict[tuple[Any, ...], Row]] = field(default_factory=lambda: {table: {} for table in KEYS})

    def write(self, writes: Writes) -> None:
        """Write as PostgreSQL does: what is made was not there, what is changed or freed was; nothing in vain.

        The parts of one statement have no order. The worst for the unique index is that rows are made first.
        """
        for part in sorted(writes.parts, key=lambda each: not each.name.endswith("_made")):
            table, _, verb = part.name.rpartition("_")
            touched: set[tuple[Any, ...]] = set()
            for row in writes.rows(part):
                missing = members_of(part.row).keys() - row.keys()
                assert row.keys() <= members_of(part.row).keys()
                assert not missing or (part.name == "payments_made" and missing in MAY_BE_MISSING)
                key = tuple(row[column] for column in KEYS[table])
                assert key not in touched
                touched.add(key)
                times = NOW_IN.get(part.name, ())
                self._write_row(table, verb, key, row | {time: row.get(time) or writes.at for time in times})
            live = [row["seat_id"] for row in self.of("booking_seats") if row["cancelled_at"] is None]
            assert len(set(live)) == len(live)

    def _write_row(self, table: str, verb: str, key: tuple[Any, ...], row: Row) -> None:
        rows = self.rows[table]
        if table == "payments":
            row = _payment_as_stored(rows.get(key), row)
        if verb == "made":
            assert key not in rows
            rows[key] = row
        elif verb == "freed":
            del rows[key]
        elif table == "versions":
            assert (row["version_before"], row["edits"]) == (rows[key]["version"], 2)
            assert row["moves"] > 0
            rows[key]["version"] += row["moves"]
        else:
            before = rows[key]
            assert row.pop("status_before", before.get("status")) == before.get("status")
            assert row.pop("version_before", before.get("version")) == before.get("version")
            assert before | row != before
            rows[key] = before | row

    def of(self, table: str) -> list[Row]:
        return list(self.rows[table].values())

    def read_into(self, screening_state: ScreeningState) -> ScreeningState:
        """The house as the next batch reads it."""
        return replace(
            screening_state,
            version=next((row["version"] for row in self.of("versions")), 0),
            claims={row["seat_id"]: _claim(row) for row in self.of("claims")},
            reservations={row["id"]: self._reservation(row) for row in self.of("reservations")},
            bookings={row["id"]: self._booking(row) for row in self.of("bookings")},
            payments={row["id"]: payment_of(PaymentRow(**_those(PaymentRow, row))) for row in self.of("payments")},
            shared_payments={(row["booking_id"], row["payment_id"]) for row in self.of("shared_payments")},
            transfers={row["id"]: transfer_of(TransferRow(**row)) for row in self.of("transfers")},
        )

    def _reservation(self, row: Row) -> Reservation:
        seats = self._seats("reservation_seats", "reservation_id", row["id"], "released_at")
        return reservation_of(ReservationRow(seats=seats, **_those(ReservationRow, row)))

    def _booking(self, row: Row) -> Booking:
        seats = self._seats("booking_seats", "booking_id", row["id"], "cancelled_at")
        refunding = sum(each["amount_minor"] for each in self.of("refunds") if each["booking_id"] == row["id"])
        money = {"refunded_minor": 0, "refunding_minor": refunding}
        return booking_of(BookingRow(seats=seats, **_those(BookingRow, row), **money))

    def _seats(self, table: str, paper: str, paper_id: UUID, end: str) -> list[tuple[Any, ...]]:
        rows = [row for row in self.of(table) if row[paper] == paper_id]
        return [(row["seat_id"], row["amount_minor"], row["currency"], row[end]) for row in rows]


def _payment_as_stored(before: Row | None, row: Row) -> Row:
    """What comes of a row about a payment: the statements work out the rest."""
    if before is None:
        amount = row["amount_minor"]
        nothing = dict.fromkeys(("decline_reason", "redirect_url", "client_secret", "deadline", "plan", "cause"))
        made = {"status": "captured", "captured_minor": amount, "refunded_minor": 0, "refunding_minor": 0}
        return {**nothing, **made, "booking_id": row["id"], **row}
    assert row["status_before"] == before["status"]
    kept = {name: value for name, value in row.items() if name not in ("status_before", "next_ask_at")}
    return {**kept, "refunding_minor": before["refunding_minor"] + row["refunding_minor"]}


def _those(kind: type[NamedTuple], row: Row) -> Row:
    """The columns that are read of a row."""
    return {name: row[name] for name in kind._fields if name in row}


def _claim(row: Row) -> Claim:
    columns = ("user_id", "reservation_id", "booking_id", "expires_at", "reason")
    return Claim(row["seat_id"], ClaimStatus(row["status"]), *(row[column] for column in columns))


@dataclass(slots=True)
class Books:
    """A house whose batches are written down, and a model of it that is only ever told what was decided."""

    model: ScreeningState = field(default_factory=empty_house)
    now: datetime = NOON
    tables: Tables = field(default_factory=Tables)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.tables.rows["versions"][self.model.screening.id,] = {"screening_id": self.model.screening.id, "version": 0}

    def batch(self, *asked: Wish | Command) -> set[str]:
        """One batch: read, decide, write. Gives the kinds of rows that it wrote."""
        ledger, offers_before = Ledger(self.tables.read_into(self.model), edits=2), dict(self.model.transfers)
        for each in asked:
            command = each.as_command(ledger.screening_state, self.new_id()) if isinstance(each, Wish) else each
            try:
                decision = decide(ledger.screening_state, command, self.now)
            except Refusal:
                continue
            asker = command.buyer.id if isinstance(command, Hold | Toggle | Book) else None
            ledger.enter(decision, self.now, asker, "a request")
            self.model.apply(decision, self.now)
        writes = Writes(self.now)
        ledger.write_to(writes)
        assert bool(writes) == (ledger.has_changed or self.model.transfers != offers_before)
        for each in writes.by_statement():
            self.tables.write(each)
        return {part.name for part in writes.parts}

    def wait(self, time: timedelta) -> None:
        self.now += time

    def change_price(self, price: Money) -> None:
        prices = {**self.model.screening.prices, "standard": price}
        self.model.screening = replace(self.model.screening, prices=prices)

    def new_id(self) -> UUID:
        return UUID(int=next(self.numbers))

    def hold(self, buyer: Person, *labels: str) -> Hold:
        return Hold(buyer, named(*labels), self.new_id())

    def book(self, buyer: Person, *labels: str) -> Book:
        return Book(buyer, named(*labels), self.new_id(), "paid")

    def toggle(self, buyer: Person, *labels: str) -> Toggle:
        return Toggle(buyer, named(*labels), self.new_id())


Evening = list[tuple[Passing | NewPrice, list[Wish]]]
EVENINGS = st.lists(st.tuples(PASSINGS | NEW_PRICES, st.lists(FEW.any, max_size=5)), max_size=12)


def played(evening: Evening) -> Iterator[tuple[Books, ScreeningState]]:
    """The books after each batch of an evening, with the house as it was before the batch."""
    books = Books()
    for between, wishes in evening:
        # No two batches are of the same moment: PostgreSQL's clock goes on.
        books.wait(between.time if isinstance(between, Passing) else timedelta(seconds=1))
        if isinstance(between, NewPrice):
            books.change_price(between.money)
        before = picture_of(books.model)
        books.batch(*wishes)
        yield books, before


@pytest.mark.timeout(600)  # only when it fails: then the shortest evening that does is looked for
@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(EVENINGS)
def test_the_tables_say_what_was_decided_whatever_was_decided_in_one_batch(evening: Evening) -> None:
    for books, _ in played(evening):
        assert books.tables.read_into(books.model) == books.model


@pytest.mark.timeout(600)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(EVENINGS)
def test_the_events_tell_the_whole_story_seat_by_seat(evening: Evening) -> None:
    told: dict[int, Row] = {}

    for books, before in played(evening):
        news = [event for event in books.tables.of("events") if event["version"] > before.version]
        assert sorted({event["version"] for event in news}) == list(range(before.version + 1, books.model.version + 1))
        for event in sorted(news, key=lambda event: event["version"]):
            check_event(told.get(event["seat_id"]), event, books.now)
            told[event["seat_id"]] = event
        for seat in books.model.layout.seats:
            assert shown_by(told.get(seat.id)) == shown_by_claim(books.model.claims.get(seat.id))


def check_event(before: Row | None, event: Row, now: datetime) -> None:
    """It goes on where the last one ended; for whoever takes a seat, a hold that ran out in between is no hold."""
    status, _, expires_at = shown_by(before)
    ran_out = expires_at is not None and expires_at <= now
    owner_before = before["user_id"] if before and expires_at else None
    if ran_out and event["to_status"] == "available":
        assert (event["from_status"], event["cause"]) == ("reserved", "expiry")
    else:
        assert event["from_status"] == ("available" if ran_out else status)
        assert event["cause"] != "expiry"
    assert event["previous_user_id"] == (None if owner_before == event["user_id"] else owner_before)
    assert event["at"] == now


def shown_by(event: Row | None) -> tuple[str, int | None, datetime | None]:
    return (event["to_status"], event["user_id"], event["expires_at"]) if event else ("available", None, None)


def shown_by_claim(claim: Claim | None) -> tuple[str, int | None, datetime | None]:
    return (claim.seen_as, claim.user_id, claim.expires_at) if claim else ("available", None, None)


# --- one batch, several decisions


def test_a_seat_that_comes_and_goes_in_one_batch_leaves_no_claim() -> None:
    books = Books()
    hold = books.hold(ANN, "A1")

    written = books.batch(hold, Release(ANN, hold.reservation_id))

    assert written == {"events_made", "reservation_seats_made", "reservations_made", "versions_moved"}
    assert books.tables.read_into(books.model) == books.model


def test_a_seat_that_changes_hands_in_one_batch_is_changed_in_place() -> None:
    books = Books()
    hold = books.hold(ANN, "A1")
    books.batch(hold)

    written = books.batch(Release(ANN, hold.reservation_id), books.hold(BOB, "A1"))

    assert written >= {"claims_changed"}
    assert not written & {"claims_made", "claims_freed"}


def test_a_seat_that_joins_a_hold_and_leaves_it_in_one_batch_is_remembered() -> None:
    books = Books()
    hold = books.hold(ANN, "A1")
    books.batch(hold)

    books.batch(books.toggle(ANN, "A2"), books.toggle(ANN, "A2"))

    assert books.model.reservations[hold.reservation_id].left == {2: STANDARD}
    assert books.tables.read_into(books.model) == books.model


def test_a_seat_that_is_given_back_and_taken_anew_in_one_batch_costs_what_it_costs_today() -> None:
    books = Books()
    hold = books.hold(ANN, "A1", "A2")
    books.batch(hold)
    books.change_price(DEARER)

    books.batch(books.toggle(ANN, "A1"), books.toggle(ANN, "A1"))

    assert books.model.reservations[hold.reservation_id].prices == {1: DEARER, 2: STANDARD}
    assert books.tables.read_into(books.model) == books.model


def test_a_seat_that_was_cancelled_before_the_rest_of_its_booking_stays_apart_from_it_even_in_one_batch() -> None:
    books = Books()
    sale = books.book(ANN, "A1", "A2")
    books.batch(sale)
    books.wait(HOLD)

    books.batch(Cancel(ANN, sale.booking_id, 1), Cancel(ANN, sale.booking_id))

    assert books.tables.read_into(books.model).bookings[sale.booking_id].prices == {2: STANDARD}
    assert books.tables.read_into(books.model) == books.model


def test_a_seat_that_is_cancelled_and_sold_again_in_one_batch_has_one_live_booking() -> None:
    books = Books()
    sale = books.book(ANN, "A1")
    books.batch(sale)

    books.batch(Cancel(ANN, sale.booking_id), books.book(BOB, "A1"))

    assert [
        (row["booking_id"] == sale.booking_id, row["cancelled_at"]) for row in books.tables.of("booking_seats")
    ] == [
        (True, NOON),
        (False, None),
    ]


def test_what_changes_nothing_writes_nothing() -> None:
    books = Books()
    hold = books.hold(ANN, "A1")
    books.batch(hold)

    written = books.batch(
        books.hold(ANN, "A1"), books.hold(BOB, "A1"), Extend(BOB, hold.reservation_id), Expire((hold.reservation_id,))
    )

    assert not written


def test_each_command_of_a_batch_that_changes_something_gets_a_version_of_its_own() -> None:
    books = Books()
    hold = books.hold(ANN, "A1")

    books.batch(hold, books.hold(BOB, "A1"), books.hold(BOB, "A2"), Extend(ANN, hold.reservation_id))

    assert [(event["version"], event["seat_id"]) for event in books.tables.of("events")] == [(1, 1), (2, 2)]
    assert books.tables.of("versions") == [{"screening_id": 7, "version": 2}]


# --- what the events say


def story_of(books: Books, seat_id: int) -> list[tuple[Any, ...]]:
    events = (event for event in books.tables.of("events") if event["seat_id"] == seat_id)
    columns = ("from_status", "to_status", "user_id", "previous_user_id", "cause")
    return [tuple(event[column] for column in columns) for event in events]


def test_a_hold_that_is_booked_and_cancelled_is_told_step_by_step() -> None:
    books = Books()
    hold = books.hold(ANN, "A1")
    sale = books.new_id()

    books.batch(hold, Confirm(ANN, hold.reservation_id, sale, "paid"), Cancel(ANN, sale))

    assert story_of(books, 1) == [
        ("available", "reserved", ANN.id, None, "api"),
        ("reserved", "booked", ANN.id, None, "api"),
        ("booked", "available", None, None, "api"),
    ]


def test_a_seat_that_is_given_back_is_told_with_whose_it_was() -> None:
    books = Books()
    hold = books.hold(ANN, "A1")

    books.batch(hold, Release(ANN, hold.reservation_id))

    assert story_of(books, 1)[-1] == ("reserved", "available", None, ANN.id, "api")


def test_a_seat_that_is_taken_over_was_available_and_the_rest_of_that_hold_expired() -> None:
    books = Books()
    books.batch(books.hold(ANN, "A1", "A2"))
    books.wait(HOLD)

    books.batch(books.hold(BOB, "A1"))

    assert story_of(books, 1)[-1] == ("available", "reserved", BOB.id, ANN.id, "api")
    assert story_of(books, 2)[-1] == ("reserved", "available", None, ANN.id, "expiry")


def test_a_booking_that_the_house_cancels_is_told_so() -> None:
    books = Books()
    sale = books.book(ANN, "A1")

    books.batch(sale, Cancel(ORGANIZER, sale.booking_id))

    assert story_of(books, 1)[-1] == ("booked", "available", None, None, "staff")


def test_an_event_says_who_asked_and_with_which_request() -> None:
    books = Books()

    books.batch(books.hold(ANN, "A1"))

    (event,) = books.tables.of("events")
    assert (event["actor_id"], event["request_id"], event["at"]) == (ANN.id, "a request", NOON)
