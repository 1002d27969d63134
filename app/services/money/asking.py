"""Asks payment providers, and never waits for one longer than is allowed. What is not certain is None: ask again."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from app.domain.box_office.commands import Said
from app.domain.money import Money
from app.domain.payments import Payment, PaymentState
from app.domain.refusals import PaymentsUnavailable
from app.outages import Seldom
from app.services.money.provider import (
    Charge,
    PaymentProvider,
    ProviderAway,
    ProviderPayment,
    ProviderStatus,
    ProviderUnavailable,
    RefundStatus,
)

log = logging.getLogger(__name__)


ANSWERS_WITHIN_SECONDS: Final = 10.0
"""So long a question may take that nobody waits for."""

_STATES: Final = {
    ProviderStatus.PROCESSING: PaymentState.PENDING,
    ProviderStatus.REQUIRES_ACTION: PaymentState.REQUIRES_ACTION,
    ProviderStatus.CAPTURED: PaymentState.CAPTURED,
    ProviderStatus.FAILED: PaymentState.FAILED,
    ProviderStatus.VOIDED: PaymentState.VOIDED,
}


class Asking:
    """One per process. `providers` by their names: payments stay with the one that they began with."""

    def __init__(self, providers: Mapping[str, PaymentProvider], wait_seconds: float) -> None:
        """`wait_seconds`: how long a caller waits (PAYMENT_WAIT_SECONDS)."""
        self._providers = providers
        self._wait_seconds = wait_seconds
        self._failures = Seldom()

    def provider(self, name: str) -> PaymentProvider:
        """A provider by its name. Raises ProviderUnavailable: it is not set up here."""
        provider = self._providers.get(name)
        if provider is None:
            raise ProviderUnavailable
        return provider

    async def charge(self, screening_id: int, payment: Payment, method: str | None, token: str | None) -> Said | None:
        """Charge, and say what came of it within the time that a caller waits.

        Raises PaymentsUnavailable if it is certain that nothing was charged, and nothing ever will be.
        """
        charge = Charge(
            key=key_of(screening_id, payment.id),
            screening_id=screening_id,
            payment_id=payment.id,
            amount=payment.amount,
            method=method,
            token=token,
            metadata={"screening_id": str(screening_id), "payment_id": str(payment.id)},
        )
        try:
            async with asyncio.timeout(self._wait_seconds):
                try:
                    return said_of(await self.provider(payment.provider).charge(charge), payment)
                except ProviderUnavailable:
                    raise PaymentsUnavailable from None
                except ProviderAway:
                    said = await self._called_off(charge.key, payment)
        except (TimeoutError, ProviderAway):
            return None
        if said is not None and said.status is PaymentState.VOIDED:
            raise PaymentsUnavailable
        return said

    async def find_out(self, screening_id: int, payment: Payment, now: datetime) -> Said | None:
        """What the provider says of a payment. After its deadline, or if the provider knows nothing, it is called off.

        None: not certain yet.
        """
        key = key_of(screening_id, payment.id)
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_SECONDS):
                found = await self.provider(payment.provider).look_up(key, payment.reference)
                is_over = payment.deadline is None or now >= payment.deadline
                if found is not None and (found.status in _DECIDED or not is_over):
                    return said_of(found, payment)
                return await self._called_off(key, payment)
        except (ProviderAway, TimeoutError) as away:
            if self._failures.is_due((payment.provider, type(away))):
                log.warning("the payment provider %s does not answer: %s", payment.provider, type(away).__name__)
            return None

    async def refund(self, provider: str, reference: str, amount: Money, key: str) -> bool:
        """Whether the money went back."""
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_SECONDS):
                return await self.provider(provider).refund(reference, amount, key) is RefundStatus.DONE
        except (ProviderAway, TimeoutError):
            return False

    async def refund_stands(self, provider: str, reference: str, key: str) -> RefundStatus | None:
        """How a refund stands; None: the provider knows of none. Raises ProviderAway: it does not answer."""
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_SECONDS):
                return await self.provider(provider).look_up_refund(reference, key)
        except TimeoutError:
            raise ProviderAway from None

    async def _called_off(self, key: str, payment: Payment) -> Said | None:
        found = await self.provider(payment.provider).void(key, payment.reference)
        if found is None:
            return Said(PaymentState.VOIDED, payment.amount)
        return said_of(found, payment) if found.status in _DECIDED else None


_DECIDED: Final = (ProviderStatus.CAPTURED, ProviderStatus.FAILED, ProviderStatus.VOIDED)


def key_of(screening_id: int, an_id: UUID) -> str:
    """The provider's key of a payment, or of a refund."""
    return f"{screening_id}.{an_id}"


def ids_in(key: str) -> tuple[int, UUID] | None:
    """The screening and the payment or refund that a provider's key is made from; None: it is no key of ours."""
    screening_id, _, an_id = key.partition(".")
    try:
        ids = int(screening_id), UUID(an_id)
    except ValueError:
        return None
    return ids if 0 < ids[0] < 2**63 and key_of(*ids) == key else None


def said_of(found: ProviderPayment, payment: Payment) -> Said:
    """What a provider says, as the rules take it. Only what was taken has an amount of its own."""
    state = _STATES[found.status]
    return Said(
        status=state,
        amount=found.amount if state is PaymentState.CAPTURED else payment.amount,
        reference=found.reference,
        decline_reason=found.decline_reason,
        redirect_url=found.redirect_url,
        client_secret=found.client_secret,
    )


def state_of(status: ProviderStatus) -> PaymentState:
    """A provider's word as ours."""
    return _STATES[status]
