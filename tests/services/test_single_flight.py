"""One question for everybody who has it, and no answer older than the asking."""

import asyncio

import pytest

from app.services.running.single_flight import SingleFlight


class Oracle:
    """Answers with the number of the question, once it is told to speak."""

    def __init__(self) -> None:
        self.asked = 0
        self.speak = asyncio.Event()
        self.heard = asyncio.Event()

    async def answer(self, _: str) -> int:
        self.asked += 1
        number = self.asked
        self.heard.set()
        await self.speak.wait()
        return number


async def test_who_asks_while_a_question_is_under_way_shares_the_next_one() -> None:
    oracle = Oracle()
    shared = SingleFlight(oracle.answer)
    async with asyncio.TaskGroup() as callers:
        first = callers.create_task(shared.ask("key"))
        await oracle.heard.wait()
        later = [callers.create_task(shared.ask("key")) for _ in range(20)]
        oracle.speak.set()

    assert first.result() == 1
    assert {caller.result() for caller in later} == {2}
    assert oracle.asked == 2


async def test_who_asks_when_nothing_is_under_way_gets_a_new_answer() -> None:
    oracle = Oracle()
    oracle.speak.set()
    shared = SingleFlight(oracle.answer)

    assert [await shared.ask("key"), await shared.ask("key")] == [1, 2]


async def test_keys_do_not_wait_for_each_other() -> None:
    both_were_asked = asyncio.Barrier(2)

    async def answer(key: str) -> str:
        await both_were_asked.wait()
        return key

    shared = SingleFlight(answer)

    assert await asyncio.gather(shared.ask("one"), shared.ask("other")) == ["one", "other"]


async def test_somebody_else_asks_when_the_first_one_goes_away() -> None:
    oracle = Oracle()
    shared = SingleFlight(oracle.answer)
    async with asyncio.TaskGroup() as callers:
        first = callers.create_task(shared.ask("key"))
        await oracle.heard.wait()
        second = callers.create_task(shared.ask("key"))
        first.cancel()
        oracle.speak.set()

    assert second.result() == 2


async def test_what_goes_wrong_is_told_to_the_one_who_asked() -> None:
    async def fail(_: str) -> int:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await SingleFlight(fail).ask("key")


async def test_who_knows_a_good_answer_takes_what_came_meanwhile_and_asks_no_more() -> None:
    oracle = Oracle()
    kept: list[int] = []

    async def answer(key: str) -> int:
        kept.append(await oracle.answer(key))
        return kept[-1]

    def at_hand(at_least: int) -> int | None:
        return next((each for each in kept if each >= at_least), None)

    shared = SingleFlight(answer)
    async with asyncio.TaskGroup() as callers:
        first = callers.create_task(shared.ask("key", lambda: at_hand(1)))
        await oracle.heard.wait()
        content = [callers.create_task(shared.ask("key", lambda: at_hand(1))) for _ in range(20)]
        others = [callers.create_task(shared.ask("key", lambda: at_hand(2))) for _ in range(20)]
        oracle.speak.set()

    assert first.result() == 1
    assert {caller.result() for caller in content} == {1}
    assert {caller.result() for caller in others} == {2}
    assert oracle.asked == 2
