"""Payments: what organizers read of them, the providers' webhooks, and what the dummy provider shows."""

from html import escape
from typing import Annotated, Final

from fastapi import Path, Query

from app.dependencies import Admin, Cashier, Dummy, Organizer, Payments
from app.domain.money import Money
from app.domain.payments import PaymentStatus, RefundCause
from app.domain.people.people import KeyScope
from app.domain.refusals import NotFound
from app.http.answers import CURSOR, UNCHANGED, cacheable, page, tag_of
from app.http.openapi import problems
from app.http.replies import Reply
from app.http.replies import page as html_page
from app.http.request import ApiRequest
from app.http.runner.declarations import ignores_unknown_parameters
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.format import forms
from app.schemas.format.ids import BookingId, PaymentId, ScreeningId
from app.schemas.format.moments import encoded
from app.schemas.format.pages import Limit, ReferenceCursor, UuidCursor, after_reference, page_json, reference_cursor
from app.schemas.payments import DummyBooksOut, PaymentRecordOut, PaymentsOut, charge_out
from app.services.money.provider import ProviderPayment, ProviderStatus

router = api_router("payments")
pages = api_router("payments", in_schema=False)

Provider = Annotated[str, Path(max_length=32, examples=["dummy"], description="The name of the provider.")]


@router.get("/payments", response_model=PaymentsOut, response_description="A page of payments.", responses=UNCHANGED)
@api_key_scope(KeyScope.HOUSE)
async def list_payments(
    request: ApiRequest,
    _: Organizer,
    payments: Payments,
    screening_id: Annotated[ScreeningId | None, Query(description="Only those of this screening.")] = None,
    booking_id: Annotated[BookingId | None, Query(description="Only those of this booking.")] = None,
    status: Annotated[PaymentStatus | None, Query(description="Only those in this status.")] = None,
    cause: Annotated[RefundCause | None, Query(description="Only those of which money went back for this.")] = None,
    limit: Limit = 50,
    cursor: Annotated[UuidCursor | None, CURSOR] = None,
) -> Reply:
    """List payments.

    The newest first, each with what happened with the money. For organizers.
    """
    items, next_cursor = await payments.newest(screening_id, booking_id, status, cause, cursor, limit)
    return page(request, page_json(items, next_cursor), next_cursor)


@router.get(
    "/payments/{payment_id}",
    response_model=PaymentRecordOut,
    response_description="The payment.",
    responses=UNCHANGED | problems("not-found"),
)
@api_key_scope(KeyScope.HOUSE)
async def show_payment(payment_id: PaymentId, request: ApiRequest, _: Organizer, payments: Payments) -> Reply:
    """Show a payment.

    With what happened with the money, in order. For organizers.
    """
    body = encoded(await payments.one(payment_id))
    return cacheable(request, body, tag_of(body))


@router.get(
    "/payments/dummy/books",
    response_model=DummyBooksOut,
    response_description="A page of its books.",
    responses=UNCHANGED,
)
@api_key_scope(KeyScope.HOUSE)
async def list_charges(
    request: ApiRequest,
    _: Admin,
    dummy: Dummy,
    limit: Limit = 50,
    cursor: Annotated[ReferenceCursor | None, CURSOR] = None,
) -> Reply:
    """Read the dummy provider's own books.

    What it charged and gave back, kept apart from what we know of payments. The newest first. For admins.
    """
    found = await dummy.books(after_reference(cursor) if cursor else None, limit + 1)
    items = [
        charge_out(row.reference, row.status, Money(row.amount_minor, row.currency), row.refunded_minor, row.charged_at)
        for row in found[:limit]
    ]
    next_cursor = reference_cursor(items[-1]["reference"]) if len(found) > limit else None
    return page(request, page_json(items, next_cursor), next_cursor)


@router.post(
    "/payments/{provider}/webhook",
    response_description="It was heard, whether it says anything new or not.",
    response_model=dict[str, str],
    responses=problems("unauthenticated", "not-found", "payload-too-large")
    | {200: {"content": {"application/json": {"example": {}}}}},
)
@ignores_unknown_parameters
async def hear_provider(provider: Provider, request: ApiRequest, cashier: Cashier) -> Reply:
    """Hear a payment provider.

    It reports what became of a payment. Signed: by the dummy as Standard Webhooks say, by Stripe in `Stripe-Signature`.
    What says nothing new, or is about a payment that is not known, is 200 too.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers_once.items()}
    await cashier.hear(provider, headers, request.raw_body)
    return Reply(b"{}")


@pages.post("/payments/dummy/webhook")
@ignores_unknown_parameters
async def hear_dummy(request: ApiRequest, cashier: Cashier) -> Reply:
    """As `hear_provider`: this path would be that of a payer's page otherwise."""
    return await hear_provider("dummy", request, cashier)


@pages.get("/payments/dummy/{reference}")
@ignores_unknown_parameters
async def show_payers_page(reference: str, dummy: Dummy) -> Reply:
    """The page on which a payer approves or declines."""
    return _page(await _charge(dummy, reference))


@pages.post("/payments/dummy/{reference}")
@ignores_unknown_parameters
async def decide_as_payer(reference: str, request: ApiRequest, dummy: Dummy, cashier: Cashier) -> Reply:
    """What the payer decided."""
    said = forms.parse(request.raw_body, request.headers_once.get(b"content-encoding"))
    decision = said.get("decision")
    await _charge(dummy, reference)
    if decision in ("approve", "decline"):
        await dummy.decide(reference, approve=decision == "approve")
        await dummy.report_all(cashier.hear_dummy)
    return _page(await _charge(dummy, reference))


async def _charge(dummy: Dummy, reference: str) -> ProviderPayment:
    found = await dummy.page_of(reference)
    if found is None:
        raise NotFound("payment")
    return found


_SAYS: Final = {
    ProviderStatus.PROCESSING: "This payment is being processed.",
    ProviderStatus.CAPTURED: "You have paid. You can close this page.",
    ProviderStatus.FAILED: "The payment was declined. Nothing was charged.",
    ProviderStatus.VOIDED: "It is too late to pay. Nothing was charged.",
}
_FORM: Final = """
<form method="post">
<button name="decision" value="approve">Approve</button>
<button name="decision" value="decline">Decline</button>
</form>
"""


def _page(payment: ProviderPayment) -> Reply:
    amount = f"{payment.amount.amount_minor / 100:.2f} {escape(payment.amount.currency)}"
    waits = payment.status is ProviderStatus.REQUIRES_ACTION
    said = f"<p>Usher asks you to pay {amount}.</p>{_FORM}" if waits else f"<p>{_SAYS[payment.status]}</p>"
    return html_page(
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Payment</title>\n<h1>Dummy payment</h1>\n'
        f"{said}\n<p>{escape(payment.reference)}</p>\n</html>\n".encode()
    )
