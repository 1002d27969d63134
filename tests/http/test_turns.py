"""What is larger than usual is read in a turn of the event loop that has time for it, and is charged to that turn."""

import asyncio
from itertools import count
from typing import Any

import pytest

from app.http import bodies
from app.http.bodies import has_usual_head, in_its_turn
from app.server.protocols.turns import TURN_SECONDS, Turn, turn_of


@pytest.fixture
async def scope() -> dict[str, Any]:
    """A request of a connection whose loop has spent nothing in this turn."""
    state: dict[str, Any] = {}
    turn_of(state, asyncio.get_running_loop())
    return {"state": state}


def turn_in(scope: dict[str, Any]) -> Turn:
    return turn_of(scope["state"], asyncio.get_running_loop())


async def test_it_waits_for_a_turn_that_has_time(scope: dict[str, Any]) -> None:
    turn = turn_in(scope)
    turn.spend(2 * TURN_SECONDS)

    async def work() -> bool:
        return turn.is_over

    assert turn.is_over
    assert await in_its_turn(scope, work) is False


async def test_a_turn_lasts_until_the_loop_has_been_around(scope: dict[str, Any]) -> None:
    """However many connections had something in it, be it next to nothing."""
    turn, loop, over = turn_in(scope), asyncio.get_running_loop(), asyncio.Queue[bool]()
    turn.spend(0.0)
    loop.call_soon(turn.spend, 2 * TURN_SECONDS)
    turn.spend(0.0)
    loop.call_soon(lambda: over.put_nowait(turn.is_over))

    assert await over.get()


async def test_each_of_its_steps_is_charged(scope: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count(step=TURN_SECONDS)
    monkeypatch.setattr(bodies, "perf_counter", lambda: next(clock) * 1.5)
    over: list[bool] = []

    async def work() -> None:
        await asyncio.sleep(0)
        over.append(turn_in(scope).is_over)

    await in_its_turn(scope, work)

    assert over == [False]  # a new turn began
    assert turn_in(scope).is_over


async def test_what_it_raises_is_raised_and_what_is_thrown_at_it_arrives(scope: dict[str, Any]) -> None:
    ended: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    with pytest.raises(ValueError, match="no"):
        await in_its_turn(scope, fail)
    waiting = asyncio.ensure_future(in_its_turn(scope, wait))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])

    assert waiting.cancelled()
    assert ended == ["cancelled"]


async def test_without_a_server_that_counts_there_is_nothing_to_wait_for() -> None:
    async def work() -> str:
        return "done"

    assert await in_its_turn({"type": "http"}, work) == "done"


@pytest.mark.parametrize(
    ("unusual", "usual"),
    [
        ({}, True),
        ({"raw_path": b"/" + b"a" * 2_000}, False),
        ({"query_string": b"a" * 2_000}, False),
        ({"headers": [(b"a", b"")] * 60}, False),
    ],
)
def test_which_heads_are_usual(unusual: dict[str, Any], usual: bool) -> None:
    scope = {"raw_path": b"/screenings", "query_string": b"", "headers": [(b"host", b"x")]} | unusual

    assert has_usual_head(scope) is usual
