"""Stripe's events. The library checks the signature; we check the time in it against the database's clock."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from stripe import SignatureVerificationError, StripeClient

from app.adapters.stripe_payments.amounts import from_stripe
from app.services.money.provider import BadSignature, ProviderStatus, WebhookEvent

_TOLERANCE_SECONDS: Final = 300
_ABOUT_AN_INTENT: Final = {
    "payment_intent.succeeded": ProviderStatus.CAPTURED,
    "payment_intent.payment_failed": ProviderStatus.FAILED,
    "payment_intent.canceled": ProviderStatus.VOIDED,
}
_ABOUT_MONEY_BACK: Final = frozenset({"charge.refunded", "refund.updated", "refund.failed"})


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
    if event.type in _ABOUT_AN_INTENT:
        status = _ABOUT_AN_INTENT[event.type]
        amount = about.amount_received if status is ProviderStatus.CAPTURED else about.amount
        return [WebhookEvent(event.id, about.id, status, from_stripe(amount, about.currency))]
    if event.type in _ABOUT_MONEY_BACK and (intent := getattr(about, "payment_intent", None)) is not None:
        return [WebhookEvent(event.id, str(intent), None, None)]
    return []


def _signed_at(signature: str) -> int:
    """The time in a header that was found good: `t=1700000000,v1=...`."""
    return next(int(value) for name, _, value in (part.partition("=") for part in signature.split(",")) if name == "t")
