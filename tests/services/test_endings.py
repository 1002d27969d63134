"""What ended before its time: known at once here, and after the next look elsewhere."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people.accounts import Era
from app.main import _loops
from app.resources import Resources
from app.services.people import revocations as module
from app.services.people.revocations import Endings, Origin

HERE, THERE = UUID(int=1), UUID(int=2)


@pytest.fixture
async def endings(engine: AsyncEngine) -> Endings:
    return Endings(engine, longest_seconds=3600, session_token_seconds=900)


async def test_a_new_era_ends_what_was_before_but_for_the_spared_session(endings: Endings) -> None:
    endings.began(Era(17, 2, HERE))

    assert endings.is_over(Origin(17, 1, THERE))
    assert endings.is_over(Origin(17, 0))
    assert not endings.is_over(Origin(17, 1, HERE))
    assert not endings.is_over(Origin(17, 2, THERE))
    assert not endings.is_over(Origin(18, 0))


async def test_an_earlier_era_learned_late_changes_nothing(endings: Endings) -> None:
    endings.began(Era(17, 2, None))

    endings.began(Era(17, 1, HERE))

    assert endings.is_over(Origin(17, 1, HERE))


async def test_a_session_that_was_ended_is_over(endings: Endings) -> None:
    endings.ended(HERE)

    assert endings.is_over(Origin(17, 5, HERE))
    assert not endings.is_over(Origin(17, 5, THERE))


async def test_a_look_finds_what_others_ended(endings: Endings, engine: AsyncEngine) -> None:
    await endings.look()
    session_id = uuid4()
    async with engine.begin() as connection:
        user_id = await connection.scalar(
            text("INSERT INTO users (era, era_began_at) VALUES (3, clock_timestamp()) RETURNING id")
        )
        await connection.execute(
            text("INSERT INTO sessions VALUES (:id, :user_id, 3, '', now(), now() + interval '1 day', now())"),
            {"id": session_id, "user_id": user_id},
        )

    await endings.look()

    assert endings.is_over(Origin(user_id, 2))
    assert endings.is_over(Origin(user_id, 3, session_id))


async def test_the_first_look_goes_as_far_back_as_a_token_may_live(endings: Endings, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        ids = list(
            await connection.scalars(
                text("""INSERT INTO users (era, era_began_at) SELECT 1, now() - age
                          FROM unnest(ARRAY['50 minutes', '2 hours']::interval[]) AS age RETURNING id""")
            )
        )

    await endings.look()

    assert [endings.is_over(Origin(user_id, 0)) for user_id in ids] == [True, False]


async def test_ended_sessions_are_forgotten_when_their_tokens_have_run_out(
    endings: Endings, monkeypatch: pytest.MonkeyPatch
) -> None:
    endings.ended(HERE)
    loop = asyncio.get_running_loop()
    later = loop.time() + 900 + module.OVERLAP_SECONDS + 1
    monkeypatch.setattr(loop, "time", lambda: later)

    await endings.look()

    assert endings._sessions == {}


async def test_it_looks_again_and_again(endings: Endings, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = asyncio.Semaphore(0)

    async def look() -> None:
        looks.release()
        if looks._value == 1:
            raise ConnectionRefusedError

    monkeypatch.setattr(module, "LOOK_SECONDS", 0)
    monkeypatch.setattr(endings, "look", look)
    looking = asyncio.create_task(endings.run())

    for _ in range(3):
        await asyncio.wait_for(looks.acquire(), 10)

    looking.cancel()
    await asyncio.wait([looking])


async def test_every_process_looks(resources: Resources) -> None:
    assert resources.endings.run in _loops(resources)
