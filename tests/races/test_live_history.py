"""A recorded history: whoever watches a storm of sales, cut off and resumed at random, knows the truth in the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from random import Random
from typing import Any, TypeAlias

import asyncpg
import pytest
import redis.asyncio
from websockets.exceptions import ConnectionClosed

from tests.conftest import MakeSettings
from tests.listeners import House, Map, Socket, house
from tests.order import until
from tests.patience import PATIENCE_SECONDS
from tests.races.buyers import Buyer, somebody

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LISTENERS, BUYERS, DEEDS = 50, 12, 20
LAST_SEAT = 80
SEATS = [f"{row}{number}" for row in "ABCD" for number in range(1, 21)][:-1]


@pytest.fixture
async def houses(make_settings: MakeSettings) -> AsyncIterator[list[House]]:
    """Two processes, so to say, whose holds last a second, and one whose holds outlast the test."""
    settings = make_settings(sweep=True, reservation_timeout=1)
    async with AsyncExitStack() as stack:
        each = (settings, settings, make_settings())
        yield [await stack.enter_async_context(house(one)) for one in each]


class Watcher:
    """Somebody who reads the map once, and then only listens, however often the line is cut."""

    def __init__(self, usher: House, buyer: Buyer | None, chance: Random, *, by_socket: bool) -> None:
        self.map = Map()
        self.cuts = 0
        self.user_id: int | None = None
        self._usher = usher
        self._buyer = buyer
        self._chance = chance
        self._watch = self._by_socket if by_socket else self._by_stream

    async def watch(self) -> None:
        """Until the last seat is sold."""
        if self._buyer is not None:
            self.user_id = (await self._buyer.ask("GET", "/me")).json()["id"]
        await self._read_the_map()
        while self.map.statuses[LAST_SEAT] == "available":
            with suppress(ConnectionClosed, StopAsyncIteration):
                await self._watch(self._chance.randint(1, 25))
            self.cuts += 1
            if self.map.must_read_again:
                await self._read_the_map()

    async def _read_the_map(self) -> None:
        path = "/api/v1/screenings/1/seats"
        if self._buyer is None:
            answer = await self._usher.client.get(path)
        else:
            answer = await self._buyer.at(self._usher.client).ask("GET", "/screenings/1/seats/me")
        self.map.read(answer.json())

    async def _by_socket(self, messages: int) -> None:
        token = f"&token={self._buyer.token}" if self._buyer else ""
        async with self._usher.socket(query=f"?since={self.map.version}{token}") as opened:
            listener = Socket(opened)
            for _ in range(messages):
                self._hear(await listener.next())
            opened.transport.abort()

    async def _by_stream(self, messages: int) -> None:
        headers = {"last-event-id": str(self.map.version)}
        if self._buyer:
            headers["authorization"] = f"Bearer {self._buyer.token}"
        async with self._usher.stream(headers=headers) as stream:
            for _ in range(messages):
                self._hear(await stream.next())

    def _hear(self, message: dict[str, Any]) -> None:
        self.map.hear(message)
        if self.map.must_read_again or self.map.statuses[LAST_SEAT] != "available":
            raise StopAsyncIteration


async def do_something(buyer: Buyer, chance: Random) -> None:
    """One deed; that somebody else was quicker is part of it."""
    labels = chance.sample(SEATS, chance.randint(1, 3))
    match chance.randrange(7):
        case 0 | 1:
            await buyer.hold(*labels)
        case 2 | 3:
            await buyer.toggle(*labels)
        case 4:
            booked = await buyer.book(*labels)
            if booked.status_code == 201 and chance.random() < 0.8:
                await buyer.cancel(booked.json()["id"])
        case 5:
            held = await buyer.hold(*labels)
            if held.status_code == 201:
                await buyer.confirm(held.json()["id"])
        case _:
            await buyer.ask("DELETE", "/screenings/1/reservations")


async def storm(buyer: Buyer, chance: Random) -> None:
    for _ in range(DEEDS):
        await do_something(buyer, chance)


async def cut_the_feed(url: str, over: asyncio.Event) -> None:
    """Again and again whoever listens to Valkey is hung up on, and what is published meanwhile is lost."""
    async with redis.asyncio.Redis.from_url(url) as connection:
        while not over.is_set():
            await connection.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            with suppress(TimeoutError):
                async with asyncio.timeout(0.4):
                    await over.wait()


async def test_every_listener_knows_what_the_database_knows(
    houses: list[House], database: Database, make_settings: MakeSettings
) -> None:
    chance = Random(4)  # noqa: S311 - no secret
    buyers = [await somebody(houses[n % 2].client, f"buyer-{n}") for n in range(BUYERS)]
    watchers = [
        Watcher(
            houses[n % 2],
            buyers[n // 4 % BUYERS] if n % 4 < 2 else None,
            Random(n),  # noqa: S311 - no secret
            by_socket=n % 3 < 2,
        )
        for n in range(LISTENERS)
    ]
    over = asyncio.Event()

    async with asyncio.timeout(2 * PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        for watcher in watchers:
            group.create_task(watcher.watch())
        cutting = group.create_task(cut_the_feed(make_settings().redis_url or "", over))
        for _ in range(2):
            async with asyncio.TaskGroup() as storming:
                for buyer in buyers:
                    storming.create_task(storm(buyer, Random(chance.random())))  # noqa: S311
            await until(database, "EXISTS (SELECT FROM seat_events WHERE cause = 'expiry')")
        for buyer in buyers:
            await buyer.ask("DELETE", "/screenings/1/reservations")
        free = (await houses[2].client.get("/seats")).json()
        for buyer, seat in zip(buyers, free, strict=False):
            assert (await buyer.at(houses[2].client).hold(seat["seat"])).status_code == 201
        over.set()
        await cutting
        assert (await buyers[0].book("D20")).status_code == 201

    version = await database.fetchval("SELECT version FROM screening_states WHERE screening_id = 1")
    claims = await database.fetch("SELECT seat_id, status, user_id FROM seat_claims WHERE screening_id = 1")
    causes = await database.fetch("SELECT DISTINCT cause FROM seat_events")
    truth = {claim["seat_id"]: "reserved" if claim["status"] == "held" else claim["status"] for claim in claims}
    assert {row["cause"] for row in causes} == {"api", "expiry"}
    assert {"reserved", "booked"} == set(truth.values())
    for watcher in watchers:
        known = {seat: status for seat, status in watcher.map.statuses.items() if status != "available"}
        theirs = (claim for claim in claims if claim["user_id"] == watcher.user_id and claim["status"] == "held")
        mine = {claim["seat_id"] for claim in theirs}
        assert watcher.map.version == version
        assert known == truth | dict.fromkeys(mine, "reserved_by_me")
        assert watcher.map.versions == sorted(set(watcher.map.versions))
    assert sum(watcher.cuts for watcher in watchers) > LISTENERS
