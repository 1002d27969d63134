"""Retries: the idempotency key of a call (docs/api.md, section 2)."""

import re
from typing import Final

from app.domain.idempotency import ANONYMOUS, Key
from app.domain.people.people import Person
from app.domain.refusals import KeyInvalid
from app.http.credentials import Caller
from app.http.request import ApiRequest
from app.schemas.format.faults import mistake
from app.schemas.problems import reasons
from app.services.desk import CallContext

_VISIBLE: Final = re.compile(rb"[\x21-\x7e]{1,255}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


async def call_context(request: ApiRequest, caller: Caller) -> CallContext:
    """The idempotency key of the call, if it has one, and its request id. Raises KeyInvalid."""
    return context_of(request, caller)


def context_of(request: ApiRequest, person: Person | None, booking_id: str | None = None) -> CallContext:
    """As `call_context`; `booking_id`, from the body, is the key if no header is sent.

    Raises KeyInvalid, and Malformed if `booking_id` is not a UUID.
    """
    value = _key_header(request) or (booking_id and booking_id.lower())
    if person is None and value is not None and not _UUID.fullmatch(value):
        raise KeyInvalid(reasons.KEY_NO_UUID)
    if booking_id is not None and not _UUID.fullmatch(booking_id):
        raise mistake(["body", "booking_id"], "uuid_parsing", "This should be a UUID.")
    if value is None:
        return CallContext(None, request.request_id)
    return CallContext(Key(person.id if person else ANONYMOUS, value, request.fingerprint()), request.request_id)


def _key_header(request: ApiRequest) -> str | None:
    sent = request.headers_once.get(b"idempotency-key")
    if sent is None:
        return None
    if request.repeats(b"idempotency-key"):
        raise KeyInvalid(reasons.KEY_ONCE)
    bare = sent.strip(b" \t")
    if len(bare) >= 2 and bare.startswith(b'"') and bare.endswith(b'"'):
        bare = bare[1:-1]
    if not _VISIBLE.fullmatch(bare):
        raise KeyInvalid(reasons.KEY_FORM)
    return bare.decode()
