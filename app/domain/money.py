"""Money is a whole number of minor units with its currency; never a float."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents) of an ISO 4217 currency."""

    amount_minor: int
    currency: str


def total(prices: Iterable[Money], currency: str) -> Money:
    """The sum of prices of one currency; nothing costs zero of `currency`."""
    return Money(sum(price.amount_minor for price in prices), currency)
