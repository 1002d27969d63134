"""The port of payments (services/money/provider.py) by Stripe's PaymentIntents.

An intent is made first and confirmed when its id is known. Whatever gets lost before that, nothing was charged; and
with its id an intent can always be looked at, and canceled. One attempt to pay is one intent: after a decline it is
canceled, so that nobody can pay later what we have given up.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from cachetools import TTLCache
from stripe import CardError, InvalidRequestError, PaymentIntent, Refund
from stripe.params import PaymentIntentConfirmParams, PaymentIntentCreateParams, RefundCreateParams

from app.adapters.stripe_payments.amounts import NotChargeable, to_stripe
from app.adapters.stripe_payments.asking import NOTE, KeyIsTaken, KeyIsUsed, NotTakenIn, StripeApi, noted
from app.adapters.stripe_payments.intents import REMEMBERED, REMEMBERED_SECONDS, Intents
from app.adapters.stripe_payments.readings import is_declined, payment_of, reason_of, refund_status
from app.adapters.stripe_payments.webhooks import read_event
from app.domain.money import Money
from app.services.money.provider import (
    Charge,
    ProviderAway,
    ProviderPayment,
    ProviderStatus,
    ProviderUnavailable,
    RefundStatus,
    UnknownToken,
    WebhookEvent,
)

log = logging.getLogger(__name__)


class StripePayments:
    """Implements PaymentProvider. `patience_seconds`: for each answer of Stripe."""

    name: Final = "stripe"

    def __init__(
        self,
        api_key: str,
        webhook_secret: str,
        *,
        return_url: str | None = None,
        api_base: str | None = None,
        patience_seconds: float = 20.0,
    ) -> None:
        self._api = StripeApi(api_key, api_base, patience_seconds)
        self._intents = Intents(self._api)
        self._webhook_secret = webhook_secret
        self._return_url = return_url
        self._redirects: Literal["always", "never"] = "never" if return_url is None else "always"
        self._refused_refunds: TTLCache[str, int] = TTLCache(REMEMBERED, REMEMBERED_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def is_certain(self, method: str | None, token: str | None) -> bool:
        """Never: only Stripe knows."""
        return False

    def check(self, method: str | None, token: str | None) -> None:
        """A payment method (`pm_...`), a confirmation token (`ctoken_...`) or neither. Raises UnknownToken."""
        if method is not None and token is not None:
            raise UnknownToken("a method or a token, not both")
        if method is not None and not method.startswith("pm_"):
            raise UnknownToken("a method of Stripe begins with pm_")
        if token is not None and not token.startswith("ctoken_"):
            raise UnknownToken("a token of Stripe begins with ctoken_")

    async def charge(self, charge: Charge) -> ProviderPayment:
        """Charge. With neither method nor token, the payer pays in their browser, with the client secret.

        Raises ProviderUnavailable where it is certain that nothing was charged.
        """
        try:
            wanted = self._wanted(charge)
        except NotChargeable as error:
            log.error("Stripe cannot charge this price: %s", error)
            return _failed(charge, "amount_not_chargeable")
        try:
            intent = await self._create(charge, wanted)
        except InvalidRequestError as error:
            log.error("Stripe refuses a payment of %s %s: %s", *_parts(charge.amount), error.user_message)
            return _failed(charge, reason_of(error))
        if charge.method is None and charge.token is None:
            return await self._current(intent)
        return await self._confirm(intent.id, charge)

    async def look_up(self, key: str, reference: str | None) -> ProviderPayment | None:
        """How a charge stands; None if Stripe cannot find it, which is certain only after `void`."""
        reference = reference or await self._intents.find(key)
        if reference is None:
            return None
        intent = await self._intents.retrieve(reference)
        return await self._intents.call_off(reference) if is_declined(intent) else payment_of(intent)

    async def void(self, key: str, reference: str | None) -> ProviderPayment | None:
        """Call a charge off. None: it never began, and can never begin."""
        reference = reference or await self._intents.find(key) or await self._intents.bar(key)
        return None if reference is None else await self._intents.call_off(reference)

    async def refund(self, reference: str, amount: Money, key: str) -> RefundStatus:
        """Give money back. A refund that failed is tried anew when it is asked for again."""
        tried = await self._tries(reference, key)
        if tried and (status := refund_status(tried[0])) is not RefundStatus.FAILED:
            return status
        # A key of Stripe's for each try: what failed or was refused would only be told again.
        refused = self._refused_refunds.get(key, 0)
        try:
            wanted: RefundCreateParams = {
                "payment_intent": reference, "amount": to_stripe(amount), "metadata": {NOTE: key}
            }  # fmt: skip
            return refund_status(await self._api.refund(f"{key}:{len(tried)}:{refused}", wanted))
        except NotChargeable as error:
            log.error("Stripe cannot give back a part of %s: %s", reference, error)
            return RefundStatus.FAILED
        except InvalidRequestError as error:
            if error.code == "charge_already_refunded":
                log.warning("Payment %s was refunded wholly, and not by us alone", reference)
                return RefundStatus.DONE
            log.error("Stripe refuses to refund %s %s of %s: %s", *_parts(amount), reference, error.user_message)
            self._refused_refunds[key] = refused + 1
            return RefundStatus.FAILED

    async def look_up_refund(self, reference: str, key: str) -> RefundStatus | None:
        """How the last try of a refund stands. None: nothing was tried here."""
        tried = await self._tries(reference, key)
        return refund_status(tried[0]) if tried else None

    async def _tries(self, reference: str, key: str) -> list[Refund]:
        """All tries of a refund, newest first."""
        return [refund for refund in await self._api.refunds(reference) if noted(refund) == key]

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[WebhookEvent]:
        """What a webhook says of a payment. Raises BadSignature."""
        return read_event(self._api.client, self._webhook_secret, headers.get("stripe-signature"), body, now)

    def _wanted(self, charge: Charge) -> PaymentIntentCreateParams:
        notes = {"usher_payment_id": str(charge.payment_id), "usher_screening_id": str(charge.screening_id)}
        wanted: PaymentIntentCreateParams = {
            "amount": to_stripe(charge.amount),
            "currency": charge.amount.currency.lower(),
            "automatic_payment_methods": {
                "enabled": True,
                "allow_redirects": "always" if self._return_url else "never",
            },
            "metadata": {**notes, NOTE: charge.key},
        }
        if charge.description:
            wanted["description"] = charge.description
        return wanted

    async def _create(self, charge: Charge, wanted: PaymentIntentCreateParams) -> PaymentIntent:
        try:
            intent = await self._api.create(charge.key, wanted)
        except KeyIsTaken as error:
            _tell_of_misuse(error, charge)
            raise
        except ProviderAway as error:
            if self._intents.remembers(charge.key):  # it was charged before, and that may have gone further
                raise
            raise ProviderUnavailable(str(error)) from error
        self._intents.remember(charge.key, intent.id)
        return intent

    async def _confirm(self, reference: str, charge: Charge) -> ProviderPayment:
        how: PaymentIntentConfirmParams = {"expand": ["latest_charge"]}
        if charge.token is not None:
            how["confirmation_token"] = charge.token
        elif charge.method is not None:
            how["payment_method"] = charge.method
        if self._return_url is not None:
            how["return_url"] = self._return_url
        try:
            intent = await self._api.confirm(f"{charge.key}:confirm", reference, how)
        except NotTakenIn as error:
            raise ProviderUnavailable(str(error)) from error
        except KeyIsTaken as error:
            _tell_of_misuse(error, charge)
            raise
        except CardError as error:
            return await self._declined(reference, charge, reason_of(error))
        except InvalidRequestError as error:
            log.warning("Stripe refuses to confirm %s: %s", reference, error.user_message)
            return await self._declined(reference, charge, reason_of(error))
        return await self._current(intent)

    async def _declined(self, reference: str, charge: Charge, reason: str) -> ProviderPayment:
        """Nobody but us can confirm this intent again, so it stays failed even if it cannot be canceled now."""
        failed = _failed(charge, reason, reference)
        try:
            called_off = await self._intents.call_off(reference)
        except ProviderAway:
            return failed
        return failed if called_off.status is ProviderStatus.VOIDED else called_off

    async def _current(self, intent: PaymentIntent) -> ProviderPayment:
        """An answer that Stripe had kept tells of then, not of now."""
        last = intent.last_response
        is_kept = last is not None and last.headers.get("idempotent-replayed") == "true"
        return payment_of(await self._intents.retrieve(intent.id) if is_kept else intent)


def _failed(charge: Charge, reason: str, reference: str | None = None) -> ProviderPayment:
    return ProviderPayment(reference or charge.key, ProviderStatus.FAILED, charge.amount, decline_reason=reason)


def _tell_of_misuse(error: KeyIsTaken, charge: Charge) -> None:
    if isinstance(error, KeyIsUsed):
        log.error("Payment %s was sent twice, and not alike: %s", charge.payment_id, error)


def _parts(money: Money) -> tuple[int, str]:
    return money.amount_minor, money.currency
