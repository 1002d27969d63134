"""Two processes sell one screening at the same moment: both have looked before either of them writes.

Whoever changes other rows is not disturbed and has the version after the other's; of two who change the same, one looks
again.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest
import uuid_utils.compat as uuid_utils
from httpx import AsyncClient, Response

from app.db.connections import office_connection
from app.domain.box_office.commands import (
    Block,
    Cancel,
    Command,
    Confirm,
    Expire,
    Extend,
    Hold,
    Release,
    ReleaseAll,
    Unblock,
)
from app.domain.people.people import Person, Role
from app.domain.refusals import Busy, Refusal, ReservationEnded, SeatsUnavailable
from app.domain.seats import SeatNames
from app.resources import Resources
from app.schemas.reservations import reservation_out
from app.services.box_office import clerk as module
from app.services.box_office.answers import Answer
from app.services.box_office.office import BoxOffice
from app.settings import Settings
from tests.conftest import PER_SCREENING, OpenApp, resources_of
from tests.order import Connection, let_run_out, locked, until_waiting
from tests.services.box_office.asking import book, busy, hold, key, toggle, told

ORGANIZER = Person(9, Role.ORGANIZER)


@pytest.fixture
async def here(resources: Resources) -> BoxOffice:
    """A box office that has seen screening 1, and looks without a lock."""
    await resources.box_office.ask(1, ReleaseAll(Person(1)))
    return resources.box_office


@pytest.fixture
async def there(open_app: OpenApp) -> BoxOffice:
    """That of another process."""
    box_office = resources_of(await open_app()).box_office
    await box_office.ask(1, ReleaseAll(Person(1)))
    return box_office


async def side_by_side(database: Connection, *asked: Coroutine[Any, Any, Answer]) -> Sequence[Answer | BaseException]:
    """What each is told. All have looked and wait to write; they do so in the order in which they are given."""
    async with locked(database, 1):
        asking = []
        for count, each in enumerate(asked, 1):
            asking.append(told(each))
            await until_waiting(database, count)
    return [answer for [answer] in await asyncio.gather(*asking)]


def was_overtaken(box_office: BoxOffice) -> bool:
    return box_office.locks_first == module.LOCKS_FIRST


async def one(database: Connection, question: str, *values: object) -> Any:
    return await database.fetchval(question, *values)


async def reservation(box_office: BoxOffice, user_id: int, *labels: str) -> UUID:
    """One that the user has, with these seats."""
    return UUID(orjson.loads((await box_office.ask(1, hold(user_id, *labels))).body)["id"])


async def booking(box_office: BoxOffice, user_id: int, *labels: str) -> UUID:
    return UUID(orjson.loads((await box_office.ask(1, book(user_id, *labels))).body)["id"])


async def test_other_seats_are_sold_side_by_side_each_with_a_version_of_its_own(
    here: BoxOffice, there: BoxOffice, database: Connection
) -> None:
    answers = await side_by_side(
        database,
        here.ask(1, hold(1, "A1", "A2"), key=key("one")),
        there.ask(1, hold(2, "A3", "A4"), key=key("two", 2)),
    )
    replays = [
        await here.ask(1, toggle(user_id, "A9"), key=key(name, user_id)) for user_id, name in [(1, "one"), (2, "two")]
    ]

    bodies = [orjson.loads(answer.body) for answer in answers if isinstance(answer, Answer)]
    assert [body["version"] for body in bodies] == [1, 2]
    assert not was_overtaken(here)
    assert not was_overtaken(there)
    rows = await database.fetch("SELECT version, seat_id, user_id FROM seat_events ORDER BY version, seat_id")
    assert [tuple(row) for row in rows] == [(1, 1, 1), (1, 2, 1), (2, 3, 2), (2, 4, 2)]
    for body in bodies:
        stored = await one(database, "SELECT version FROM reservations WHERE id = $1", UUID(body["id"]))
        assert stored == body["version"]
    assert await one(database, "SELECT version FROM screening_states WHERE screening_id = 1") == 2
    assert [replay.body for replay in replays] == [answer.body for answer in answers if isinstance(answer, Answer)]
    assert all(replay.replayed for replay in replays)


@pytest.mark.parametrize("others_first", [0, 98], ids=["nobody came between", "others came between"])
@pytest.mark.parametrize("with_key", [False, True])
async def test_a_version_is_right_wherever_it_stands_in_an_answer(
    here: BoxOffice, database: Connection, monkeypatch: pytest.MonkeyPatch, with_key: bool, others_first: int
) -> None:
    def version_second(*given: Any) -> dict[str, Any]:
        out = reservation_out(*given)
        return {"id": out["id"], "version": out["version"]} | out

    monkeypatch.setattr("app.schemas.reservations.reservation_out", version_second)
    asked, its_key = hold(1, "A1"), key("k") if with_key else None
    async with locked(database, 1):
        holding = told(here.ask(1, asked, key=its_key))
        await until_waiting(database)
        await database.execute(
            "UPDATE screening_states SET version = version + $1 WHERE screening_id = 1", others_first
        )
    [answer] = await holding
    again = await here.ask(1, asked, key=its_key)

    assert isinstance(answer, Answer)
    body = orjson.loads(answer.body)
    assert list(body)[:3] == ["id", "version", "screening_id"]
    assert body["version"] == others_first + 1
    assert body["version"] == await one(database, "SELECT version FROM reservations")
    assert again.replayed == with_key
    assert orjson.loads(again.body)["version"] == body["version"]
    if with_key:
        assert again.body == answer.body
        assert again.with_member("token", "x").body == answer.with_member("token", "x").body


async def test_every_answer_of_a_batch_that_came_second_tells_the_version_that_is_stored(
    here: BoxOffice, there: BoxOffice, database: Connection, settings: Settings
) -> None:
    """Among them one that only names what an answer before it made, and one that names what was there before."""
    before = hold(3, "B1")
    await there.ask(1, before)

    async with office_connection(settings) as rival, locked(database, 1):
        first = told(here.ask(1, hold(1, "A1")))
        await until_waiting(database)
        async with busy(there, rival):
            batch = told(
                there.ask(1, hold(2, "A2")),
                there.ask(1, hold(2, "A2")),
                there.ask(1, hold(3, "B1")),
                there.ask(1, hold(4, "A2")),
                there.ask(1, hold(4, "A3")),
            )
            await rival.execute("SELECT")  # they come to the counter
        await until_waiting(database, 2)
    made, same, known, refused, last = await batch
    await first

    told_versions = [
        orjson.loads(each.body)["version"] for each in (made, same, known, last) if isinstance(each, Answer)
    ]
    assert told_versions == [3, 3, 1, 4]
    assert isinstance(refused, SeatsUnavailable)
    edits = await one(database, "SELECT revision + layout_revision FROM screening_states WHERE screening_id = 1")
    assert refused.map_version == edits + 4


@pytest.mark.parametrize("taking", [hold, book])
async def test_of_two_who_want_the_same_seat_the_second_looks_again_and_is_refused(
    here: BoxOffice, there: BoxOffice, database: Connection, taking: Any
) -> None:
    won, lost = await side_by_side(
        database, here.ask(1, taking(1, "A1", "A2")), there.ask(1, taking(2, "A3", "A2"), key=key("k", 2))
    )

    assert isinstance(won, Answer)
    assert isinstance(lost, SeatsUnavailable)
    assert [seat.label for seat in lost.seats] == ["A2"]
    assert was_overtaken(there)
    rows = await database.fetch("SELECT seat_id, user_id FROM seat_claims ORDER BY seat_id")
    assert [tuple(row) for row in rows] == [(1, 1), (2, 1)]
    assert await one(database, "SELECT count(*) FROM idempotency_keys") == 0


async def test_one_key_for_two_screenings_at_once_is_replayed_for_each(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    token = (await client.post("/auth/guest", json={"email": "ada@example.org"})).json()["access_token"]
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "once"}

    async def hold_in(which: AsyncClient, screening: int) -> Response:
        return await which.post(f"/screenings/{screening}/reservations", json={"seat": "A1"}, headers=headers)

    for which, screening in ((client, 1), (other, 2)):  # who knows the house reads first and waits with the write
        await which.post(f"/screenings/{screening}/reservations", json={"seat": "A2"})
    async with locked(database, 1, 2):
        first, second = asyncio.create_task(hold_in(client, 1)), asyncio.create_task(hold_in(other, 2))
        await until_waiting(database, 2)
    both = [await first, await second]

    assert [each.status_code for each in both] == [201, 201], "nobody could see the other"
    for again, made in zip([await hold_in(other, 1), await hold_in(client, 2)], both, strict=True):
        assert (again.status_code, again.content) == (201, made.content)
        assert again.headers["idempotent-replayed"] == "true"
    seen = await hold_in(client, 3)
    if PER_SCREENING:  # a key is one of user and screening there
        assert (seen.status_code, "idempotent-replayed" in seen.headers) == (201, False)
    else:
        assert (seen.status_code, seen.json()["code"]) == (422, "idempotency-key-reused")


async def test_one_key_in_two_processes_is_one_effect(here: BoxOffice, there: BoxOffice, database: Connection) -> None:
    first, second = await side_by_side(
        database, here.ask(1, hold(1, "A1"), key=key("k")), there.ask(1, hold(1, "A2"), key=key("k"))
    )

    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert second.replayed
    assert second.body == first.body
    assert await one(database, "SELECT count(*) FROM seat_claims") == 1


def commands_on(reservation_id: UUID, booking_id: UUID, user_id: int) -> dict[str, Command]:
    """What may become of a reservation or a booking of this user."""
    return {
        "confirm": Confirm(Person(user_id), reservation_id, UUID(int=user_id), "paid"),
        "extend": Extend(Person(user_id), reservation_id),
        "release": Release(Person(user_id), reservation_id),
        "cancel": Cancel(Person(user_id), booking_id),
    }


@pytest.mark.parametrize("how", ["confirm", "extend", "release", "cancel"])
async def test_what_becomes_of_two_papers_side_by_side_is_undisturbed(
    here: BoxOffice, there: BoxOffice, database: Connection, how: str
) -> None:
    papers = {
        user_id: (await reservation(here, user_id, f"A{user_id}"), await booking(here, user_id, f"B{user_id}"))
        for user_id in (1, 2)
    }
    first, second = (commands_on(*papers[user_id], user_id)[how] for user_id in (1, 2))

    answers = await side_by_side(database, here.ask(1, first), there.ask(1, second))

    assert [orjson.loads(each.body)["version"] for each in answers if isinstance(each, Answer)] == [5, 6]
    assert not was_overtaken(there)
    stored = await database.fetch("SELECT version FROM reservations UNION SELECT version FROM bookings ORDER BY 1")
    assert [row["version"] for row in stored][-2:] == [5, 6]


async def test_a_reservation_that_was_released_meanwhile_is_not_sold(
    here: BoxOffice, there: BoxOffice, database: Connection
) -> None:
    mine = await reservation(here, 1, "A1")

    released, refused = await side_by_side(
        database,
        here.ask(1, Release(Person(1), mine)),
        there.ask(1, Confirm(Person(1), mine, UUID(int=1), "paid")),
    )

    assert isinstance(released, Answer)
    assert isinstance(refused, ReservationEnded)
    assert was_overtaken(there)
    assert await one(database, "SELECT count(*) FROM bookings") == 0
    assert await one(database, "SELECT count(*) FROM seat_claims") == 0


async def test_a_booking_is_undone_once(here: BoxOffice, there: BoxOffice, database: Connection) -> None:
    sold = await booking(here, 1, "A1")

    answers = await side_by_side(database, here.ask(1, Cancel(Person(1), sold)), there.ask(1, Cancel(Person(1), sold)))

    assert [orjson.loads(each.body)["version"] for each in answers if isinstance(each, Answer)] == [2, 2]
    assert was_overtaken(there)
    assert await one(database, "SELECT count(*) FROM seat_events") == 2


async def test_a_hold_that_ran_out_is_taken_over_by_one_and_not_tidied_up_again(
    here: BoxOffice, there: BoxOffice, database: Connection
) -> None:
    over = await reservation(here, 1, "A1", "A2")
    await let_run_out(database)

    taken, swept = await side_by_side(database, here.ask(1, hold(2, "A1")), there.ask(1, Expire((over,))))

    assert isinstance(taken, Answer)
    assert isinstance(swept, Answer)
    assert was_overtaken(there)
    rows = await database.fetch("SELECT seat_id, user_id FROM seat_claims")
    assert [tuple(row) for row in rows] == [(1, 2)]
    assert await one(database, "SELECT count(*) FROM seat_events WHERE version > 1") == 2


@pytest.mark.parametrize(
    "further",
    [
        toggle(1, "A2"),
        ReleaseAll(Person(1)),
        Block(ORGANIZER, SeatNames(labels=("A2",))),
        Unblock(ORGANIZER, SeatNames(labels=("C1",))),
    ],
    ids=["toggle", "release all", "block", "unblock"],
)
async def test_what_looks_further_than_it_changes_looks_again_after_any_change(
    here: BoxOffice, there: BoxOffice, database: Connection, further: Command
) -> None:
    await here.ask(1, Block(ORGANIZER, SeatNames(labels=("C1",))))
    await here.ask(1, hold(1, "A3"))

    first, second = await side_by_side(database, here.ask(1, hold(1, "A1")), there.ask(1, further))

    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert was_overtaken(there)
    assert await one(database, "SELECT version FROM screening_states WHERE screening_id = 1") == 4


async def test_a_toggle_joins_the_hold_that_was_made_meanwhile(
    here: BoxOffice, there: BoxOffice, database: Connection
) -> None:
    await side_by_side(database, here.ask(1, hold(1, "A1")), there.ask(1, toggle(1, "A2")))

    assert await one(database, "SELECT count(*) FROM reservations") == 1
    assert await one(database, "SELECT count(*) FROM seat_claims WHERE user_id = 1") == 2


# --- a storm of everything, after which the books are checked


async def wander(offices: Sequence[BoxOffice], user_id: int, steps: int) -> None:
    """Somebody who holds, toggles, books, gives back and undoes, at one process or the other."""
    dice = Random(user_id)  # noqa: S311 - the same walk every time
    held: list[UUID] = []
    booked: list[UUID] = []
    for step in range(steps):
        seats = [f"{dice.choice('AB')}{dice.randint(1, 6)}" for _ in range(dice.randint(1, 2))]
        names = list(dict.fromkeys(seats))
        command: Command = dice.choice((hold, hold, toggle, book))(user_id, *names)
        if held and dice.random() < 0.4:
            paper = held.pop()
            new = uuid_utils.uuid7()
            command = dice.choice((Release(Person(user_id), paper), Confirm(Person(user_id), paper, new, "paid")))
        elif booked and dice.random() < 0.5:
            command = Cancel(Person(user_id), booked.pop())
        [answer] = await told(dice.choice(offices).ask(1, command, key=key(f"{step}", user_id)))
        if isinstance(answer, Answer) and answer.created:
            paper = UUID(orjson.loads(answer.body)["id"])
            (held if isinstance(command, Hold) else booked).append(paper)
        else:
            assert isinstance(answer, Answer | Refusal)
            assert not isinstance(answer, Busy)


async def test_after_a_storm_every_version_is_one_change_and_the_books_agree(
    here: BoxOffice, there: BoxOffice, database: Connection
) -> None:
    await asyncio.gather(*(wander((here, there), user_id, 25) for user_id in range(1, 21)))

    versions = [row[0] for row in await database.fetch("SELECT DISTINCT version FROM seat_events ORDER BY 1")]
    assert versions == list(
        range(1, await one(database, "SELECT version FROM screening_states WHERE screening_id = 1") + 1)
    )
    assert versions
    wrong = {
        "a paper whose version is no change": """
            SELECT count(*) FROM (SELECT version FROM reservations UNION ALL SELECT version FROM bookings) paper
             WHERE version NOT IN (SELECT version FROM seat_events)""",
        "a stored answer whose version is no change": """
            SELECT count(*) FROM idempotency_keys WHERE created
               AND (convert_from(body, 'UTF8')::json->>'version')::bigint NOT IN (SELECT version FROM seat_events)""",
        "an event that does not begin where the last one of its seat ended": """
            SELECT count(*) FROM (SELECT from_status, lag(to_status, 1, 'available')
                                    OVER (PARTITION BY seat_id ORDER BY version) AS before FROM seat_events) step
             WHERE from_status <> before""",
        "a claim that is not as its seat's last event": """
            SELECT count(*) FROM (SELECT DISTINCT ON (seat_id) * FROM seat_events ORDER BY seat_id, version DESC) e
              FULL JOIN seat_claims c USING (seat_id)
             WHERE coalesce(replace(c.status, 'held', 'reserved'), 'available') <> coalesce(e.to_status, 'available')
                OR c.user_id IS DISTINCT FROM e.user_id""",
        "a claim whose reservation is not held": """
            SELECT count(*) FROM seat_claims c JOIN reservations r ON r.id = c.reservation_id
             WHERE (c.status = 'held') <> (r.status = 'held')""",
    }
    assert {what: await one(database, question) for what, question in wrong.items()} == dict.fromkeys(wrong, 0)
