"""Ids of people: drawn at random, so that none is ever given twice.

A sequence can go back: after a fail-over to a standby that had not heard of its last values, after a restore, and where
tables are distributed. Then a newcomer would get the id of somebody whose token is still out, and with it what they
hold. The columns keep their sequences for an earlier release, while an upgrade is under way.
"""

import secrets
from typing import Final

_BITS: Final = 53
"""As many as JavaScript reads exactly."""
_TOGETHER_BITS: Final = 12


def new_id() -> int:
    """An id for one user."""
    return secrets.choice(new_ids())


def new_ids() -> range:
    """4,096 ids that follow each other, for users who come one after the other.

    With ten million users, a new block is somebody else's once in 900 million times; then the primary key refuses it.
    """
    block = 1 + secrets.randbelow((1 << _BITS - _TOGETHER_BITS) - 1)
    return range(block << _TOGETHER_BITS, block + 1 << _TOGETHER_BITS)
