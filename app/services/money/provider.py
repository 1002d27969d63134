"""What a payment provider does for us. The adapters implement `PaymentProvider`; `main` passes one in.

Every charge has a key of its own, which is made before the provider is asked for the first time: whatever becomes of
the answer, whoever knows the key can ask what came of it. The key is an idempotency key too: a charge that is sent
twice is one charge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.domain.money import Money


class ProviderStatus(StrEnum):
    """How a charge stands with the provider.

    `captured`, `failed` and `voided` are final for the provider; a void may come too late, and then it is `captured`.
    """

    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    CAPTURED = "captured"
    FAILED = "failed"
    VOIDED = "voided"


class RefundStatus(StrEnum):
    """What came of a refund. `pending` and `failed` ones are asked for again, with the same key, after a pause."""

    DONE = "done"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged. `key`: of this attempt alone. `method` and `token` are what the buyer's browser sent.

    The provider is told `screening_id` and `payment_id` where it keeps notes (metadata), and `description` where the
    payer reads something.
    """

    key: str
    screening_id: int
    payment_id: UUID
    amount: Money
    method: str | None = None
    token: str | None = None
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderPayment:
    """A charge as the provider sees it.

    `amount` is what it took, if it is captured, or else what it was asked for; it may differ from what we asked for.
    `refunded_minor` is what it gave back so far. `redirect_url` and `client_secret` are for a payer who has to act.
    """

    reference: str
    status: ProviderStatus
    amount: Money
    refunded_minor: int = 0
    decline_reason: str | None = None
    redirect_url: str | None = None
    client_secret: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What the provider reports of a charge. `status` None: nothing about the charge itself (a refund); look again.
    `refund_key`: the key of the refund that it is about, if it is one of ours.

    `event_id` is for log lines: events may come twice, late, and in any order, and each is good for a second look only.
    """

    event_id: str
    reference: str
    status: ProviderStatus | None
    amount: Money | None
    refund_key: str | None = None


class ProviderAway(Exception):
    """The provider did not answer, or not with sense: a timeout, a reset, a 500. The outcome is unknown."""


class ProviderUnavailable(ProviderAway):
    """The provider was not reached, or says that it took nothing in: it is certain that nothing was charged."""


class UnknownToken(Exception):
    """No token of this provider looks like that. Nothing was asked."""


class BadSignature(Exception):
    """A webhook that is not the provider's, or is too old. The text says which, and never a secret."""


class PaymentProvider(Protocol):
    """Charges, voids and refunds. Every coroutine may raise ProviderAway, and may be cancelled at any time."""

    @property
    def name(self) -> str:
        """`dummy`, `stripe`: part of the path of its webhook, and what is stored with each payment."""
        ...

    def is_certain(self, method: str | None, token: str | None) -> bool:
        """Whether this charge cannot fail, and is entered in the provider's books by the transaction that books.

        Only true for the dummy: it needs no round trip then. All others return False.
        """
        ...

    def check(self, method: str | None, token: str | None) -> None:
        """Look at the token, without asking anybody. Raises UnknownToken."""
        ...

    async def charge(self, charge: Charge) -> ProviderPayment:
        """Charge. Sent twice with a key, it is one charge, and the second answer says how it stands.

        A declined charge is an answer (`failed`), no exception.
        """
        ...

    async def look_up(self, key: str, reference: str | None) -> ProviderPayment | None:
        """How the charge with this key stands; `reference` helps, if it is known.

        None: the provider knows of no such charge. A request that is still on its way may change that: only `void`
        makes it certain.
        """
        ...

    async def void(self, key: str, reference: str | None) -> ProviderPayment | None:
        """Call a charge off, and say how it stands after that.

        `voided`, `failed`, or None (it knows of no such charge): nothing was charged and nothing ever will be, as far
        as the provider can promise it. `captured`: it was too late. `processing`: not decided yet, ask again.
        """
        ...

    async def refund(self, reference: str, amount: Money, key: str) -> RefundStatus:
        """Give money back. Asked again with the same key it gives nothing twice, and says how the refund stands."""
        ...

    async def look_up_refund(self, reference: str, key: str) -> RefundStatus | None:
        """How the refund with this key stands, of the charge with this reference. None: it knows of no such refund.

        One that was `done` may be `failed` later: the payer's bank did not take it.
        """
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[WebhookEvent]:
        """What a webhook says; nothing, if it is about something else. `headers` by their names in lower case.

        Raises BadSignature, also when it was signed more than five minutes before or after `now` (UTC).
        """
        ...
