"""Exchanges in JSON (docs/api.md, section 13)."""

from pydantic import ConfigDict, Field

from app.schemas.bookings import PaymentIn
from app.schemas.finding.wishes import SeatsOrWish
from app.schemas.format.requests import Strict
from app.schemas.seats import SeatsWanted


class ExchangeIn(Strict):
    """Seats of a booking to give, as many others to take in their place, and how to pay a difference."""

    give: SeatsWanted = Field(description="Seats of the booking.")
    take: SeatsOrWish = Field(description="As many others: free ones, or ones that I hold; or the best available.")
    payment: PaymentIn | None = Field(None, description="For a difference to be paid.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"give": {"seats": ["C3"]}, "take": {"seats": ["D3"]}, "payment": {"method": "card", "token": "ok"}},
                {"give": {"seats": ["C3", "C4"]}, "take": {"best_available": {"count": 2}}},
            ]
        }
    )
