"""Payments and what happened with them, and the dummy's books, in JSON (docs/api.md, section 13)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.domain.money import Money as DomainMoney
from app.domain.payments import EntryKind, Payment, PaymentStatus, RefundCause, status_of
from app.schemas.format.ids import UserIdOut
from app.schemas.format.moments import MomentOut, moment, moment_or_none
from app.schemas.format.money import Money, money_json

Json = dict[str, Any]

_PRICE: Final = {"amount_minor": 4500, "currency": "EUR"}
_REFERENCE: Final = "dummy-01a1f8cd-efb9-721d-b606-2f010a4ca70b"
_EXAMPLE: Final[Json] = {
    "id": "01a1f8cd-efb9-721d-b606-2f010a4ca70b",
    "screening_id": 1,
    "reservation_id": "01a1f8cd-ef9f-7096-b2d5-e6959f6f9f16",
    "booking_id": "01a1f8cd-efb9-721d-b606-2f010a4ca70b",
    "user_id": 17,
    "provider": "dummy",
    "reference": _REFERENCE,
    "status": "captured",
    "amount": _PRICE,
    "refunded": {"amount_minor": 0, "currency": "EUR"},
    "cause": None,
    "created_at": "2026-11-20T11:54:02.117Z",
    "entries": [
        {
            "at": "2026-11-20T11:54:02.117Z",
            "kind": "capture",
            "amount": _PRICE,
            "reference": _REFERENCE,
            "cause": None,
        }
    ],
}
_CHARGE: Final[Json] = {
    "reference": _REFERENCE,
    "amount": _PRICE,
    "charged_at": "2026-11-20T11:54:02.117Z",
    "refunded": {"amount_minor": 0, "currency": "EUR"},
    "status": "captured",
}


class EntryOut(BaseModel):
    """What happened with a payment. Nothing of this ever changes."""

    at: MomentOut
    kind: EntryKind
    amount: Money
    reference: str | None = Field(description="The provider's name for it.")
    cause: RefundCause | None = Field(description="Why money went back.")


class PaymentRecordOut(BaseModel):
    """One attempt to pay, and what happened with the money."""

    id: UUID
    screening_id: int
    reservation_id: UUID | None
    booking_id: UUID | None = Field(description="null: nothing was booked for it.")
    user_id: UserIdOut
    provider: str
    reference: str | None = Field(description="The provider's name for it, once it is known.")
    status: PaymentStatus
    amount: Money = Field(description="What is to be paid; what was taken, if the provider took something else.")
    refunded: Money
    cause: RefundCause | None = Field(description="Why money goes back, the last time.")
    created_at: MomentOut
    entries: list[EntryOut] = Field(description="What happened, in order.")

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


class PaymentsOut(BaseModel):
    """A page of payments, newest first."""

    items: list[PaymentRecordOut]
    next_cursor: str | None

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_EXAMPLE], "next_cursor": None}]})


class DummyChargeOut(BaseModel):
    """A charge as the dummy provider sees it."""

    reference: str
    amount: Money
    charged_at: MomentOut | None = Field(description="null: it was not charged.")
    refunded: Money
    status: str = Field(
        description="`pending`, `action` (the payer decides), `captured`, `partly_refunded`, `refunded`, `failed` or "
        "`voided`."
    )


class DummyBooksOut(BaseModel):
    """A page of the dummy provider's own books, newest first."""

    items: list[DummyChargeOut]
    next_cursor: str | None

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_CHARGE], "next_cursor": None}]})


@dataclass(frozen=True, slots=True)
class TheEntry:
    """What happened with a payment, as it is told."""

    at: datetime
    kind: str
    amount: DomainMoney
    reference: str | None
    cause: str | None


def payment_out(payment: Payment, screening_id: int, entries: Iterable[TheEntry]) -> Json:
    """A payment, before it is encoded."""
    currency = payment.amount.currency
    status = status_of(payment.status, payment.captured_minor, payment.refunded_minor, payment.refunding_minor)
    return {
        "id": str(payment.id),
        "screening_id": screening_id,
        "reservation_id": str(payment.reservation_id) if payment.reservation_id else None,
        "booking_id": str(payment.booking_id) if payment.booking_id else None,
        "user_id": payment.user_id,
        "provider": payment.provider,
        "reference": payment.reference,
        "status": status,
        "amount": money_json(payment.amount),
        "refunded": money_json(DomainMoney(payment.refunded_minor, currency)),
        "cause": payment.cause,
        "created_at": moment(payment.created_at),
        "entries": [
            {
                "at": moment(entry.at),
                "kind": entry.kind,
                "amount": money_json(entry.amount),
                "reference": entry.reference,
                "cause": entry.cause,
            }
            for entry in entries
        ],
    }


def charge_out(
    reference: str, status: str, amount: DomainMoney, refunded_minor: int, charged_at: datetime | None
) -> Json:
    """A charge in the dummy's books, before it is encoded."""
    if refunded_minor > 0:
        status = "refunded" if refunded_minor == amount.amount_minor else "partly_refunded"
    return {
        "reference": reference,
        "amount": money_json(amount),
        "charged_at": moment_or_none(charged_at),
        "refunded": money_json(DomainMoney(refunded_minor, amount.currency)),
        "status": status,
    }
