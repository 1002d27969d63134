"""One question at a time for each key: who asks while it is being answered waits, and shares the next answer."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Round(Generic[V]):
    """The questions of one key, numbered as they are put; it lives as long as somebody waits."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.asked = 0
        self.answered = 0
        self.answer: V


class SingleFlight(Generic[K, V]):
    """Puts a question once for everybody who has it. No answer is older than the moment of asking."""

    def __init__(self, answer: Callable[[K], Awaitable[V]]) -> None:
        self._answer = answer
        self._rounds: WeakValueDictionary[K, _Round[V]] = WeakValueDictionary()

    async def ask(self, key: K, at_hand: Callable[[], V | None] | None = None) -> V:
        """The answer for a key, from a question that was put after this call. Raises what answering raises.

        With `at_hand` the caller knows a good answer when they see it, whenever the question was put (because it has a
        version): they share only what `at_hand` finds when their turn comes, and ask if that is None.
        """
        round_ = self._rounds.setdefault(key, _Round())
        asked_before = round_.asked
        async with round_.lock:
            if at_hand is not None:
                found = at_hand()
                if found is not None:
                    return found
            elif round_.answered > asked_before:
                return round_.answer
            round_.asked += 1
            number = round_.asked
            round_.answer = await self._answer(key)
            round_.answered = number
            return round_.answer
