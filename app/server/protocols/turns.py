"""How long the input of all connections may keep the event loop in one turn: nobody waits for what a stranger sends."""

from asyncio import AbstractEventLoop
from typing import Any, Final

TURN_SECONDS: Final = 0.005
"""What is begun is finished, and other work is done in the same turn: so a turn is up to 20 ms long."""
_NAME: Final = "usher.turn"


class Turn:
    """One per loop. It begins anew with each turn of the loop."""

    __slots__ = ("_ends", "_loop", "_spent")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._spent = 0.0
        self._ends = False

    @property
    def is_over(self) -> bool:
        """Whoever has more to read goes on in the next turn."""
        return self._spent > TURN_SECONDS

    def spend(self, seconds: float) -> None:
        """Count what was spent on somebody's input. Measure it with `perf_counter`: uvloop's time has milliseconds."""
        if not self._ends:
            self._ends = True
            self._loop.call_soon(self._begin_anew)
        self._spent += seconds

    def _begin_anew(self) -> None:
        self._spent = 0.0
        self._ends = False


def turn_of(app_state: dict[str, Any], loop: AbstractEventLoop) -> Turn:
    """The turn that all connections of a server share: it is kept in the state that uvicorn gives to each of them."""
    turn = app_state.get(_NAME)
    if not isinstance(turn, Turn):
        turn = app_state[_NAME] = Turn(loop)
    return turn
