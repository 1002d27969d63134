"""The box office: many in one transaction, and nobody in anybody's way."""

import asyncio
import gc
import weakref
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.exc import InternalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.house import layouts
from app.domain.box_office.commands import Cancel, Command, ReleaseAll
from app.domain.box_office.decide import decide
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.people.people import Person
from app.domain.refusals import Busy, KeyInUse, KeyReused, NotFound, SalesClosed, SeatsUnavailable
from app.domain.seats import Layout
from app.resources import Resources
from app.schemas.problems import reasons
from app.services.box_office import batch as batches
from app.services.box_office import clerk, office
from app.services.box_office.answers import Answer, answer
from app.services.box_office.office import BoxOffice
from app.services.box_office.queue import CROWD
from tests.conftest import MakeSettings, OpenApp, resources_of, serving
from tests.order import Connection, edit, locked, until_waiting
from tests.patience import patience
from tests.services.box_office.asking import be_patient, book, busy, hold, key, toggle, told


@pytest.fixture
def box_office(resources: Resources) -> BoxOffice:
    return resources.box_office


async def taken(database: Connection, screening_id: int = 1) -> list[tuple[int, int]]:
    """Who has which seat: seat ids and users."""
    rows = await database.fetch(
        "SELECT seat_id, user_id FROM seat_claims WHERE screening_id = $1 ORDER BY seat_id", screening_id
    )
    return [(row["seat_id"], row["user_id"]) for row in rows]


async def version(database: Connection, screening_id: int = 1) -> int:
    found: int = await database.fetchval("SELECT version FROM screening_states WHERE screening_id = $1", screening_id)
    return found


# --- one batch


async def test_a_layout_is_read_before_the_screening_is_locked(resources: Resources, database: Connection) -> None:
    """All connections of a pool may wait for the lock: then none would be left to read the layout over."""
    async with locked(database, 1):
        asked = told(resources.box_office.ask(1, hold(1, "A1")))
        await until_waiting(database)
        at_hand = [key for key in resources.layouts._known if key[0] == 1]

    assert len(at_hand) == 1
    assert isinstance((await asked)[0], Answer)


async def test_a_refusal_touches_nobody_else_in_the_batch(box_office: BoxOffice, database: Connection) -> None:
    async with busy(box_office, database):
        asked = told(
            box_office.ask(1, hold(1, "A1", "A2")),
            box_office.ask(1, hold(2, "A2", "A3")),
            box_office.ask(1, hold(3, "A3")),
            box_office.ask(99, hold(4, "A4")),
            box_office.ask(2, hold(5, "A1")),
        )
    first, second, third, nowhere, elsewhere = await asked

    assert isinstance(first, Answer)
    assert isinstance(second, SeatsUnavailable)
    assert [seat.label for seat in second.seats] == ["A2"]
    assert isinstance(third, Answer)
    assert isinstance(nowhere, NotFound)
    assert isinstance(elsewhere, Answer)
    assert await taken(database) == [(1, 1), (2, 1), (3, 3)]
    assert await version(database) == 2  # one command, one change


async def test_a_batch_is_served_in_the_order_of_arrival(box_office: BoxOffice, database: Connection) -> None:
    async with busy(box_office, database):
        asked = told(*(box_office.ask(1, hold(user, "A1")) for user in range(1, 6)))
    answers = await asked

    assert isinstance(answers[0], Answer)
    assert all(isinstance(each, SeatsUnavailable) for each in answers[1:])
    assert await taken(database) == [(1, 1)]


async def test_others_are_served_while_a_long_batch_is_decided(
    box_office: BoxOffice, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, seen = [0], []

    async def count_turns() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    def decided(*given: Any) -> Decision:
        seen.append(turns[0])
        return decide(*given)

    async with busy(box_office, database):
        monkeypatch.setattr(batches, "decide", decided)
        monkeypatch.setattr(batches, "TURN_SECONDS", 0)
        asked = told(*(box_office.ask(1, hold(number, f"A{number}")) for number in range(1, 4)))
    counting = asyncio.ensure_future(count_turns())
    answers = await asked
    counting.cancel()

    assert all(isinstance(each, Answer) for each in answers)
    assert len(set(seen[-3:])) == 3


async def test_with_one_screening_a_batch_everybody_is_served(open_app: OpenApp, database: Connection) -> None:
    box_office = resources_of(await open_app(batch_per_screening=True)).box_office

    async with busy(box_office, database):
        asked = told(
            *(box_office.ask(1 + user % 2, hold(user, f"A{user}")) for user in range(1, 7)),
            box_office.ask(1, hold(8, "A1", "A2")),
        )
    *answers, last = await asked

    assert all(isinstance(each, Answer) for each in answers)
    assert isinstance(last, SeatsUnavailable)
    assert await taken(database) == [(2, 2), (4, 4), (6, 6)]
    assert await version(database) == 3


async def test_a_seat_is_cancelled_and_sold_again_in_one_batch(box_office: BoxOffice, database: Connection) -> None:
    sold = book(1, "A1", "A2")
    await box_office.ask(1, sold)

    async with busy(box_office, database):
        asked = told(
            box_office.ask(1, Cancel(sold.buyer, sold.booking_id)),
            box_office.ask(1, book(2, "A1")),
            box_office.ask(1, book(1, "A2")),
        )
    answers = await asked

    assert all(isinstance(each, Answer) for each in answers), answers
    assert await taken(database) == [(1, 2), (2, 1)]
    assert await database.fetchval("SELECT count(*) FROM booking_seats WHERE cancelled_at IS NULL") == 2


# --- what fails, fails alone


async def test_a_decision_that_fails_in_an_unforeseen_way_fails_alone(
    box_office: BoxOffice, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_for_user_2(screening_state: ScreeningState, command: Command, now: Any) -> Any:
        if command.buyer.id == 2:  # type: ignore[union-attr]
            raise ZeroDivisionError
        return decide(screening_state, command, now)

    async with busy(box_office, database):
        asked = told(*(box_office.ask(1, hold(user, f"A{user}")) for user in (1, 2, 3)))
        monkeypatch.setattr(batches, "decide", break_for_user_2)
    first, second, third = await asked

    assert isinstance(first, Answer)
    assert isinstance(second, ZeroDivisionError)
    assert isinstance(third, Answer)
    assert await taken(database) == [(1, 1), (3, 3)]


async def test_an_answer_that_cannot_be_written_undoes_its_command_and_no_other(
    box_office: BoxOffice, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_for_user_2(outcome: Any, screening_state: ScreeningState, user_id: int, now: Any) -> Answer:
        if user_id == 2:
            raise ZeroDivisionError
        return answer(outcome, screening_state, user_id, now)

    monkeypatch.setattr(batches, "answer", break_for_user_2)
    async with busy(box_office, database):
        asked = told(*(box_office.ask(1, hold(user, f"A{user}")) for user in (1, 2, 3)))
    first, second, third = await asked

    assert isinstance(first, Answer)
    assert isinstance(second, ZeroDivisionError)
    assert isinstance(third, Answer)
    assert await taken(database) == [(1, 1), (3, 3)]


async def test_a_write_that_fails_fails_only_the_command_that_is_guilty(
    box_office: BoxOffice, database: Connection
) -> None:
    await database.execute("ALTER TABLE seat_claims ADD CONSTRAINT nobody_sits_on_a2 CHECK (seat_id <> 2)")

    async with busy(box_office, database):
        asked = told(*(box_office.ask(1, hold(user, f"A{user}")) for user in (1, 2, 3)))
    first, second, third = await asked

    assert isinstance(first, Answer)
    assert isinstance(second, asyncpg.CheckViolationError)
    assert isinstance(third, Answer)
    assert await taken(database) == [(1, 1), (3, 3)]
    assert await version(database) == 2


async def test_a_rival_who_gets_past_the_lock_is_stopped_by_the_primary_key(
    box_office: BoxOffice, database: Connection
) -> None:
    async with database.transaction():
        await database.execute(
            "INSERT INTO seat_claims (screening_id, seat_id, status, user_id, booking_id)"
            " VALUES (1, 2, 'booked', 77, gen_random_uuid())"
        )
        asked = told(*(box_office.ask(1, hold(user, f"A{user}")) for user in (1, 2, 3)))
        await until_waiting(database)  # their batch has seen A2 free, and wants to write it
    first, second, third = await asked

    assert isinstance(first, Answer)
    assert isinstance(second, SeatsUnavailable)
    assert isinstance(third, Answer)
    assert await taken(database) == [(1, 1), (2, 77), (3, 3)]


async def test_what_postgresql_cannot_be_asked_fails_alone(box_office: BoxOffice, database: Connection) -> None:
    async with busy(box_office, database):
        asked = told(box_office.ask(1, hold(1, "A1")), box_office.ask(2**70, hold(2, "A2")))
    first, second = await asked

    assert isinstance(first, Answer)
    assert isinstance(second, asyncpg.DataError)
    assert await taken(database) == [(1, 1)]


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_what_postgresql_undid_by_itself_is_done_again(
    box_office: BoxOffice, database: Connection, state: str
) -> None:
    await undo(database, state, times=2)

    told = await box_office.ask(1, hold(1, "A1"))

    assert told.created
    assert await taken(database) == [(1, 1)]
    assert await version(database) == 1


async def test_what_postgresql_undoes_again_and_again_is_given_up(box_office: BoxOffice, database: Connection) -> None:
    await undo(database, "40001", times=3)

    with pytest.raises(Busy) as refused:
        await box_office.ask(1, hold(1, "A1"))

    assert not refused.value.outcome_unknown
    assert await taken(database) == []


@pytest.mark.parametrize("statement", ["BEGIN", "COMMIT"])
@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("closed"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_lost_connection_looks_like_the_command_is_done_once(
    box_office: BoxOffice, database: Connection, monkeypatch: pytest.MonkeyPatch, statement: str, error: Exception
) -> None:
    execute, errors = asyncpg.Connection.execute, [error]

    async def lose(connection: Connection, query: str, *arguments: Any, **more: Any) -> str:
        if query == statement and errors:
            connection.terminate()
            raise errors.pop()
        return await execute(connection, query, *arguments, **more)

    monkeypatch.setattr(asyncpg.Connection, "execute", lose)
    told = await box_office.ask(1, toggle(1, "A1"))

    assert errors == []
    assert not told.replayed
    assert await taken(database) == [(1, 1)]
    assert await version(database) == 1


def lost_in_between() -> Exception:
    """What the pool says of a connection that PostgreSQL has left while a statement was prepared."""
    seen = asyncpg_dialect.AsyncAdapt_asyncpg_dbapi.InternalClientError("InternalClientError")
    return InternalError("SELECT", {}, seen)


@pytest.mark.parametrize("error", [None, lost_in_between()], ids=["closed", "in between"])
async def test_a_screening_is_opened_again_when_the_pool_has_lost_the_connection(
    box_office: BoxOffice, database: Connection, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    is_lost = lose_when_opening(monkeypatch, error, times=clerk.ATTEMPTS - 1)

    told = await box_office.ask(1, hold(1, "A1"))

    assert told.created
    assert is_lost == [True] * (clerk.ATTEMPTS - 1)
    assert await taken(database) == [(1, 1)]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (None, reasons.DATABASE_NOT_REACHABLE),
        (lost_in_between(), reasons.DATABASE_NOT_REACHABLE),
        (PoolTimeout(), reasons.CONNECTIONS_IN_USE),
    ],
    ids=["closed", "in between", "in use"],
)
async def test_who_cannot_open_a_screening_is_told_to_come_again_and_it_is_no_mistake(
    box_office: BoxOffice,
    database: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception | None,
    why: str,
) -> None:
    lose_when_opening(monkeypatch, error, times=100)

    with pytest.raises(Busy) as refused:
        await box_office.ask(1, hold(1, "A1"))

    assert (refused.value.why, refused.value.outcome_unknown) == (why, False)
    assert "unhandled" not in caplog.text
    assert await taken(database) == []


def lose_when_opening(monkeypatch: pytest.MonkeyPatch, error: Exception | None, times: int) -> list[bool]:
    """So many times a layout cannot be read, for that error; without one PostgreSQL ends the connection. Tells each."""
    read, is_lost = layouts.read, list[bool]()

    async def lose(connection: AsyncConnection, theater_id: int, revision: int | None = None) -> Layout | None:
        if len(is_lost) < times:
            is_lost.append(True)
            if error is not None:
                raise error
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return await read(connection, theater_id, revision)

    monkeypatch.setattr(layouts, "read", lose)
    return is_lost


async def undo(database: Connection, state: str, times: int) -> None:
    """The next transactions that write events are undone by PostgreSQL, so many of them."""
    await database.execute(f"""
        CREATE SEQUENCE tries;
        CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('tries') <= {times} THEN
                RAISE EXCEPTION 'undone' USING ERRCODE = '{state}';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER undo BEFORE INSERT ON seat_events FOR EACH STATEMENT EXECUTE FUNCTION undo();
    """)


# --- nobody waits for ever


async def test_a_screening_that_is_locked_for_too_long_keeps_nobody_else_waiting(
    open_app: OpenApp, database: Connection
) -> None:
    box_office = resources_of(await open_app(lock_timeout_ms=50)).box_office

    async with locked(database, 1):
        answers = await told(
            box_office.ask(1, hold(1, "A1")), box_office.ask(2, hold(2, "A1")), box_office.ask(1, hold(3, "A2"))
        )

    assert [type(each) for each in answers] == [Busy, Answer, Busy]
    assert await taken(database, 1) == []
    assert len(await taken(database, 2)) == 1


async def test_one_more_than_the_queue_holds_is_told_to_come_again(open_app: OpenApp, database: Connection) -> None:
    box_office = resources_of(await open_app(queue_max=2)).box_office

    async with busy(box_office, database):
        asked = told(*(box_office.ask(1, hold(user, f"A{user}")) for user in (1, 2, 3)))
    *answers, one_more = await asked

    assert all(isinstance(each, Answer) for each in answers)
    assert isinstance(one_more, Busy)
    assert await taken(database) == [(1, 1), (2, 2)]


async def test_whose_deadline_passes_in_the_queue_is_told_so_at_once_and_nothing_is_done(
    open_app: OpenApp, database: Connection
) -> None:
    box_office = resources_of(await open_app(command_deadline_seconds=0.5)).box_office

    async with busy(box_office, database), patience():
        (late,) = await told(box_office.ask(1, hold(1, "A1")))  # while the counter is still kept busy
    be_patient(box_office)
    after = await box_office.ask(1, hold(2, "A1"))

    assert isinstance(late, Busy)
    assert not late.outcome_unknown
    assert after.created
    assert await taken(database) == [(1, 2)]


async def test_when_it_stops_everybody_is_told(make_settings: MakeSettings, database: Connection) -> None:
    async with patience(), locked(database, 1):
        async with serving(make_settings(command_deadline_seconds=60)) as client:
            box_office = resources_of(client).box_office
            being_served = told(box_office.ask(1, hold(1, "A1")))
            await until_waiting(database)
            queued = told(box_office.ask(2, hold(2, "A1")), box_office.ask(1, hold(3, "A2")))
        answers = await being_served + await queued

    assert all(isinstance(each, Busy) for each in answers)
    assert await taken(database, 1) == []
    assert await taken(database, 2) == []


# --- keys


async def test_of_the_same_key_twice_in_one_batch_the_second_is_a_replay(
    box_office: BoxOffice, database: Connection
) -> None:
    async with busy(box_office, database):
        asked = told(*(box_office.ask(1, toggle(1, "A1"), key=key("k")) for _ in range(2)))
    first, second = await asked

    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert (first.replayed, second.replayed) == (False, True)
    assert first.body == second.body
    assert await taken(database) == [(1, 1)]


async def test_a_key_says_one_thing(box_office: BoxOffice, database: Connection) -> None:
    first = await box_office.ask(1, hold(1, "A1"), key=key("k"))

    with pytest.raises(KeyReused):
        await box_office.ask(1, hold(1, "A2"), key=key("k", sent_for="that"))
    of_another = await box_office.ask(1, hold(2, "A2"), key=key("k", user_id=2, sent_for="that"))

    assert first.created
    assert of_another.created
    assert await taken(database) == [(1, 1), (2, 2)]


async def test_the_key_of_a_refused_command_may_be_used_again(box_office: BoxOffice, database: Connection) -> None:
    rival = await box_office.ask(1, hold(2, "A1"))
    with pytest.raises(SeatsUnavailable):
        await box_office.ask(1, hold(1, "A1"), key=key("k"))

    await box_office.ask(1, ReleaseAll(Person(2)))
    again = await box_office.ask(1, hold(1, "A1"), key=key("k"))

    assert rival.created
    assert (again.created, again.replayed) == (True, False)


async def test_a_replay_is_written_down(box_office: BoxOffice, database: Connection) -> None:
    await box_office.ask(1, hold(1, "A1"), key=key("k"))
    assert await database.fetchval("SELECT replayed_at FROM idempotency_keys") is None

    await box_office.ask(1, hold(1, "A1"), key=key("k"))

    assert await database.fetchval("SELECT replayed_at > created_at FROM idempotency_keys")


async def test_a_caller_who_goes_away_does_not_stop_their_command(box_office: BoxOffice, database: Connection) -> None:
    async with busy(box_office, database):
        with_key = asyncio.ensure_future(box_office.ask(1, toggle(1, "A1"), key=key("k")))
        without = asyncio.ensure_future(box_office.ask(1, toggle(2, "A2")))
        await database.execute("SELECT")  # they come to the counter
        with_key.cancel()
        without.cancel()
    replay = await box_office.ask(1, toggle(1, "A1"), key=key("k"))

    assert with_key.cancelled()
    assert without.cancelled()
    assert replay.replayed
    assert await taken(database) == [(1, 1), (2, 2)]


async def test_a_key_that_is_still_in_use_is_waited_for_and_then_refused(
    box_office: BoxOffice, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office, "SAME_KEY_WAITS_SECONDS", 0.05)

    async with busy(box_office, database):
        first = told(box_office.ask(1, toggle(1, "A1"), key=key("k")))
        await database.execute("SELECT")  # the first comes to the counter
        (second,) = await told(box_office.ask(1, toggle(1, "A1"), key=key("k")))
    (answer,) = await first

    assert isinstance(second, KeyInUse)
    assert isinstance(answer, Answer)
    assert await taken(database) == [(1, 1)]


async def test_one_key_sent_many_times_at_once_is_one_effect(box_office: BoxOffice, database: Connection) -> None:
    answers = await told(*(box_office.ask(1, toggle(1, "A1"), key=key("k")) for _ in range(20)))

    assert {each.body for each in answers if isinstance(each, Answer)} == {answers[0].body}  # type: ignore[union-attr]
    assert [each.replayed for each in answers if isinstance(each, Answer)] == [False] + [True] * 19
    assert await taken(database) == [(1, 1)]
    assert await version(database) == 1


async def test_nothing_of_a_refusal_is_left_to_the_garbage_collector(box_office: BoxOffice) -> None:
    await box_office.ask(1, book(1, "A1"))

    gc.disable()
    refused = await told(box_office.ask(1, hold(2, "A1")), box_office.ask(1, hold(3, "A1"), key=key("theirs", 3)))
    kinds, still_there = [type(each) for each in refused], [weakref.ref(each) for each in refused]
    del refused
    await box_office.ask(1, ReleaseAll(Person(4)))  # the batch after that one
    left = [each() for each in still_there]
    gc.enable()

    assert kinds == [SeatsUnavailable, SeatsUnavailable]
    assert left == [None, None]


async def test_who_was_overtaken_serves_with_locks_for_a_while(
    resources: Resources, open_app: OpenApp, database: Connection
) -> None:
    rival = resources_of(await open_app())
    for each in (resources, rival):
        await each.box_office.ask(1, ReleaseAll(Person(1)))

    async with locked(database, 1):
        toggling = told(resources.box_office.ask(1, toggle(1, "A1")), rival.box_office.ask(1, toggle(2, "A2")))
        await until_waiting(database, 2)
    answers = await toggling

    assert all(isinstance(answer, Answer) for answer in answers)
    assert sorted(each.box_office.locks_first for each in (resources, rival)) == [0, clerk.LOCKS_FIRST]
    assert await database.fetchval("SELECT version FROM screening_states WHERE screening_id = 1") == 2


async def test_whoever_comes_while_a_batch_waits_for_its_lock_joins_it(
    box_office: BoxOffice, database: Connection
) -> None:
    box_office.locks_first = 1

    async with locked(database, 1):
        first = told(box_office.ask(1, hold(1, "A1")))
        await until_waiting(database)
        others = told(box_office.ask(1, hold(2, "A2")), box_office.ask(2, hold(3, "A1")))
    answers = [*await first, *await others]

    assert all(isinstance(answer, Answer) for answer in answers)
    here, joined, elsewhere = (answer.at for answer in answers if isinstance(answer, Answer))
    assert here == joined != elsewhere


async def test_a_screening_that_is_cancelled_between_looking_and_writing_sells_nothing(
    box_office: BoxOffice, database: Connection
) -> None:
    await box_office.ask(1, ReleaseAll(Person(1)))

    async with locked(database, 1):
        holding = told(box_office.ask(1, hold(1, "A1")))
        await until_waiting(database)
        await edit(database, "cancelled_at = now(), revision = revision + 1", "id = 1")
    [answer] = await holding

    assert isinstance(answer, SalesClosed)
    assert box_office.locks_first == clerk.LOCKS_FIRST  # it had looked, was overtaken, and looked again
    assert await taken(database) == []


# --- a crowd


@pytest.fixture
async def with_siblings(open_app: OpenApp, monkeypatch: pytest.MonkeyPatch) -> BoxOffice:
    """The box office of one of several processes, which would linger for an hour."""
    monkeypatch.setattr("app.main.LINGER_SECONDS", 3600.0)
    return resources_of(await open_app(web_concurrency=2)).box_office


async def crowd(box_office: BoxOffice, database: Connection) -> int:
    """A crowd comes while one is served, and that one comes again. How many they are."""
    async with busy(box_office, database):
        asked = told(*(box_office.ask(1, toggle(user_id, f"A{user_id}")) for user_id in range(1, CROWD + 1)))
        await database.execute("SELECT")  # they come to the counter
    await box_office.ask(1, ReleaseAll(Person(99)))
    await asked
    return CROWD + 1


async def test_after_a_crowd_a_batch_waits_until_as_many_are_there_again(
    with_siblings: BoxOffice, database: Connection
) -> None:
    count = await crowd(with_siblings, database)

    early = told(*(with_siblings.ask(1, hold(9, f"B{number}")) for number in range(1, count)))
    await database.execute("SELECT")  # they come to the counter
    still_waiting = with_siblings.has_waiting
    last = await with_siblings.ask(1, hold(9, "C1"))
    answers = await early

    assert still_waiting
    assert [answer.at for answer in answers if isinstance(answer, Answer)] == [last.at] * (count - 1)


async def test_whoever_comes_alone_waits_for_nobody(with_siblings: BoxOffice, database: Connection) -> None:
    for number in range(1, 4):
        await with_siblings.ask(1, hold(1, f"A{number}"))

    assert len(await taken(database)) == 3


async def test_a_crowd_that_does_not_come_again_is_not_waited_for_in_vain(
    open_app: OpenApp, database: Connection
) -> None:
    box_office = resources_of(await open_app(web_concurrency=2)).box_office
    await crowd(box_office, database)

    await box_office.ask(1, hold(9, "B1"))

    assert len(await taken(database)) == CROWD + 1


async def test_a_process_that_has_no_siblings_never_lingers(
    open_app: OpenApp, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main.LINGER_SECONDS", 3600.0)
    box_office = resources_of(await open_app(web_concurrency=1)).box_office
    await crowd(box_office, database)

    await box_office.ask(1, hold(9, "B1"))

    assert len(await taken(database)) == CROWD + 1
