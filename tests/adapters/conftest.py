"""A Stripe of the test's own, and the adapter that speaks to it."""

from collections.abc import AsyncIterator, Callable

import pytest

from app.adapters.stripe_payments import StripePayments
from tests.adapters.stripe_stand_in import API_KEY, WEBHOOK_SECRET, StripeStandIn

OpenPayments = Callable[..., StripePayments]


@pytest.fixture
async def stripe() -> AsyncIterator[StripeStandIn]:
    """The other side, on a real socket."""
    async with StripeStandIn().listening() as stand_in:
        yield stand_in


@pytest.fixture
async def open_payments(stripe: StripeStandIn) -> AsyncIterator[OpenPayments]:
    """Opens an adapter, as each process has one."""
    opened: list[StripePayments] = []

    def open_one(
        api_key: str = API_KEY, *, return_url: str | None = None, patience_seconds: float = 20.0
    ) -> StripePayments:
        opened.append(
            StripePayments(
                api_key,
                WEBHOOK_SECRET,
                return_url=return_url,
                api_base=stripe.url,
                patience_seconds=patience_seconds,
            )
        )
        return opened[-1]

    yield open_one
    for one in opened:
        await one.close()


@pytest.fixture
def payments(open_payments: OpenPayments) -> StripePayments:
    """The adapter of a process."""
    return open_payments()
