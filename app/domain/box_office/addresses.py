"""From where somebody without an account holds seats, and how many seats may be held from there at a time.

Counted for each screening: its seats are what one caller could keep from all others.
"""

from dataclasses import dataclass
from typing import Final

NETWORK_FACTOR: Final = 4
"""How many times as many seats may be held from all addresses of a network (IPv4 /24, IPv6 /56)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Keyed hashes of a client address and of its network. `allowed` seats are held and unpaid at a time from it."""

    address: bytes
    network: bytes
    allowed: int


@dataclass(frozen=True, slots=True)
class HeldFrom:
    """The same of a hold that was made from there."""

    address: bytes
    network: bytes
