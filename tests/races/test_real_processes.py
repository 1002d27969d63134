"""The promise over real HTTP and between real processes: who is sold a seat, and what a crash leaves behind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import pytest
from httpx import AsyncClient, Limits, Response

from app.settings import Settings
from tests.conftest import MakeSettings, OpenApp, resources_of
from tests.patience import PATIENCE_SECONDS, PATIENT_ENVIRONMENT, patience
from tests.processes import Served, Starter
from tests.races.conftest import StartProcess

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
StartServer = Callable[[int], Awaitable[str]]

BUYERS, SEATS = 200, 10


@pytest.fixture
async def start_server(starter: Starter, make_settings: MakeSettings) -> AsyncIterator[StartServer]:
    """Starts `usher serve` with so many workers on the test's database; gives its URL once it listens."""
    started: list[Served] = []

    async def start(workers: int) -> str:
        async with patience():
            started.append(await starter.start(_environment(make_settings(), workers)))
        return started[-1].url

    yield start
    for served in started:
        await served.stop()


async def test_a_token_in_an_address_is_in_no_line_that_is_written(
    start_process: StartProcess, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    server = await start_process()

    async with server.client() as client:
        token = (await client.post("/auth/guest", json={"email": "ada@example.org"})).json()["access_token"]
        answers = [
            await client.head(f"/api/v1/screenings/1/live?token={token}"),
            await client.get("/api/v1/screenings/1/live?token=a-bad-secret"),
            await client.get("/api/v1/screenings/1/live?token=a-bad-secret&since=x"),
        ]
    await server.stop()

    written = capfd.readouterr().err
    assert [answer.status_code for answer in answers] == [200, 401, 422]
    assert "GET /api/v1/screenings/{screening_id}/live 401" in written
    assert token not in written
    assert "a-bad-secret" not in written


@pytest.mark.parametrize("workers", [1, 2])
async def test_two_hundred_buyers_for_ten_seats(start_server: StartServer, database: Connection, workers: int) -> None:
    url = await start_server(workers)

    async with AsyncClient(base_url=url, limits=Limits(max_connections=BUYERS), timeout=PATIENCE_SECONDS) as client:
        answers = await asyncio.gather(*(_book(client, 1 + buyer % SEATS) for buyer in range(BUYERS)))

    assert Counter(answer.status_code for answer in answers) == {201: SEATS, 409: BUYERS - SEATS}
    assert {answer.json()["seats"][0]["seat_id"] for answer in answers if answer.status_code == 201} == {
        *range(1, SEATS + 1)
    }
    for buyer, answer in enumerate(answers):
        if answer.status_code == 409:
            assert answer.json()["code"] == "seats-unavailable"
            assert [seat["seat_id"] for seat in answer.json()["seats"]] == [1 + buyer % SEATS]
    assert await database.fetchval("SELECT count(*) FROM seat_claims WHERE status = 'booked'") == SEATS
    assert await database.fetchval("SELECT version FROM screening_states WHERE screening_id = 1") == SEATS


async def test_the_same_key_in_two_processes_is_one_booking(start_server: StartServer, database: Connection) -> None:
    one, other = await start_server(1), await start_server(1)
    key = {"idempotency-key": str(uuid4())}

    async with AsyncClient(timeout=PATIENCE_SECONDS) as client:
        answers = await asyncio.gather(*(_book(client, 1, f"{url}/api/v1", key) for url in (one, other) * 10))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert await database.fetchval("SELECT count(*) FROM bookings") == 1


async def test_seat_lists_in_opposite_orders_never_deadlock(start_server: StartServer, database: Connection) -> None:
    one, other = await start_server(1), await start_server(1)
    seats = list(range(1, 9))

    async with AsyncClient(timeout=PATIENCE_SECONDS, limits=Limits(max_connections=64)) as client:
        answers = await asyncio.gather(
            *(
                client.post(
                    f"{(one, other)[number % 2]}/screenings/1/reservations",
                    json={"seat_ids": seats if number % 2 else seats[::-1]},
                )
                for number in range(64)
            )
        )

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 63}
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert await database.fetchval(deadlocks) == 0


async def test_a_crash_between_commit_and_announcement_is_made_good(
    open_app: OpenApp, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying, living = await open_app(), await open_app()
    before = (await living.get("/screenings/1/seats")).json()
    stopped_here = asyncio.Event()

    async def never(*_: object) -> None:
        stopped_here.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(resources_of(dying).cache, "move", never)
    unanswered = asyncio.ensure_future(dying.post("/screenings/1/reservations", json={"seat": "A1"}))
    async with patience():
        await stopped_here.wait()
    held = await database.fetchval("SELECT count(*) FROM seat_claims WHERE screening_id = 1")

    await resources_of(living).reconciler.look()
    after = (await living.get("/screenings/1/seats")).json()

    assert (held, unanswered.done()) == (1, False)
    assert before["counts"]["reserved"] == 0
    assert (after["version"], after["counts"]["reserved"]) == (1, 1)
    unanswered.cancel()
    await asyncio.wait((unanswered,))


async def _book(client: AsyncClient, seat_id: int, base: str = "", headers: dict[str, str] | None = None) -> Response:
    return await client.post(f"{base}/bookings", json={"screening_id": 1, "seat_id": seat_id}, headers=headers)


def _environment(settings: Settings, workers: int) -> dict[str, str]:
    return {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "JWT_SECRET": settings.jwt_secret or "",
        "RATE_LIMITS": "off",
        "BATCH_PER_SCREENING": str(settings.batch_per_screening),
        "OFFICE_CONNECTIONS": str(settings.office_connections),
        "STATEMENT_CACHE_SIZE": str(settings.statement_cache_size),
        **{name: str(getattr(settings, name.lower())) for name in PATIENT_ENVIRONMENT},
        "PORT": "0",
        "WEB_CONCURRENCY": str(workers),
    }
