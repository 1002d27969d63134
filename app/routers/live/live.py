"""Live seats as Server-Sent Events (docs/api.md, section 9): a stream that `curl -N` and every browser can read."""

from contextlib import AsyncExitStack
from typing import Annotated, Final

from fastapi import Header, Query

from app.dependencies import Caller
from app.domain.people.people import KeyScope, Person
from app.http.credentials import Credential, bearer_token, credential
from app.http.live.event_stream import EventStream, Reader
from app.http.openapi import problems
from app.http.request import ApiRequest
from app.http.runner.routes import api_router
from app.http.scopes import api_key_scope
from app.schemas.format.ids import ScreeningId, Since

router = api_router("seats")

_BY_QUERY: Final = (
    "The token, for an `EventSource` in a browser, which sends no headers. It wins over the header. Usher writes it to "
    "no log, but a proxy may: send the header wherever you can."
)
_EXAMPLE: Final = """\
retry: 2000
id: 41
data: {"type":"connection_confirmed","screening_id":1,"version":41,"user_id":null}

id: 42
data: {"type":"bulk_seat_update","screening_id":1,"version":42,"updates":[{"seat_id":1,"label":"A1",\
"status":"reserved","is_mine":false,"expires_at":"2026-11-20T19:30:00.000Z","previously_reserved_by":null}]}

event: ping
data: {"type":"ping"}
"""


@router.get(
    "/screenings/{screening_id}/live",
    status_code=200,
    response_class=EventStream,
    response_description="Events, until somebody hangs up.",
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}}},
        **problems("not-found", "rate-limited"),
    },
)
@api_key_scope(KeyScope.READ)
async def follow_screening(
    screening_id: ScreeningId,
    request: ApiRequest,
    caller: Caller,
    last_event_id: Annotated[
        Since | None, Header(alias="Last-Event-ID", description="As browsers send it; it wins over `since`.")
    ] = None,
    since: Annotated[Since | None, Query()] = None,
    token: Annotated[str | None, Query(description=_BY_QUERY)] = None,
) -> EventStream:
    """Follow the seats of a screening.

    Server-Sent Events: `id:` is the version, and whoever comes back with it misses nothing. The data are the messages
    of [/asyncapi.json](/asyncapi.json), which the WebSocket `/ws/screenings/{screening_id}` speaks too. The answer has
    no end; where this can be tried out at `/docs`, its first seconds are shown.
    """
    resources = request.resources
    shown = await credential(resources, token.encode()) if token else _credential_of(request, caller)
    cut = request.scope.get("extensions", {}).get("usher.abort")
    reader = Reader(screening_id, shown, resources.settings.live_buffer_kib * 1024, cut)
    opened = AsyncExitStack()
    missed_after = since if last_event_id is None else last_event_id
    watching = resources.live.watching(screening_id, reader, missed_after, request.client_address)
    await opened.enter_async_context(watching)
    return EventStream(reader, opened)


def _credential_of(request: ApiRequest, caller: Person | None) -> Credential | None:
    """That of the Authorization header; None if the caller is anonymous."""
    token = bearer_token(request.headers_once.get(b"authorization"))
    return Credential(request.resources, token, caller) if caller and token else None
