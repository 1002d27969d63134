"""What a batch costs PostgreSQL: the same few statements for one command and for two hundred."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uuid_utils.compat as uuid_utils
from asyncpg.connection import LoggedQuery

from app.db.box_office.questions import LOCK_ONE
from app.domain.box_office.commands import (
    Block,
    Book,
    Cancel,
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
from app.domain.people.people import Person, Role
from app.domain.seats import SeatNames
from app.resources import Resources
from app.services.box_office.answers import Answer
from app.services.box_office.office import BoxOffice
from benchmarks.writing.statements import FILES, text
from tests.conftest import PER_SCREENING, OpenApp, resources_of
from tests.order import Connection
from tests.services.box_office.asking import book, hold, key, told

HALL = 4
FIRST_SEAT = 101
BEGIN, LOCK, READ, WRITE, COMMIT = "BEGIN", "lock", "read", "write", "COMMIT"


def seat_of(user_id: int) -> SeatNames:
    """Everybody has a seat of their own in the great hall."""
    return SeatNames(ids=(FIRST_SEAT + user_id,))


def holding(user_id: int) -> Hold:
    return Hold(Person(1 + user_id), seat_of(user_id), uuid_utils.uuid7())


@contextmanager
def heard(box_office: BoxOffice) -> Iterator[list[str]]:
    """What the box office says to PostgreSQL within the block, word by word."""
    said: list[str] = []
    connection = box_office.clerks[0].connection
    assert connection is not None, "it has not spoken yet"

    def note(query: LoggedQuery) -> None:
        said.append(query.query)

    with connection.query_logger(note):
        yield said


@contextmanager
def statements(box_office: BoxOffice) -> Iterator[list[str]]:
    """What the box office says to PostgreSQL within the block."""
    with heard(box_office) as said:
        yield said
    kinds = {LOCK_ONE: LOCK, "WITH ": WRITE, "SELECT clock_timestamp() AS now": READ}
    said[:] = [next((kind for start, kind in kinds.items() if each.startswith(start)), each) for each in said]


def in_the_file(*, per_screening: bool = PER_SCREENING) -> dict[str, str]:
    """Each statement of a file, by itself without white space."""
    said = "".join(
        line for line in FILES[per_screening].read_text().splitlines(keepends=True) if not line.startswith("--")
    )
    return {"".join(each.split()): each for each in said.split(";\n") if each.strip()}


@pytest.fixture
async def box_office(resources: Resources) -> BoxOffice:
    return await in_use(resources.box_office)


async def in_use(box_office: BoxOffice) -> BoxOffice:
    """It has sold before: its connection is there, and knows PostgreSQL's types; it has seen every screening."""
    for screening in (1, 2, 3, HALL):
        await box_office.ask(screening, ReleaseAll(Person(1)))
    held, booked = hold(1, "A1"), book(1, "A2")
    await box_office.ask(2, held, key=key("first"))
    await box_office.ask(2, Extend(held.buyer, held.reservation_id))
    await box_office.ask(2, booked)
    await box_office.ask(2, Cancel(booked.buyer, booked.booking_id))
    return box_office


async def ask(box_office: BoxOffice, *commands: Command, with_keys: bool = False) -> list[Answer]:
    """All at once, which makes one batch of them."""
    asked = (
        box_office.ask(HALL, command, key=key(f"{number}") if with_keys else None)
        for number, command in enumerate(commands)
    )
    answers = await told(*asked)
    assert all(isinstance(answer, Answer) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Answer)]


@pytest.mark.parametrize("size", [1, 2, 200])
@pytest.mark.parametrize("with_keys", [False, True])
async def test_holding(box_office: BoxOffice, size: int, with_keys: bool) -> None:
    with statements(box_office) as said:
        await ask(box_office, *map(holding, range(size)), with_keys=with_keys)

    assert said == [READ, WRITE]


@pytest.mark.parametrize("size", [1, 200])
async def test_holding_with_a_lock(box_office: BoxOffice, size: int) -> None:
    box_office.locks_first = 1

    with statements(box_office) as said:
        await ask(box_office, *map(holding, range(size)))

    assert said == [BEGIN, LOCK, READ, WRITE, COMMIT]


async def test_a_screening_that_was_never_seen_is_looked_at_and_then_locked(resources: Resources) -> None:
    box_office = resources.box_office
    for seat in ("A1", "A2"):  # from then on its connection knows PostgreSQL's types
        await box_office.ask(2, hold(1, seat))

    with statements(box_office) as said:
        await box_office.ask(1, hold(1, "A1"))
        await box_office.ask(1, hold(1, "A2"))

    assert said == [READ, BEGIN, LOCK, READ, WRITE, COMMIT, READ, WRITE]


@pytest.mark.parametrize("size", [1, 200])
async def test_replaying(box_office: BoxOffice, size: int) -> None:
    await ask(box_office, *map(holding, range(size)), with_keys=True)

    with statements(box_office) as said:
        answers = await ask(box_office, *map(holding, range(size)), with_keys=True)

    assert all(answer.replayed for answer in answers)
    assert said == [READ, WRITE]


@pytest.mark.parametrize("size", [1, 200])
async def test_taking_over_holds_that_ran_out(box_office: BoxOffice, database: Connection, size: int) -> None:
    await ask(box_office, *map(holding, range(size)))
    for table in ("reservations", "seat_claims"):
        await database.execute(f"UPDATE {table} SET expires_at = clock_timestamp()")  # noqa: S608 - our own names

    with statements(box_office) as said:
        await ask(box_office, *(Hold(Person(500 + each), seat_of(each), uuid_utils.uuid7()) for each in range(size)))

    assert said == [READ, READ, WRITE]


@pytest.mark.parametrize("size", [1, 200])
async def test_confirming_extending_cancelling_and_expiring(box_office: BoxOffice, size: int) -> None:
    held = [holding(user_id) for user_id in range(size)]
    await ask(box_office, *held)

    with statements(box_office) as extending:
        await ask(box_office, *(Extend(each.buyer, each.reservation_id) for each in held))
    booked = [Confirm(each.buyer, each.reservation_id, uuid_utils.uuid7(), "paid") for each in held]
    with statements(box_office) as confirming:
        await ask(box_office, *booked)
    with statements(box_office) as cancelling:
        await ask(box_office, *(Cancel(each.buyer, each.booking_id) for each in booked))
    with statements(box_office) as expiring:
        await ask(box_office, *(Expire((each.reservation_id,)) for each in held))

    assert extending == [READ, WRITE]
    assert confirming == [READ, WRITE]
    assert cancelling == [READ, WRITE]
    assert expiring == [READ, READ]


@pytest.mark.parametrize("size", [1, 200])
async def test_a_screening_with_limits_is_locked_and_costs_four_more(open_app: OpenApp, size: int) -> None:
    limits = {"max_seats_per_user": 5, "max_active_reservations_per_user": 5, "bookings_per_user_per_day": 5}
    box_office = await in_use(resources_of(await open_app(**limits)).box_office)

    with statements(box_office) as said:
        await ask(box_office, *map(holding, range(1, size + 1)))

    assert len(said) == len([BEGIN, LOCK, "who", "lock them", READ, "holds", "bookings", WRITE, COMMIT])


async def test_what_a_buyer_has_elsewhere_is_read_only_if_a_limit_counts_it(open_app: OpenApp) -> None:
    box_office = await in_use(resources_of(await open_app(max_seats_per_user=5)).box_office)

    with statements(box_office) as said:
        await ask(box_office, holding(1))

    assert said[0:2] == [BEGIN, LOCK]
    assert not [each for each in said if "FROM reservations r\n" in each or "FROM bookings b\n" in each]


@pytest.mark.skipif(PER_SCREENING, reason="a batch is of one screening")
async def test_one_screening_or_three_is_the_same(box_office: BoxOffice) -> None:
    with statements(box_office) as said:
        await told(*(box_office.ask(screening, hold(7, "A1")) for screening in (3, 1, 2)))

    assert said == [READ, WRITE]


async def test_a_batch_of_refusals_writes_nothing(box_office: BoxOffice) -> None:
    await box_office.ask(1, book(1, "A1"))

    with statements(box_office) as said:
        await told(*(box_office.ask(1, hold(user, "A1")) for user in range(2, 50)))

    assert said == [READ]


# --- the file of all statements


@pytest.mark.parametrize("per_screening", [False, True])
async def test_the_files_of_statements_are_as_the_code_has_them(per_screening: bool) -> None:
    assert FILES[per_screening].read_text() == await text(per_screening=per_screening), "run make statements"


@pytest.mark.parametrize("per_screening", [False, True])
async def test_postgresql_understands_every_statement_of_the_files(database: Connection, per_screening: bool) -> None:
    for statement in in_the_file(per_screening=per_screening).values():
        await database.prepare(statement)


@pytest.mark.parametrize("with_lock", [False, True])
async def test_what_is_really_said_is_in_the_file(box_office: BoxOffice, with_lock: bool) -> None:
    first, second, last = holding(1), holding(2), holding(3)
    sale = Confirm(second.buyer, second.reservation_id, uuid_utils.uuid7(), "paid")
    usual: list[Command] = [
        first,
        Extend(first.buyer, first.reservation_id),
        Release(first.buyer, first.reservation_id),
        second,
        sale,
        Cancel(second.buyer, sale.booking_id),
        last,
        Toggle(last.buyer, seat_of(4), uuid_utils.uuid7()),
        Toggle(last.buyer, seat_of(4), uuid_utils.uuid7()),
        ReleaseAll(last.buyer),
        Book(Person(5), seat_of(5), uuid_utils.uuid7(), "paid"),
        Block(Person(9, Role.ORGANIZER), seat_of(6)),
        Unblock(Person(9, Role.ORGANIZER), seat_of(6)),
    ]

    with heard(box_office) as said:
        for number, command in enumerate(usual):
            box_office.locks_first = int(with_lock and command is first)
            its_key = key(f"{number}") if isinstance(command, Confirm) or (command is first and not with_lock) else None
            await box_office.ask(HALL, command, key=its_key)

    assert not [each for each in said if "".join(each.split()) not in in_the_file()]
