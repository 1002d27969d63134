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
from app.services.people.revocations import Origin, Revocations
from tests.patience import PATIENCE_SECONDS

HERE, THERE = UUID(int=1), UUID(int=2)


@pytest.fixture
async def revocations(engine: AsyncEngine) -> Revocations:
    return Revocations(engine, longest_seconds=3600, session_token_seconds=900)


async def test_a_new_era_ends_what_was_before_but_for_the_spared_session(revocations: Revocations) -> None:
    revocations.began(Era(17, 2, HERE))

    assert revocations.is_over(Origin(17, 1, THERE))
    assert revocations.is_over(Origin(17, 0))
    assert not revocations.is_over(Origin(17, 1, HERE))
    assert not revocations.is_over(Origin(17, 2, THERE))
    assert not revocations.is_over(Origin(18, 0))


async def test_an_earlier_era_learned_late_changes_nothing(revocations: Revocations) -> None:
    revocations.began(Era(17, 2, None))

    revocations.began(Era(17, 1, HERE))

    assert revocations.is_over(Origin(17, 1, HERE))


async def test_a_session_that_was_ended_is_over(revocations: Revocations) -> None:
    revocations.ended(HERE)

    assert revocations.is_over(Origin(17, 5, HERE))
    assert not revocations.is_over(Origin(17, 5, THERE))


async def test_a_look_finds_what_others_ended(revocations: Revocations, engine: AsyncEngine) -> None:
    await revocations.look()
    session_id = uuid4()
    async with engine.begin() as connection:
        user_id = await connection.scalar(
            text("INSERT INTO users (era, era_began_at) VALUES (3, clock_timestamp()) RETURNING id")
        )
        await connection.execute(
            text("INSERT INTO sessions VALUES (:id, :user_id, 3, '', now(), now() + interval '1 day', now())"),
            {"id": session_id, "user_id": user_id},
        )

    await revocations.look()

    assert revocations.is_over(Origin(user_id, 2))
    assert revocations.is_over(Origin(user_id, 3, session_id))


async def test_the_first_look_goes_as_far_back_as_a_token_may_live(
    revocations: Revocations, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        ids = list(
            await connection.scalars(
                text("""INSERT INTO users (era, era_began_at) SELECT 1, now() - age
                          FROM unnest(ARRAY['50 minutes', '2 hours']::interval[]) AS age RETURNING id""")
            )
        )

    await revocations.look()

    assert [revocations.is_over(Origin(user_id, 0)) for user_id in ids] == [True, False]


async def test_ended_sessions_are_forgotten_when_their_tokens_have_run_out(
    revocations: Revocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    revocations.ended(HERE)
    loop = asyncio.get_running_loop()
    later = loop.time() + 900 + module.OVERLAP_SECONDS + 1
    monkeypatch.setattr(loop, "time", lambda: later)

    await revocations.look()

    assert revocations._sessions == {}


async def test_eras_are_forgotten_when_every_token_from_before_them_has_run_out(
    revocations: Revocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    revocations.began(Era(17, 1, None))
    revocations.began(Era(18, 1, None))
    monkeypatch.setattr(loop, "time", lambda: start + 3600)
    revocations.began(Era(17, 2, None))

    await revocations.look()
    assert [*revocations._eras] == [18, 17]
    monkeypatch.setattr(loop, "time", lambda: start + 3600 + module.OVERLAP_SECONDS + 1)
    await revocations.look()

    assert [*revocations._eras] == [17]
    assert revocations.is_over(Origin(17, 1))


async def test_it_looks_again_and_again(revocations: Revocations, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = asyncio.Semaphore(0)

    async def look() -> None:
        looks.release()
        if looks._value == 1:
            raise ConnectionRefusedError

    monkeypatch.setattr(module, "LOOK_SECONDS", 0)
    monkeypatch.setattr(revocations, "look", look)
    looking = asyncio.create_task(revocations.run())

    for _ in range(3):
        await asyncio.wait_for(looks.acquire(), PATIENCE_SECONDS)

    looking.cancel()
    await asyncio.wait([looking])


async def test_every_process_looks(resources: Resources) -> None:
    assert resources.revocations.run in _loops(resources)
