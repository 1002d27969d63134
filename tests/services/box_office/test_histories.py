"""Random evenings at the real box office: its answers and its tables are those of a house that was only ever told."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import uuid_utils.compat as uuid_utils
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from app.db import bookings, reservations
from app.db.box_office.rows_read import TransferRow, transfer_of
from app.db.rows import columns
from app.db.screenings import Defaults, screening_of
from app.domain.bookings import BookingStatus
from app.domain.box_office.commands import Block, Close, Command, Expire, ReleaseAll, Unblock
from app.domain.box_office.decide import decide
from app.domain.box_office.screening_state import Lapse, ScreeningState, Usage
from app.domain.claims import Claim, ClaimStatus
from app.domain.people.people import Person
from app.domain.refusals import Refusal
from app.domain.reservations import HOLDING, Reservation
from app.resources import Resources
from app.services.box_office.answers import Answer, answer
from app.services.seat_maps.availability import Availability
from app.services.seat_maps.clock import Clock
from app.services.seat_maps.seat_map import SeatMap
from tests.domain.promises import check_house
from tests.domain.states import ANN, BOB, HOLD, ORGANIZER, picture_of
from tests.domain.wishes import BUYERS, FEW, MANY, NEW_PRICES, PASSINGS, Kind, NewPrice, Passing, Wish, Wishes
from tests.order import edit

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

THEATER_A = 1
CLOCK = ReleaseAll(Person(999_999))
"""Asked by somebody who has nothing: it changes nothing, and its answer says what time the batch had."""

_SCREENING = """
INSERT INTO screenings (theater_id, title, starts_at, prices, max_seats_per_reservation, max_seats_per_user,
                        max_active_reservations_per_user, bookings_per_user_per_day)
SELECT 1, 'A history', now() + interval '1 day', prices, $1, $2, $3, $4 FROM screenings WHERE id = 1
RETURNING *, 1 AS layout_revision
"""
_STATE = """
INSERT INTO screening_states (screening_id, theater_id, timezone, starts_at, prices, max_seats_per_reservation,
                              max_seats_per_user, max_active_reservations_per_user, bookings_per_user_per_day)
SELECT s.id, theater_id, t.timezone, starts_at, prices, max_seats_per_reservation, max_seats_per_user,
       max_active_reservations_per_user, bookings_per_user_per_day
  FROM screenings s JOIN theaters t ON t.id = s.theater_id WHERE s.id = $1
"""
_GUESTS = """
WITH made AS (
    INSERT INTO users (id, email, is_guest) OVERRIDING SYSTEM VALUE
    SELECT id, $2, true FROM unnest($1::bigint[]) AS w(id) RETURNING id)
INSERT INTO buyer_emails (email_key, user_id) SELECT sha256(convert_to($2, 'UTF8')), id FROM made
"""
# As if so much time had passed: the rows are moved back.
_HOLDS_BACK = """
UPDATE reservations SET created_at = created_at - $2::interval, first_held_at = first_held_at - $2::interval,
                        expires_at = expires_at - $2::interval
 WHERE screening_id = $1
"""
_CLAIMS_BACK = "UPDATE seat_claims SET expires_at = expires_at - $2::interval WHERE screening_id = $1"
_SEATS_BACK = """
UPDATE reservation_seats SET released_at = released_at - $2::interval
 WHERE screening_id = $1 AND released_at IS NOT NULL
"""
_BOOKINGS_BACK = """
UPDATE bookings SET created_at = created_at - $2::interval, cancelled_at = cancelled_at - $2::interval
 WHERE screening_id = $1
"""
_SOLD_BACK = "UPDATE booking_seats SET cancelled_at = cancelled_at - $2::interval WHERE screening_id = $1"
_EVENTS_BACK = "UPDATE seat_events SET at = at - $2::interval WHERE screening_id = $1"
_RESERVATIONS = f"SELECT {reservations.row_of('$1')} FROM reservations r WHERE r.screening_id = $1"  # noqa: S608
_TRANSFERS = f"SELECT {columns(TransferRow, 't')} FROM transfers t WHERE t.screening_id = $1"  # noqa: S608
_BOOKINGS = f"SELECT {bookings.row_of('$1')} FROM bookings b WHERE b.screening_id = $1"  # noqa: S608

# Mostly none: without a limit a batch reads less.
LIMITS = st.just((None,) * 4) | st.tuples(
    st.sampled_from((None, 2)), st.sampled_from((None, 2)), st.sampled_from((None, 1)), st.sampled_from((None, 2))
)


def evenings(wishes: Wishes) -> SearchStrategy[list[tuple[Passing | NewPrice, list[Wish]]]]:
    """Batches, with something that happens before each. Small ones: what is read for one wish might help another."""
    return st.lists(st.tuples(PASSINGS | NEW_PRICES, st.lists(wishes.any, min_size=1, max_size=3)), max_size=12)


_numbers = count(1)


@dataclass(slots=True)
class History:
    """A screening of its own in PostgreSQL, and a model of it."""

    resources: Resources
    database: Connection
    model: ScreeningState
    buyers: dict[int, Person]
    elsewhere: Availability
    with_locks: bool = False

    @property
    def screening_id(self) -> int:
        return self.model.screening.id

    async def batch(self, wishes: Sequence[Wish]) -> None:
        """Ask for all of it at once, in one batch, and hold every answer against what the model decides."""
        commands = self.commands_for(wishes)
        self.resources.box_office.locks_first = int(self.with_locks)
        ask = self.resources.box_office.ask
        clock, *told = await asyncio.gather(
            *(ask(self.screening_id, command) for command in (CLOCK, *commands)), return_exceptions=True
        )
        assert isinstance(clock, Answer)
        for command, heard in zip(commands, told, strict=True):
            assert said(heard) == said(decided(self.model, command, clock.at))
        assert await self.tables() == self.model
        check_house(self.model, clock.at)
        await self.compare_maps()

    async def look_at_maps(self) -> None:
        """Have a map at hand that is true now, here and in another process."""
        await self.resources.cache.forget([self.screening_id])
        for availability in (self.resources.availability, self.elsewhere):
            availability._maps.pop(self.screening_id, None)
            await availability.at_least(self.screening_id, 0)

    async def compare_maps(self) -> None:
        """The map at hand took in what changed; another process asks what did. Both are as if they were read anew."""
        here, anew = self.resources.availability, await self.elsewhere.with_owners(self.screening_id)
        ours, theirs = here._maps[self.screening_id], self.elsewhere._maps[self.screening_id]
        assert ours.version == self.model.version
        assert await self.elsewhere.at_least(self.screening_id, ours.map_version) is theirs
        now = here._clock.now()
        assert everything(ours.as_of(now)) == everything(theirs.as_of(now)) == everything(anew.as_of(now))

    def commands_for(self, wishes: Sequence[Wish]) -> list[Command]:
        """What the wishes mean one after the other: the second may be about what the first one made."""
        guess, commands = picture_of(self.model), list[Command]()
        for wish in wishes:
            ours = replace(wish, buyer=self.buyers.get(wish.buyer.id, wish.buyer)) if wish.buyer else wish
            commands.append(ours.as_command(guess, self.new_id()))
            decided(guess, commands[-1], datetime.now(UTC))
        return commands

    async def move_back(self, time: timedelta) -> None:
        """So much time passes: for the tables by moving their times back, and for the model likewise."""
        await self.database.execute(_HOLDS_BACK, self.screening_id, time)
        for back in (_CLAIMS_BACK, _SEATS_BACK, _BOOKINGS_BACK, _SOLD_BACK, _EVENTS_BACK):
            await self.database.execute(back, self.screening_id, time)
        model = self.model
        for who, lapses in model.lapses.items():
            model.lapses[who] = [Lapse(each.first_held_at - time, each.ended_at - time) for each in lapses]
        for each in list(model.reservations.values()):
            model.reservations[each.id] = _moved_back(each, time)
        for claim in list(model.claims.values()):
            if claim.expires_at is not None:
                model.claims[claim.seat_id] = replace(claim, expires_at=claim.expires_at - time)
        for sale in list(model.bookings.values()):
            cancelled_at = sale.cancelled_at and sale.cancelled_at - time
            model.bookings[sale.id] = replace(sale, created_at=sale.created_at - time, cancelled_at=cancelled_at)
        for user_id, usage in model.usage.items():
            holding = [each for each in model.reservations.values() if each.status in HOLDING]
            group = model.buyer(user_id)
            usage.holds = {each.id: each.expires_at for each in holding if each.user_id in group}
            sales = [each for each in model.bookings.values() if each.status is BookingStatus.CONFIRMED]
            usage.bookings = {each.id: each.created_at for each in sales if each.user_id in group}
        await self.look_at_maps()

    async def change_price(self, price: NewPrice) -> None:
        """For the seats that wishes are about."""
        category = self.model.layout.by_id[1].category
        prices = {**self.model.screening.prices, category: price.money}
        column = json.dumps({each: asdict(money) for each, money in prices.items()})
        await edit(self.database, "prices = $2", "id = $1", self.screening_id, column)
        self.model.screening = replace(self.model.screening, prices=prices)
        await self.look_at_maps()

    async def close(self) -> None:
        """The screening is cancelled, and everything in it undone."""
        cancelled_at = datetime.now(UTC)
        await edit(self.database, "cancelled_at = $2", "id = $1", self.screening_id, cancelled_at)
        self.model.screening = replace(self.model.screening, cancelled_at=cancelled_at)
        closing = Close(ORGANIZER, tuple(self.model.reservations), tuple(self.model.bookings))
        heard = await self.resources.box_office.ask(self.screening_id, closing)
        assert said(heard) == said(decided(self.model, closing, heard.at))
        assert await self.tables() == self.model
        await self.compare_maps()

    async def tables(self) -> ScreeningState:
        """The house as PostgreSQL has it."""
        version = await self.database.fetchval(
            "SELECT version FROM screening_states WHERE screening_id = $1", self.screening_id
        )
        claims = await self.database.fetch("SELECT * FROM seat_claims WHERE screening_id = $1", self.screening_id)
        holds = [row[0] for row in await self.database.fetch(_RESERVATIONS, self.screening_id)]
        offers = await self.database.fetch(_TRANSFERS, self.screening_id)
        shared = await self.database.fetch("SELECT * FROM shared_payments WHERE screening_id = $1", self.screening_id)
        sales = [row[0] for row in await self.database.fetch(_BOOKINGS, self.screening_id)]
        return replace(
            self.model,
            version=version,
            claims={row["seat_id"]: _claim(row) for row in claims},
            reservations={row["id"]: reservations.reservation_of(reservations.ReservationRow(*row)) for row in holds},
            transfers={row["id"]: transfer_of(TransferRow(**row)) for row in offers},
            shared_payments={(row["booking_id"], row["payment_id"]) for row in shared},
            bookings={row["id"]: bookings.booking_of(bookings.BookingRow(*row)) for row in sales},
        )

    def new_id(self) -> UUID:
        return uuid_utils.uuid7()


async def opened(
    resources: Resources, database: Connection, limits: tuple[int | None, ...], one_email: bool
) -> History:
    """A new screening with these limits, for buyers whom nobody has seen before: guests, of one email or of two."""
    number = next(_numbers)
    buyers = {each.id: Person(each.id + 1000 * number) for each in BUYERS}
    group = frozenset(each.id for each in buyers.values())
    if not one_email:
        await database.execute("INSERT INTO users (id) SELECT unnest($1::bigint[])", list(group))
    if one_email:
        await database.execute(_GUESTS, list(group), f"guest{number}@example.org")
    row = await database.fetchrow(_SCREENING, *limits)
    assert row is not None
    await database.execute(_STATE, row["id"])
    layout = await resources.layouts.at(THEATER_A, 1)
    timezone = await database.fetchval("SELECT timezone FROM theaters WHERE id = $1", THEATER_A)
    shared = Usage()
    model = ScreeningState(
        screening_of(row, Defaults.of(resources.settings)),
        layout,
        version=0,
        timezone=ZoneInfo(timezone),
        usage={user_id: shared if one_email else Usage() for user_id in group},
        same_buyer=dict.fromkeys(group, group) if one_email else {},
    )
    elsewhere = Availability(resources.engine, resources.cache, resources.layouts, Clock())
    history = History(resources, database, model, buyers, elsewhere)
    await history.look_at_maps()
    return history


def everything(seat_map: SeatMap) -> tuple[object, ...]:
    """All that a map says to everybody."""
    labels = [seat_map.free_labels(near) for near in (None, 1)]
    return seat_map.etag, seat_map.counts, seat_map.full(), seat_map.compact(), labels


def decided(screening_state: ScreeningState, command: Command, now: datetime) -> Answer | Refusal:
    """What the house answers."""
    try:
        decision = decide(screening_state, command, now)
    except Refusal as refusal:
        return refusal
    screening_state.apply(decision, now)
    return answer(decision.outcome, screening_state, _asker_of(command), now)


def said(told: object) -> object:
    """An answer, or a refusal with everything that it names."""
    return repr(told) if isinstance(told, Refusal) else told


def _asker_of(command: Command) -> int:
    if isinstance(command, Expire):
        return 0
    person = command.by if isinstance(command, Block | Unblock | Close) else command.buyer
    return person.id if person else 0


def _claim(row: Any) -> Claim:
    columns = ("user_id", "reservation_id", "booking_id", "expires_at", "reason")
    return Claim(row["seat_id"], ClaimStatus(row["status"]), *(row[column] for column in columns))


def _moved_back(each: Reservation, time: timedelta) -> Reservation:
    return replace(
        each,
        created_at=each.created_at - time,
        first_held_at=each.first_held_at - time,
        expires_at=each.expires_at - time,
    )


@pytest.mark.timeout(600)  # only when it fails: then the shortest evening that does is looked for
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(evening=evenings(FEW) | evenings(MANY), limits=LIMITS, one_email=st.booleans(), with_locks=st.booleans())
async def test_whatever_is_asked_the_box_office_answers_and_writes_what_the_rules_say(
    resources: Resources,
    database: Connection,
    evening: list[tuple[Passing | NewPrice, list[Wish]]],
    limits: tuple[int | None, ...],
    one_email: bool,
    with_locks: bool,
) -> None:
    history = await opened(resources, database, limits, one_email)
    history.with_locks = with_locks

    for between, wishes in evening:
        if isinstance(between, Passing):
            await history.move_back(between.time)
        else:
            await history.change_price(between)
        await history.batch(wishes)
    await history.close()

    assert all(claim.status is ClaimStatus.BLOCKED for claim in history.model.claims.values())


NO_LIMITS = (None,) * 4


async def test_a_seat_that_is_cancelled_and_sold_again_in_one_batch_does_not_fail_the_batch(
    resources: Resources, database: Connection
) -> None:
    history = await opened(resources, database, NO_LIMITS, one_email=False)
    await history.batch([Wish(Kind.BOOK, ANN, (1,))])

    await history.batch([Wish(Kind.CANCEL), Wish(Kind.BOOK, BOB, (1,))])

    assert history.model.claims[1].user_id == history.buyers[BOB.id].id


async def test_a_hold_that_ran_out_is_expired_as_a_whole_by_whoever_names_one_seat_of_it(
    resources: Resources, database: Connection
) -> None:
    history = await opened(resources, database, NO_LIMITS, one_email=False)
    await history.batch([Wish(Kind.HOLD, ANN, (1, 2))])
    await history.move_back(HOLD)

    await history.batch([Wish(Kind.BOOK, BOB, (1,))])

    assert history.model.claims.keys() == {1}


async def test_a_toggled_seat_joins_a_hold_that_the_batch_does_not_name(
    resources: Resources, database: Connection
) -> None:
    history = await opened(resources, database, NO_LIMITS, one_email=False)
    await history.batch([Wish(Kind.HOLD, ANN, (1,))])

    await history.batch([Wish(Kind.TOGGLE, ANN, (2,))])

    (reservation,) = history.model.reservations.values()
    assert reservation.prices.keys() == {1, 2}


async def test_confirming_again_what_was_confirmed_and_cancelled_long_ago_finds_that_booking(
    resources: Resources, database: Connection
) -> None:
    history = await opened(resources, database, NO_LIMITS, one_email=False)
    await history.batch([Wish(Kind.HOLD, ANN, (1,)), Wish(Kind.CONFIRM)])
    await history.batch([Wish(Kind.CANCEL)])

    await history.batch([Wish(Kind.CONFIRM)])

    assert len(history.model.bookings) == 1
    assert history.model.claims == {}


@pytest.mark.parametrize("limits", [(None, 1, None, None), (None, None, 1, None), (None, None, None, 1)])
@pytest.mark.parametrize(("one_email", "seats_taken"), [(True, {1}), (False, {1, 2})])
async def test_guests_with_the_same_email_count_together_and_others_do_not(
    resources: Resources,
    database: Connection,
    limits: tuple[int | None, ...],
    one_email: bool,
    seats_taken: set[int],
) -> None:
    history = await opened(resources, database, limits, one_email)
    kind = Kind.BOOK if limits[3] else Kind.HOLD
    await history.batch([Wish(kind, ANN, (1,))])

    await history.batch([Wish(kind, BOB, (2,))])

    assert history.model.claims.keys() == seats_taken
