"""Amounts as Stripe counts them. Ours are minor units of ISO 4217; Stripe's differ for a few currencies.

https://docs.stripe.com/currencies tells which: for ISK and UGX it wants two decimals that are always zero, for MGA it
knows no decimals, and of the three decimals of others the last must be 0.
"""

from typing import Final

from app.domain.money import Money

_TIMES: Final = {"ISK": 100, "UGX": 100}
_WHOLE: Final = {"MGA": 100}
_TENS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


class NotChargeable(Exception):
    """Stripe cannot take exactly this amount in this currency."""


def to_stripe(money: Money) -> int:
    """The amount in Stripe's units. Raises NotChargeable rather than round."""
    unit = _WHOLE.get(money.currency, 10 if money.currency in _TENS else 1)
    if money.amount_minor % unit:
        raise NotChargeable(f"{money.amount_minor} {money.currency} is not a multiple of {unit} minor units")
    return money.amount_minor * _TIMES.get(money.currency, 1) // _WHOLE.get(money.currency, 1)


def from_stripe(amount: int, currency: str) -> Money:
    """An amount that Stripe told; `currency` in lower or upper case.

    Part of a minor unit (an ISK with decimals) counts as a whole one more: then it is no amount that we asked for.
    """
    code = currency.upper()
    return Money(-(-amount // _TIMES.get(code, 1)) * _WHOLE.get(code, 1), code)
