"""Money in JSON: {"amount_minor": 2500, "currency": "EUR"}."""

from typing import Any

from pydantic import BaseModel

from app.domain.money import Money as Amount


class Money(BaseModel):
    """An amount in minor units (cents) of an ISO 4217 currency."""

    amount_minor: int
    currency: str


def money_json(money: Amount) -> dict[str, Any]:
    return {"amount_minor": money.amount_minor, "currency": money.currency}
