"""The heartbeat: PostgreSQL is silent only while somebody listens."""

import asyncio
import time

import pytest
from sqlalchemy import text

from app.db import heartbeat as module
from app.db.heartbeat import _within
from tests.conftest import MakeSettings
from tests.listeners import house


async def late(turns: int) -> str:
    """An answer after so many turns of the loop, each of which is held up."""
    for _ in range(turns):
        time.sleep(0.03)  # noqa: ASYNC251 - it is what holds the loop up
        await asyncio.sleep(0)
    return "here"


async def test_a_loop_that_is_held_up_does_not_count_as_silence() -> None:
    assert await _within(0.1, late(20)) == "here"


async def test_silence_that_is_listened_to_has_an_end() -> None:
    with pytest.raises(TimeoutError):
        await _within(0.1, asyncio.sleep(3_600))


async def test_silence_has_an_end_however_busy_the_loop_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS_AT_MOST", 20)

    with pytest.raises(TimeoutError):
        await _within(0.01, late(10_000))


async def test_what_is_raised_is_passed_on() -> None:
    async def refused() -> None:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        await _within(10.0, refused())


async def test_a_busy_loop_cuts_off_nobody_from_postgresql(make_settings: MakeSettings) -> None:
    # An answer is heard three turns after the question: later than silence lasts, but nobody listened meanwhile.
    async with house(make_settings(postgresql_silence_seconds=1)) as usher, usher.resources.engine.connect() as ours:
        for _ in range(30):
            time.sleep(0.2)  # noqa: ASYNC251 - it is what holds the loop up
            await asyncio.sleep(0)

        assert usher.resources.heartbeat.is_there
        assert await ours.scalar(text("SELECT 1")) == 1
