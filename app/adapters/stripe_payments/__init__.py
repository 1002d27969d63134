"""Payments by Stripe. Imported only where PAYMENT_PROVIDER=stripe: the library is large (docs/payments.md)."""

from app.adapters.stripe_payments.payments import StripePayments

__all__ = ["StripePayments"]
