"""The cashier: between the box office and the payment provider. What begins with a charge ends with a booking, or with
nothing charged.

Nothing is locked and no connection is held while the provider thinks. Whatever happens in between, the payment is
written down before the provider is asked, and whoever finds it asks what became of it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.ids import new_id
from app.db.money import payments
from app.domain.box_office.commands import DUMMY, AtOnce, Attempt, Said, Settle
from app.domain.box_office.outcomes import GaveUp, Paying
from app.domain.idempotency import Key
from app.domain.payments import Payment, PaymentState
from app.domain.people.people import Person
from app.domain.refusals import (
    Busy,
    Flaw,
    Flawed,
    NotFound,
    PaidInVain,
    PaymentDeclined,
    PaymentsUnavailable,
    Unauthenticated,
)
from app.schemas.problems import reasons
from app.services.box_office.answers import Answer
from app.services.box_office.office import BoxOffice
from app.services.money.asking import Asking, state_of
from app.services.money.provider import (
    BadSignature,
    PaymentProvider,
    ProviderAway,
    ProviderUnavailable,
    UnknownToken,
    WebhookEvent,
)
from app.services.money.refunds import Refunds
from app.services.running.measures import Measures

ASKED_AFTER_SECONDS: Final = 1.5
"""So long after a caller has given up waiting the provider is asked for the first time."""

UNKNOWN_TOKEN: Final = Flaw(
    ("payment", "token"), "token_unknown", "The payment provider knows no such token. Send one that it gave you."
)


class Cashier:
    """One per process."""

    def __init__(
        self,
        engine: AsyncEngine,
        box_office: BoxOffice,
        asking: Asking,
        refunds: Refunds,
        provider: PaymentProvider,
        *,
        wait_seconds: float,
        deadline_seconds: float,
        measures: Measures,
    ) -> None:
        """`provider`: the one that new payments go to; `deadline_seconds`: how long it has."""
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._measures = measures
        self._box_office = box_office
        self._asking = asking
        self._refunds = refunds
        self._provider = provider
        self._wait_seconds = wait_seconds
        self._deadline_seconds = deadline_seconds

    @property
    def provider(self) -> str:
        """The name of the provider that new payments go to."""
        return self._provider.name

    def is_certain(self, method: str | None, token: str | None) -> bool:
        """Whether a charge cannot fail: then it is made by the transaction that books. Raises Flawed."""
        try:
            self._provider.check(method, token)
        except UnknownToken:
            raise Flawed((UNKNOWN_TOKEN,)) from None
        return self._provider.is_certain(method, token)

    def reference(self, payment_id: UUID) -> str:
        """What the provider calls a charge that cannot fail."""
        return f"{self._provider.name}-{payment_id}"

    def at_once(self) -> AtOnce:
        """A charge that cannot fail, for which nothing has an id yet."""
        payment_id = new_id()
        return AtOnce(payment_id, self.reference(payment_id), self._provider.name)

    def attempt(self, key: Key | None) -> Attempt:
        """A new attempt to pay."""
        payment_id = new_id()
        return Attempt(
            payment_id=payment_id,
            booking_id=new_id(),
            provider=self._provider.name,
            reference=self.reference(payment_id) if self._provider.name == DUMMY else None,
            deadline_seconds=max(self._deadline_seconds, self._wait_seconds),
            ask_after_seconds=self._wait_seconds + ASKED_AFTER_SECONDS,
            key=key,
        )

    async def charge(self, screening_id: int, begun: Answer, method: str | None, token: str | None) -> Answer:
        """Charge for what has begun, and do what follows: the booking, or what has begun if it is not decided yet.

        Raises PaymentDeclined and PaymentsUnavailable.
        """
        paying = begun.money
        if not isinstance(paying, Paying) or not paying.begun:
            return begun
        payment, unavailable = paying.payment, False
        try:
            said = await self._asking.charge(screening_id, payment, method, token)
        except PaymentsUnavailable:
            said, unavailable = Said(PaymentState.VOIDED, payment.amount), True
        if said is None:
            return begun
        try:
            told = await self.settle(screening_id, payment, said)
        except Busy:  # it is done as soon as it can be: until then it is being paid for
            return begun
        if not isinstance(told.money, GaveUp):
            return told
        if unavailable:
            raise PaymentsUnavailable
        payment, expires_at = told.money.payment, told.money.expires_at
        if payment.captured_minor > 0 and payment.cause is not None:
            raise PaidInVain(payment.cause, expires_at)
        raise PaymentDeclined(payment.decline_reason or "not_accepted", expires_at)

    async def settle(self, screening_id: int, payment: Payment, said: Said) -> Answer:
        """Do what follows from what the provider says of a payment."""
        command = Settle(Person(payment.user_id), payment, said, new_id())
        told = await self._box_office.ask(screening_id, command)
        self._measures.payments[payment.provider, said.status] += 1
        if isinstance(told.money, GaveUp) and told.money.payment.refunding_minor > 0:
            self._refunds.wake()
        return told

    def money_goes_back(self) -> None:
        """Something was cancelled."""
        self._refunds.wake()

    async def hear_dummy(self, headers: Mapping[str, str], body: bytes) -> None:
        """A webhook of the dummy provider, which is one of us."""
        await self.hear(DUMMY, headers, body)

    async def hear(self, provider: str, headers: Mapping[str, str], body: bytes) -> None:
        """A webhook of a provider. Raises Unauthenticated if it is not; NotFound; Busy: it should come again."""
        try:
            events = self._asking.provider(provider).read_webhook(headers, body, datetime.now(UTC))
        except ProviderUnavailable:
            raise NotFound("payment provider") from None
        except BadSignature:
            raise Unauthenticated(reasons.NO_SIGNATURE) from None
        for event in events:
            await self._take_in(provider, event)

    async def _take_in(self, provider: str, event: WebhookEvent) -> None:
        if event.refund_key is not None:
            try:
                await self._refunds.hear(provider, event.refund_key)
            except ProviderAway:
                raise Busy from None
            return
        async with self._engine.connect() as connection:
            found = await payments.by_reference(connection, provider, event.reference)
            if found is None:
                return
            screening_id, payment = found
        if event.status is None:
            said = await self._asking.find_out(screening_id, payment, datetime.now(UTC))
        else:
            said = Said(state_of(event.status), event.amount or payment.amount, event.reference)
        if said is not None:
            await self.settle(screening_id, payment, said)
        self._refunds.wake()
