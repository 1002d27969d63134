"""Everybody wants the best seats at once: each gets what was the best when they were served, and nobody the same."""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from httpx import AsyncClient, Limits, Response

from app.domain.seat_finding.best_available import best_available
from app.domain.seat_finding.blocks import longest
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.wishes import Found, Wish
from app.domain.seats import Layout, Seat
from app.services.box_office import batch
from tests.order import Connection, edit, locked, until_waiting
from tests.patience import PATIENCE_SECONDS
from tests.races.buyers import Buyer, codes, sent, somebody
from tests.races.test_real_processes import StartServer, start_server

__all__ = ["start_server"]

HALL = 4
PARTIES = 100

Json = dict[str, Any]


async def picture_of(client: AsyncClient, theater_id: int) -> Picture:
    """The picture of a theater, from what everybody may read."""
    layout = (await client.get(f"/api/v1/theaters/{theater_id}/layout")).json()
    names = Seat.__dataclass_fields__
    seats = (Seat(**{name: seat[name] for name in names}) for seat in layout["seats"])
    return Picture(Layout(theater_id, 1, tuple(seats)))


def must_be_as_if_one_by_one(picture: Picture, served: Iterable[tuple[int, int, Json]]) -> None:
    """Whoever was served in the order of these versions, each for so many, got the best of what was left: seats side by
    side as long as there were as many."""
    free = picture.whole
    for version, count, said in sorted(served, key=lambda each: each[0]):
        found = best_available(picture, free, Wish(count))
        assert isinstance(found, Found), version
        taken = sorted(seat["label"] for seat in said["seats"])
        assert taken == sorted(seat.label for seat in found.seats), version
        assert said["adjacent"] is found.adjacent, version
        assert said["adjacent"] is (longest(free) >= count), version
        free &= ~found.mask


async def best(client: AsyncClient, count: int, screening: int, headers: dict[str, str] | None = None) -> Response:
    wish = {"best_available": {"count": count}}
    return await client.post(f"/api/v1/screenings/{screening}/reservations", json=wish, headers=headers)


async def test_a_hundred_parties_at_once_in_the_hall(start_server: StartServer) -> None:
    url = await start_server(2)
    chance = Random(14)  # noqa: S311 - parties, not secrets
    sizes = [chance.randint(1, 6) for _ in range(PARTIES)]

    async with AsyncClient(base_url=url, limits=Limits(max_connections=PARTIES), timeout=PATIENCE_SECONDS) as client:
        answers = await asyncio.gather(*(best(client, size, HALL) for size in sizes))
        picture = await picture_of(client, 3)

    assert {answer.status_code for answer in answers} == {201}
    said = [answer.json() for answer in answers]
    seats = [seat["seat_id"] for each in said for seat in each["seats"]]
    assert len(seats) == len(set(seats)) == sum(sizes)
    must_be_as_if_one_by_one(picture, [(each["version"], size, each) for each, size in zip(said, sizes, strict=True)])


async def test_a_sold_out_house_is_sold_to_the_last_seat(client: AsyncClient, other: AsyncClient) -> None:
    answers = await sent(*(best((client, other)[number % 2], 3, 1) for number in range(32)))

    served = [answer.json() for answer in answers if answer.status_code == 201]
    assert codes(answers) == [201] * 26 + ["not-enough-seats"] * 6
    must_be_as_if_one_by_one(await picture_of(client, 1), [(each["version"], 3, each) for each in served])
    assert {each.json()["available"] for each in answers if each.status_code == 409} == {2}


async def test_two_processes_that_look_at_the_same_moment_find_different_seats(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    await asyncio.gather(best(client, 1, 1), best(other, 1, 1))

    async with locked(database, 1):
        holding = sent(best(client, 2, 1), best(other, 2, 1), best(client, 2, 1), best(other, 2, 1))
        await until_waiting(database, 2)
    answers = await holding

    taken = [seat["label"] for answer in answers for seat in answer.json()["seats"]]
    assert codes(answers) == [201] * 4
    assert len(set(taken)) == 8


async def test_who_is_overtaken_between_reading_and_writing_looks_again(
    client: AsyncClient, other: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await best(client, 1, 1)
    rival: list[Response] = []
    write = batch.writing.write

    async def overtaken(*given: Any, **more: Any) -> Any:
        if not rival:
            rival.append(await _undisturbed(best(other, 2, 1)))
        return await write(*given, **more)

    async def _undisturbed(asking: Any) -> Response:
        monkeypatch.setattr(batch.writing, "write", write)
        return await asking

    monkeypatch.setattr(batch.writing, "write", overtaken)
    answer = await best(client, 2, 1)

    assert [seat["label"] for seat in rival[0].json()["seats"]] == ["A11", "A12"]
    assert [seat["label"] for seat in answer.json()["seats"]] == ["A8", "A9"]


async def test_what_others_take_by_name_and_give_back_is_known_at_once(client: AsyncClient, other: AsyncClient) -> None:
    """One process finds, the other changes: the first follows, change by change."""
    ada, bob = await somebody(client), await somebody(other)
    await best(client, 1, 1)
    held = (await bob.hold("A11", "A12")).json()
    assert await found_by(ada, 2) == ["A8", "A9"]
    await bob.ask("DELETE", f"/reservations/{held['id']}")
    assert await found_by(ada, 2) == ["A11", "A12"]
    booked = (await bob.book("A11")).json()
    assert await found_by(ada, 2) == ["A8", "A9"]
    await bob.cancel(booked["id"])
    assert await found_by(ada, 2) == ["A11", "A12"]


async def test_who_has_missed_what_is_forgotten_reads_all_of_it(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    ada, bob = await somebody(client), await somebody(other)
    assert await found_by(ada, 2) == ["A10", "A11"]
    await bob.hold("A10")
    await bob.hold("A11")
    await database.execute("DELETE FROM seat_events")

    assert await found_by(ada, 2) == ["A8", "A9"]


async def test_two_who_name_seats_do_not_strand_one_together(
    client: AsyncClient, other: AsyncClient, database: Connection
) -> None:
    """Neither choice leaves a single seat alone; both would."""
    await edit(database, "orphan_rule = 'strict', revision = revision + 1", "id = 1")
    first, second = await somebody(client), await somebody(other)
    await asyncio.gather(first.hold("D1"), second.hold("D20"))

    async with locked(database, 1):
        holding = sent(first.hold("A1", "A2"), second.hold("A4", "A5"))
        await until_waiting(database, 2)
    answers = await holding

    assert codes(answers) == [201, "leaves-single-seat"]


async def found_by(buyer: Buyer, count: int) -> list[str]:
    found = (await buyer.ask("GET", f"/screenings/1/best-available?count={count}")).json()
    return [seat["label"] for seat in found["seats"]]
