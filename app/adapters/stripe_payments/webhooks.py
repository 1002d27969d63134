"""Stripe's events. The library checks the signature; we check the time in it against the database's clock."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from stripe import SignatureVerificationError, StripeClient

from app.adapters.stripe_payments.amounts import from_stripe
from app.adapters.stripe_payments.asking import noted
from app.services.money.provider import BadSignature, ProviderStatus, WebhookEvent

log = logging.getLogger(__name__)

_TOLERANCE_SECONDS: Final = 300
# What of these is true now is asked: events come late and in any order, and after a decline the payer may have paid.
_LOOK_AGAIN: Final = frozenset(
    {
        "payment_intent.payment_failed", "payment_intent.canceled",
        "charge.refunded", "charge.refund.updated", "refund.updated", "refund.failed",
    }
)  # fmt: skip


def read_event(
    client: StripeClient, secret: str, signature: str | None, body: bytes, now: datetime
) -> Sequence[WebhookEvent]:
    """What the event says of a payment; nothing if it is of another kind. `now` in UTC.

    Raises:
        BadSignature: it is not signed with the secret, not within five minutes of now, or no event.
    """
    try:
        # 0: the library would compare with the clock of this process, and only with the past.
        event = client.construct_event(body, signature, secret, 0)
    except SignatureVerificationError as error:
        raise BadSignature(error.user_message or "not signed by Stripe") from None
    except (ValueError, AttributeError):
        raise BadSignature("not an event of Stripe") from None
    if abs(now.timestamp() - _signed_at(signature or "")) > _TOLERANCE_SECONDS:
        raise BadSignature("signed more than five minutes away from now")
    about: Any = event.data.object
    if event.type == "payment_intent.succeeded":
        received = from_stripe(about.amount_received, about.currency)
        return [WebhookEvent(event.id, about.id, ProviderStatus.CAPTURED, received)]
    if event.type == "refund.failed":
        log.error("Refund %s did not reach the payer; the money is back in the balance at Stripe", about.id)
    if event.type in _LOOK_AGAIN:
        intent = about.id if about.object == "payment_intent" else getattr(about, "payment_intent", None)
        refund_key = noted(about) if about.object == "refund" else None
        return [WebhookEvent(event.id, str(intent), None, None, refund_key)] if intent is not None else []
    return []


def _signed_at(signature: str) -> int:
    """The time in a header that was found good: `t=1700000000,v1=...`."""
    return next(int(value) for name, _, value in (part.partition("=") for part in signature.split(",")) if name == "t")
