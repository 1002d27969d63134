"""What Stripe tells of an intent or a refund, in our words."""

from typing import Final

from stripe import Charge, PaymentIntent, Refund, StripeError

from app.adapters.stripe_payments.amounts import from_stripe
from app.services.money.provider import ProviderPayment, ProviderStatus, RefundStatus

_STATUSES: Final = {
    "succeeded": ProviderStatus.CAPTURED,
    "processing": ProviderStatus.PROCESSING,
    "requires_capture": ProviderStatus.PROCESSING,
    "requires_action": ProviderStatus.REQUIRES_ACTION,
    "requires_confirmation": ProviderStatus.REQUIRES_ACTION,
    "requires_payment_method": ProviderStatus.REQUIRES_ACTION,
    "canceled": ProviderStatus.VOIDED,
}
_REFUNDS: Final = {
    "succeeded": RefundStatus.DONE,
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
}
# Stripe asks not to tell a payer these: a thief would learn why.
_NOT_TOLD: Final = frozenset({"fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card"})


def payment_of(intent: PaymentIntent) -> ProviderPayment:
    """How the charge stands. A declined one is `failed`, whether its intent is canceled already or not."""
    status = _STATUSES.get(intent.status, ProviderStatus.PROCESSING)
    reason = decline_of(intent)
    if reason is not None and status in (ProviderStatus.VOIDED, ProviderStatus.REQUIRES_ACTION):
        status = ProviderStatus.FAILED
    may_act = status is ProviderStatus.REQUIRES_ACTION
    is_captured = status is ProviderStatus.CAPTURED
    return ProviderPayment(
        reference=intent.id,
        status=status,
        amount=from_stripe(intent.amount_received if is_captured else intent.amount, intent.currency),
        refunded_minor=_refunded_minor(intent),
        decline_reason=reason if status is ProviderStatus.FAILED else None,
        redirect_url=_redirect_url(intent) if may_act else None,
        client_secret=intent.client_secret if may_act else None,
    )


def is_declined(intent: PaymentIntent) -> bool:
    """Whether the last attempt to pay failed. Stripe would let the payer try again with the same intent."""
    return intent.status == "requires_payment_method" and intent.last_payment_error is not None


def decline_of(intent: PaymentIntent) -> str | None:
    """Why the last attempt to pay failed; None if none did."""
    error = intent.last_payment_error
    return None if error is None else _told(getattr(error, "decline_code", None) or getattr(error, "code", None))


def reason_of(error: StripeError) -> str:
    """Why Stripe refused a request about a payment."""
    return _told((error.error and error.error.decline_code) or error.code)


def refund_status(refund: Refund) -> RefundStatus:
    """How a refund stands; `failed` and `canceled` ones may be tried anew."""
    return _REFUNDS.get(refund.status or "", RefundStatus.FAILED)


def _told(code: str | None) -> str:
    return "card_declined" if code is None or code in _NOT_TOLD else code


def _refunded_minor(intent: PaymentIntent) -> int:
    charge = intent.latest_charge
    if not isinstance(charge, Charge):
        return 0
    return from_stripe(charge.amount_refunded, charge.currency).amount_minor


def _redirect_url(intent: PaymentIntent) -> str | None:
    """The page of the payer's bank, where Stripe was told where to come back to."""
    redirect = intent.next_action and getattr(intent.next_action, "redirect_to_url", None)
    return redirect.url if redirect else None
