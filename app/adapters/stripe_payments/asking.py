"""Questions to Stripe's API: one client, a time for each answer, and what Stripe's errors mean for us."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Final, TypeVar

import stripe
from stripe import HTTPXClient, PaymentIntent, Refund, StripeClient
from stripe.params import PaymentIntentConfirmParams, PaymentIntentCreateParams, RefundCreateParams

from app.services.money.provider import ProviderAway

log = logging.getLogger(__name__)

API_VERSION: Final = "2026-10-28.endive"
"""The shapes that this adapter knows. Read Stripe's changelog before you change it."""
NOTE: Final = "usher_key"
"""Where in the metadata of an intent or a refund its key of ours is."""
_PAGES: Final = 50
_A_DAY_SECONDS: Final = 25 * 3_600

T = TypeVar("T")


class NotTakenIn(ProviderAway):
    """Stripe refused the request at the door: too many, or our API key is not good for it. Nothing was done."""


class KeyIsTaken(ProviderAway):
    """Another request has or had this key or this intent: what came of that one is not known here."""


class KeyIsUsed(KeyIsTaken):
    """A request with other parameters had this key."""


class StripeApi:
    """Stripe's API, as far as we use it. Every call may raise ProviderAway; CardError and InvalidRequestError pass."""

    def __init__(self, api_key: str, api_base: str | None, patience_seconds: float) -> None:
        stripe.enable_telemetry = False  # it would write a file and tell Stripe about this machine
        self._http = HTTPXClient(timeout=patience_seconds)
        self._patience_seconds = patience_seconds
        self.client = StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base} if api_base else {},
            max_network_retries=1,
            http_client=self._http,
        )

    async def create(self, key: str, wanted: PaymentIntentCreateParams) -> PaymentIntent:
        """Make an intent. Nothing is charged until it is confirmed."""
        return await self._ask(self.client.v1.payment_intents.create_async(wanted, {"idempotency_key": key}))

    async def confirm(self, key: str, reference: str, how: PaymentIntentConfirmParams) -> PaymentIntent:
        """Charge. Sent once only: a second try could be refused where the first one had charged."""
        return await self._ask(
            self.client.v1.payment_intents.confirm_async(
                reference, how, {"idempotency_key": key, "max_network_retries": 0}
            )
        )

    async def retrieve(self, reference: str) -> PaymentIntent:
        """An intent as it is now, with its charge."""
        return await self._ask(self.client.v1.payment_intents.retrieve_async(reference, {"expand": ["latest_charge"]}))

    async def cancel(self, reference: str) -> PaymentIntent:
        """Cancel an intent: then nothing can be charged any more. Raises InvalidRequestError where it is too late."""
        return await self._ask(
            self.client.v1.payment_intents.cancel_async(
                reference, {"cancellation_reason": "abandoned", "expand": ["latest_charge"]}
            )
        )

    async def search(self, key: str) -> str | None:
        """The id of the intent with this key. One that is younger than a minute or so may not be found."""
        found = await self._ask(
            self.client.v1.payment_intents.search_async({"query": f"metadata['{NOTE}']:'{key}'", "limit": 1})
        )
        return found.data[0].id if found.data else None

    async def search_recent(self, key: str, now: float) -> str | None:
        """The same among the newest intents of the last day (`now`: Unix seconds): slow, but nothing is too young."""
        page = await self._ask(
            self.client.v1.payment_intents.list_async({"created": {"gte": int(now) - _A_DAY_SECONDS}, "limit": 100})
        )
        for _ in range(_PAGES):
            for intent in page.data:
                if noted(intent) == key:
                    return intent.id
            if not page.has_more:
                break
            page = await self._ask(page.next_page_async())
        return None

    async def refund(self, key: str, wanted: RefundCreateParams) -> Refund:
        """Give money back."""
        return await self._ask(self.client.v1.refunds.create_async(wanted, {"idempotency_key": key}))

    async def refunds(self, reference: str) -> list[Refund]:
        """All refunds of an intent, newest first."""
        page = await self._ask(self.client.v1.refunds.list_async({"payment_intent": reference, "limit": 100}))
        found = list(page.data)
        while page.has_more:
            page = await self._ask(page.next_page_async())
            found += page.data
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]  # as it is documented

    async def _ask(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await answer
        except TimeoutError:
            raise ProviderAway("Stripe did not answer in time") from None
        except (stripe.CardError, stripe.InvalidRequestError):
            raise
        except stripe.IdempotencyError as error:
            raise KeyIsUsed(f"Stripe knows this key with other parameters (request {error.request_id})") from error
        except stripe.RateLimitError as error:
            code = error.error and error.error.code
            said = f"Stripe answered {error.http_status} {code}"
            raise (KeyIsTaken(said) if code == "lock_timeout" else NotTakenIn(said)) from error
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            log.error("Stripe does not accept STRIPE_API_KEY (%s): %s", error.http_status, error.user_message)
            raise NotTakenIn(f"Stripe answered {error.http_status}") from error
        except stripe.StripeError as error:
            said = f"Stripe: {type(error).__name__} {error.http_status or ''}".rstrip()
            raise (KeyIsTaken(said) if error.http_status == 409 else ProviderAway(said)) from error


def noted(thing: PaymentIntent | Refund) -> str | None:
    """The key of ours that an intent or a refund was made with."""
    metadata = getattr(thing, "metadata", None)
    return str(metadata[NOTE]) if metadata is not None and NOTE in metadata else None
