"""What a route may ask for, by name: `Caller`, `SignedIn`, `Buyer`, `Call`, or any of the process's resources.

A route that needs the whole request asks for an `ApiRequest` (app/http/request.py). All of them are read from what the
edge has at hand already; none waits for anything, but for an API key's first use.
"""

import re
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Header

from app.adapters import dummy_payments, prometheus
from app.domain.people.people import Person
from app.http import credentials
from app.http.credentials import Caller, SignedIn
from app.http.idempotency import call_context
from app.http.request import ApiRequest
from app.resources import Resources
from app.schemas.format.faults import mistake
from app.services import bookings, cashier, closing, desk, health, payments, reservations, transfers
from app.services.house import catalogue, history, layout_texts, organizing, reports
from app.services.live import changes
from app.services.people import accounts, api_keys, people, sessions
from app.services.seat_maps import availability

__all__ = ["Caller", "SignedIn"]

_REVISION: Final = re.compile(r'(?:W/)?"([1-9]\d{0,8})(?:-[0-9a-f]+|-gzip)?"', re.ASCII)
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAGS: Final = re.compile(rf"\s*{_TAG.pattern}(?:\s*,\s*{_TAG.pattern})*\s*")
_IF_MATCH: Final = (
    "Guards an edit: the `ETag` that was read, or the revision in it. With another revision, nothing is changed."
)


def resource(name: str) -> Any:
    """A dependency that gives what this process has open under this name.

    Raises:
        TypeError: there is no such resource.
    """
    if name not in Resources.__dataclass_fields__:
        raise TypeError(f"app/resources.py has no resource called {name}")

    async def opened(request: ApiRequest) -> Any:
        return getattr(request.resources, name)

    return Depends(opened)


async def if_match(
    tag: Annotated[str | None, Header(alias="If-Match", description=_IF_MATCH, examples=['"1"'])] = None,
) -> frozenset[int] | None:
    """The revisions that an edit is meant for; None for any. A tag that no thing ever has names none.

    A tag that a proxy has made weak (W/) still names its revision, and no more than that is compared.

    Raises:
        Malformed: it is no list of tags (RFC 9110, section 13.1.1).
    """
    if tag is None or tag.strip() == "*":
        return None
    if not _TAGS.fullmatch(tag):
        said = 'This should be ETags in quotation marks, separated by commas, such as "1", or *.'
        raise mistake(["header", "If-Match"], "etag", said)
    return frozenset(int(named[1]) for named in map(_REVISION.fullmatch, _TAG.findall(tag)) if named)


# Who is asking.
Organizer = Annotated[Person, Depends(credentials.organizer)]
Admin = Annotated[Person, Depends(credentials.admin)]
Buyer = Annotated[people.Buyer, Depends(credentials.buyer)]
SessionId = Annotated[UUID | None, Depends(credentials.session_id)]

# What a call comes with.
Call = Annotated[desk.CallContext, Depends(call_context)]
IfMatch = Annotated[frozenset[int] | None, Depends(if_match)]

# What the process has open.
Accounts = Annotated[accounts.Accounts, resource("accounts")]
ApiKeys = Annotated[api_keys.ApiKeys, resource("api_keys")]
Availability = Annotated[availability.Availability, resource("availability")]
Bookings = Annotated[bookings.Bookings, resource("bookings")]
Cashier = Annotated[cashier.Cashier, resource("cashier")]
Catalogue = Annotated[catalogue.Catalogue, resource("catalogue")]
Changes = Annotated[changes.ChangesFeed, resource("changes")]
Closing = Annotated[closing.Closing, resource("closing")]
Desk = Annotated[desk.Desk, resource("desk")]
Dummy = Annotated[dummy_payments.DummyPayments, resource("dummy")]
Figures = Annotated[prometheus.Figures, resource("figures")]
Health = Annotated[health.Health, resource("health")]
History = Annotated[history.History, resource("history")]
LayoutTexts = Annotated[layout_texts.LayoutTexts, resource("layout_texts")]
Organizing = Annotated[organizing.Organizing, resource("organizing")]
Payments = Annotated[payments.Payments, resource("payments")]
People = Annotated[people.People, resource("people")]
Reports = Annotated[reports.Reports, resource("reports")]
Reservations = Annotated[reservations.Reservations, resource("reservations")]
Sessions = Annotated[sessions.Sessions, resource("sessions")]
Transfers = Annotated[transfers.Transfers, resource("transfers")]
