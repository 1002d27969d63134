"""Where an intent is found again, by its id or by our key, and how it is called off."""

import logging
import time
from typing import Final

from cachetools import TTLCache
from stripe import InvalidRequestError, PaymentIntent

from app.adapters.stripe_payments.asking import KeyIsTaken, StripeApi
from app.adapters.stripe_payments.readings import payment_of
from app.services.money.provider import ProviderAway, ProviderPayment

log = logging.getLogger(__name__)

REMEMBERED: Final = 10_000
REMEMBERED_SECONDS: Final = 24 * 3_600


class Intents:
    """The intents that were made here or elsewhere. Every question may raise ProviderAway."""

    def __init__(self, api: StripeApi) -> None:
        self._api = api
        self._references: TTLCache[str, str] = TTLCache(REMEMBERED, REMEMBERED_SECONDS)

    def remember(self, key: str, reference: str) -> None:
        """This process made the intent: it need not be searched."""
        self._references[key] = reference

    def remembers(self, key: str) -> bool:
        """Whether this process made an intent with this key, in the last day."""
        return key in self._references

    async def find(self, key: str) -> str | None:
        """The id of the intent with this key. None: there is none, or it is so young that a search does not show it."""
        try:
            return self._references.get(key) or await self._api.search(key)
        except InvalidRequestError as error:  # accounts in India cannot search
            log.warning("Stripe does not search: %s", error.user_message)
            return None

    async def bar(self, key: str) -> str | None:
        """See to it that a charge which was not found never begins; or find it after all, and give its id.

        An intent of another kind takes its idempotency key. If Stripe accepts that one, ours was never made, and cannot
        be made any more. If Stripe says that the key was used for something else, ours is there.
        """
        try:
            bar = await self._api.create(
                key,
                {
                    "amount": 1_000,
                    "currency": "usd",
                    "description": "Called off before it began",
                    "metadata": {"usher_instead_of": key},
                },
            )
        except KeyIsTaken as error:
            found = await self._api.search_recent(key, time.time())
            if found is None:
                raise ProviderAway("the payment was begun, and is not found yet") from error
            return found
        except InvalidRequestError as error:
            log.error("Stripe does not say whether a payment was begun: %s", error.user_message)
            raise ProviderAway("it is not known whether the payment was begun") from error
        await self.call_off(bar.id)
        return None

    async def call_off(self, reference: str) -> ProviderPayment:
        """Cancel an intent, and say how it stands: `captured` or `processing` if it is too late."""
        try:
            return payment_of(await self._api.cancel(reference))
        except InvalidRequestError:
            return payment_of(await self.retrieve(reference))

    async def retrieve(self, reference: str) -> PaymentIntent:
        """An intent as it is now."""
        try:
            return await self._api.retrieve(reference)
        except InvalidRequestError as error:
            log.error("Stripe does not know %s; is STRIPE_API_KEY of another account? %s", reference, error.code)
            raise ProviderAway(f"Stripe: {error.code}") from error
