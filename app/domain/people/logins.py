"""How long an address waits between passwords for an account: the longer, the more of them were wrong.

Nobody is locked out by strangers. Another address has tries of its own for the account, even while thousands of others
guess; and from where somebody has signed in lately they wait for seconds only, whatever others do there.
"""

from typing import Final

from app.domain.values import value

GUESSED_AT: Final = 20
"""An account with more wrong passwords than that within a day, from everywhere, is being guessed at."""
REMEMBERED_SECONDS: Final = 86_400
"""So long after the last wrong password they all count."""
KNOWN_SECONDS: Final = 30 * 86_400
"""So long an address is known after somebody has signed in from there."""


@value(frozen=True, slots=True)
class Pauses:
    """After the nth password of an address for an account comes the nth pause, in seconds; the last one stays."""

    seconds: tuple[int, ...]

    def after(self, tries: int) -> int:
        """The pause after so many tries, of which none was right."""
        return self.seconds[min(tries, len(self.seconds)) - 1]


def _growing(free: int, longest: int) -> Pauses:
    """So many tries are free; then a second, and each time twice as long."""
    doubled = (min(longest, 2**each) for each in range(longest.bit_length() + 1))
    return Pauses((*(0 for _ in range(free)), *doubled))


CALM: Final = _growing(free=4, longest=900)
GUESSED: Final = _growing(free=0, longest=900)
KNOWN: Final = _growing(free=19, longest=10)


def pauses(everywhere: int, *, is_known: bool) -> Pauses:
    """The pauses of an address that is known for the account or not, with so many wrong passwords from everywhere."""
    if is_known:
        return KNOWN
    return GUESSED if everywhere > GUESSED_AT else CALM
