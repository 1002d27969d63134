"""Money in JSON: {"amount_minor": 2500, "currency": "EUR"}."""

from typing import Any

from app.domain.money import Money


def money_json(money: Money) -> dict[str, Any]:
    return {"amount_minor": money.amount_minor, "currency": money.currency}
