"""A payment provider for theaters that take the money at the door, and for trying Usher out.

What it does is told by its tokens, and it keeps books like a bank: what it has decided stays decided, whatever becomes
of this process.

    ok, none            charged, in the transaction that books
    declined            declined
    slow:S              charged after S seconds, and reported
    slow-declined:S     declined after S seconds, and reported
    timeout             never answers; nothing is charged
    late:S              never answers; charged after S seconds, whatever is called off, and reported
    duplicate           charged, and reported twice
    action              the payer decides on a page of ours
    refund-fails:N      charged; the first N refunds fail
    unavailable         not reached
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

import orjson
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from app.db.money import dummy_bank
from app.db.money.dummy_bank import ChargeRow
from app.domain.box_office.commands import DUMMY
from app.domain.money import Money
from app.services.money.provider import (
    BadSignature,
    Charge,
    ProviderPayment,
    ProviderStatus,
    ProviderUnavailable,
    RefundStatus,
    UnknownToken,
    WebhookEvent,
)
from app.services.running.loops import every

PAGES: Final = "/payments/dummy"
REPORT_SECONDS: Final = 1.0
REPORTS_AT_ONCE: Final = 100
LONGEST_SECONDS: Final = 86_400.0
MOST_FAILURES: Final = 1_000

Hear = Callable[[Mapping[str, str], bytes], Awaitable[None]]
"""Takes a webhook: its headers, and its body."""

_TOKEN: Final = re.compile(
    r"(?P<plain>ok|declined|timeout|duplicate|action|unavailable)"
    r"|(?P<timed>slow|slow-declined|late):(?P<seconds>\d{1,5}(?:\.\d{1,3})?)"
    r"|(?P<counted>refund-fails):(?P<count>\d{1,4})"
)
_STATUSES: Final = {
    "pending": ProviderStatus.PROCESSING,
    "action": ProviderStatus.REQUIRES_ACTION,
    "captured": ProviderStatus.CAPTURED,
    "failed": ProviderStatus.FAILED,
    "voided": ProviderStatus.VOIDED,
}
_SAID: Final = {"declined": ProviderStatus.FAILED, **{each.value: each for each in ProviderStatus}}


@dataclass(frozen=True, slots=True)
class _Script:
    """What becomes of a charge: its status at first, and what it becomes after some seconds."""

    status: str
    becomes: str | None = None
    seconds: float | None = None
    is_stubborn: bool = False
    refunds_to_fail: int = 0
    reports: int = 0
    answers: bool = True


_PLAIN: Final = {
    "ok": _Script("captured"),
    "declined": _Script("failed"),
    "duplicate": _Script("captured", reports=2),
    "action": _Script("action"),
}


class DummyPayments:
    """Implements money.provider.PaymentProvider. One per process; the books are the same for all."""

    name: Final = DUMMY

    def __init__(self, engine: AsyncEngine, secret: str) -> None:
        """`secret` signs its reports (DUMMY_WEBHOOK_SECRET)."""
        self._engine = engine
        self._at_once = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._webhooks = _webhooks(secret)

    def is_certain(self, method: str | None, token: str | None) -> bool:
        """Whether the charge cannot fail."""
        return token is None or token == "ok"  # noqa: S105 - no secret

    def check(self, method: str | None, token: str | None) -> None:
        """Raises UnknownToken."""
        found = _TOKEN.fullmatch("ok" if token is None else token)
        if found is None:
            raise UnknownToken
        if float(found["seconds"] or 0) > LONGEST_SECONDS or int(found["count"] or 0) > MOST_FAILURES:
            raise UnknownToken

    async def charge(self, charge: Charge) -> ProviderPayment:
        """Charge, as the token says."""
        token = charge.token or "ok"
        if token == "unavailable":  # noqa: S105
            raise ProviderUnavailable
        if token == "timeout":  # noqa: S105
            await _decided(None)
        script = _script(token)
        async with self._at_once.connect() as connection:
            given = {
                "screening_id": charge.screening_id,
                "key": charge.key,
                "reference": f"dummy-{charge.payment_id}",
                "status": script.status,
                "amount_minor": charge.amount.amount_minor,
                "currency": charge.amount.currency,
                "seconds": script.seconds,
                "becomes": script.becomes,
                "is_stubborn": script.is_stubborn,
                "refunds_to_fail": script.refunds_to_fail,
                "reports": script.reports,
            }
            await dummy_bank.enter(connection, given)
        if not script.answers:
            await _decided(None)
        if script.seconds is not None:
            await _decided(script.seconds)
        found = await self.look_up(charge.key, None)
        if found is None:
            raise ProviderUnavailable
        return found

    async def look_up(self, key: str, reference: str | None) -> ProviderPayment | None:
        """How a charge stands; None: there is none."""
        async with self._at_once.connect() as connection:
            row = await dummy_bank.charge(connection, _screening_in(key), key)
        return None if row is None else _payment(row)

    async def void(self, key: str, reference: str | None) -> ProviderPayment | None:
        """Call a charge off, and see to it that none begins with this key."""
        screening_id, _, payment_id = key.partition(".")
        nothing = {
            "screening_id": int(screening_id),
            "key": key,
            "reference": f"dummy-{payment_id}",
            "status": "voided",
            "amount_minor": 0,
            "currency": "",
            "seconds": None,
            "becomes": None,
            "is_stubborn": False,
            "refunds_to_fail": 0,
            "reports": 0,
        }
        async with self._at_once.connect() as connection:
            await dummy_bank.charge(connection, int(screening_id), key)
            await dummy_bank.enter(connection, nothing)
            await dummy_bank.void(connection, int(screening_id), key)
            row = await dummy_bank.charge(connection, int(screening_id), key)
        return None if row is None else _payment(row)

    async def refund(self, reference: str, amount: Money, key: str) -> RefundStatus:
        """Give money back, once for each key."""
        async with self._at_once.connect() as connection:
            its = await dummy_bank.charge_of(connection, reference)
            if its is None or await dummy_bank.fails_a_refund(connection, its):
                return RefundStatus.FAILED
        try:
            async with self._engine.begin() as connection:
                await dummy_bank.refund(connection, its, key, amount)
        except IntegrityError:
            return RefundStatus.FAILED
        return RefundStatus.DONE

    async def look_up_refund(self, reference: str, key: str) -> RefundStatus | None:
        """What was given back has arrived. None: nothing was."""
        async with self._at_once.connect() as connection:
            is_back = await dummy_bank.has_refunded(connection, _screening_in(key), key)
        return RefundStatus.DONE if is_back else None

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[WebhookEvent]:
        """What a report says. Raises BadSignature; the library knows the time itself."""
        said = self._verified(headers, body)
        data = said.get("data") if isinstance(said, dict) else None
        reference = data.get("reference") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(reference, str) or "\x00" in reference:
            return ()
        status = data.get("status")
        event_id = headers.get("webhook-id", "")
        known = _SAID.get(status) if isinstance(status, str) else None
        return (WebhookEvent(event_id, reference, known, _money(data.get("amount"))),)

    def report(self, its: ChargeRow, number: int) -> tuple[dict[str, str], bytes]:
        """A report of a charge: its headers, and its body."""
        payment = _payment(its)
        now = datetime.now(UTC)
        body = orjson.dumps(
            {
                "type": f"payment.{payment.status}",
                "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "data": {
                    "reference": its.reference,
                    "status": payment.status,
                    "amount": {"amount_minor": its.amount_minor, "currency": its.currency},
                },
            }
        )
        event_id = f"{its.reference}-{number}"
        signature = self._webhooks[0].sign(event_id, now, body.decode())
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }
        return headers, body

    def _verified(self, headers: Mapping[str, str], body: bytes) -> Any:
        why = "no signature of ours"
        for webhook in self._webhooks:
            try:
                return webhook.verify(body, dict(headers))
            except (WebhookVerificationError, ValueError, TypeError) as bad:
                why = str(bad)
        raise BadSignature(why)

    async def run(self, hear: Hear) -> None:
        """Report what is to be reported, until cancelled."""

        async def look() -> None:
            await self.report_all(hear)

        await every(REPORT_SECONDS, look, "report what the dummy provider charged")

    async def report_all(self, hear: Hear) -> None:
        """Report what is due. What nobody heard is reported again."""
        async with self._at_once.connect() as connection:
            due = await dummy_bank.to_report(connection, REPORTS_AT_ONCE)
        for found, reports in due:
            async with self._at_once.connect() as connection:
                if not await dummy_bank.claim_report(connection, found):
                    continue
                its = await dummy_bank.charge(connection, found.screening_id, found.key)
            if its is not None:
                await hear(*self.report(its, reports))
            async with self._at_once.connect() as connection:
                await dummy_bank.reported(connection, found, reports)

    async def page_of(self, reference: str) -> ProviderPayment | None:
        """The charge that a payer's page is about."""
        async with self._at_once.connect() as connection:
            row = await dummy_bank.charge_of(connection, reference)
        return None if row is None else _payment(row)

    async def decide(self, reference: str, *, approve: bool) -> bool:
        """What the payer decided. Whether it was theirs to decide."""
        async with self._at_once.connect() as connection:
            its = await dummy_bank.charge_of(connection, reference)
            return its is not None and await dummy_bank.payer_decides(connection, its, approve=approve)

    async def books(self, before: str | None, at_most: int) -> Sequence[ChargeRow]:
        """What it has charged and given back, newest first."""
        async with self._at_once.connect() as connection:
            return await dummy_bank.newest(connection, before, at_most)


def webhook_secret_from(secret: str) -> str:
    """A secret for the dummy's webhooks that all processes have which share this one."""
    made = blake2b(secret.encode(), digest_size=32, person=b"dummy webhooks").digest()
    return f"whsec_{b64encode(made).decode()}"


def _webhooks(secret: str) -> tuple[Webhook, ...]:
    """As Standard Webhooks write a secret: base64 after `whsec_`. Any other is taken as it is, too."""
    plain = Webhook(secret.encode())
    try:
        return (Webhook(secret),) if secret.startswith("whsec_") else (Webhook(secret), plain)
    except (EmptyWebhookSecretError, ValueError):
        return (plain,)


def _script(token: str) -> _Script:
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise UnknownToken
    if found["plain"]:
        return _PLAIN[found["plain"]]
    if found["counted"]:
        return _Script("captured", refunds_to_fail=int(found["count"]))
    seconds = float(found["seconds"])
    if found["timed"] == "late":
        return _Script("pending", "captured", seconds, is_stubborn=True, reports=1, answers=False)
    becomes = "captured" if found["timed"] == "slow" else "failed"
    return _Script("pending", becomes, seconds, reports=1)


def _payment(row: ChargeRow) -> ProviderPayment:
    status = _STATUSES[row.status]
    return ProviderPayment(
        reference=row.reference,
        status=status,
        amount=Money(row.amount_minor, row.currency),
        refunded_minor=row.refunded_minor,
        decline_reason="card_declined" if status is ProviderStatus.FAILED else None,
        redirect_url=f"{PAGES}/{row.reference}" if status is ProviderStatus.REQUIRES_ACTION else None,
    )


def _money(said: Any) -> Money | None:
    match said:
        case {"amount_minor": int(minor), "currency": str(currency)} if minor >= 0 and len(currency) == 3:
            return Money(minor, currency)
        case _:
            return None


def _screening_in(key: str) -> int:
    """The dummy's keys say which screening they are of: its books lie where that is."""
    return int(key.partition(".")[0])


async def _decided(seconds: float | None) -> None:
    """Wait until it is decided. None: it never is."""
    if seconds is None:
        await asyncio.get_running_loop().create_future()
    else:
        await asyncio.sleep(seconds)
