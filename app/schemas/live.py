"""Changes of seats in JSON (docs/api.md, section 9): the entries of `changes` and of live messages, and all messages.

The models are for the documentation. The messages are written as bytes, and each entry only once for all listeners.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, Protocol

import orjson
from pydantic import BaseModel, ConfigDict, Field

from app.domain.seats import Layout, SeatStatus
from app.schemas.format.ids import UserIdOut
from app.schemas.format.moments import MomentOut, moment
from app.schemas.seats import NamedSeat

_UPDATE: Final[dict[str, Any]] = {
    "seat_id": 1,
    "label": "A1",
    "status": "reserved_by_me",
    "is_mine": True,
    "expires_at": "2026-11-20T19:30:00.000Z",
    "previously_reserved_by": None,
}


class ChangeOut(NamedSeat):
    """A seat after its last change. `previously_reserved_by` is the caller's own id if that ended a hold of theirs."""

    status: SeatStatus
    is_mine: bool
    expires_at: MomentOut | None
    previously_reserved_by: UserIdOut | None


class ChangesOut(BaseModel):
    """Every seat that has changed, up to `version`."""

    version: int
    updates: list[ChangeOut]

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": 42, "updates": [_UPDATE]}]})


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConnectionConfirmed(_Message):
    """The first message. It is sent again, with the new `user_id`, after an `authenticate`."""

    type: Literal["connection_confirmed"]
    screening_id: int
    version: int = Field(description="The current version. Every later change will be sent.")
    user_id: UserIdOut | None = Field(description="The user whose token was sent; null: anonymous.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"type": "connection_confirmed", "screening_id": 1, "version": 41, "user_id": 17}]
        }
    )


class BulkSeatUpdate(_Message):
    """The seats that have changed since the last message, as the listener sees them."""

    type: Literal["bulk_seat_update"]
    screening_id: int
    version: int = Field(description="The last version in it. Versions only grow.")
    updates: list[ChangeOut]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"type": "bulk_seat_update", "screening_id": 1, "version": 42, "updates": [_UPDATE]}]
        }
    )


class Resync(_Message):
    """Read the whole map again: some changes were not sent. Later changes will be."""

    type: Literal["resync"]
    screening_id: int
    version: int = Field(description="Read the map at this version or a later one.")
    reason: Literal["too_old", "too_slow", "house_changed"] = Field(
        description="`too_old`: the missed changes are no longer kept, or too many. `too_slow`: the listener did not "
        "keep up; the stream ends. `house_changed`: an organizer edited the layout or the screening."
    )

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "resync", "screening_id": 1, "version": 42, "reason": "too_old"}]}
    )


class Ping(_Message):
    """The service sends it every 20 seconds; the client of a socket may send it at any time."""

    type: Literal["ping"]

    model_config = ConfigDict(json_schema_extra={"examples": [{"type": "ping"}]})


class Pong(_Message):
    """The answer to a `ping`."""

    type: Literal["pong"]

    model_config = ConfigDict(json_schema_extra={"examples": [{"type": "pong"}]})


class TokenExpiring(_Message):
    """The listener's token expires within 30 seconds. The connection is closed then, unless the token is renewed."""

    type: Literal["token_expiring"]
    expires_at: MomentOut

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "token_expiring", "expires_at": _UPDATE["expires_at"]}]}
    )


class Misunderstood(_Message):
    """The client's message was not understood. After several of these the socket is closed with 1008."""

    type: Literal["error"]
    code: Literal["not-json", "unknown-type"]
    detail: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"type": "error", "code": "unknown-type", "detail": "Send authenticate, ping or pong."}]
        }
    )


class Authenticate(_Message):
    """The client's token: as the first message, or later to renew it. An invalid token closes the socket with 4401."""

    type: Literal["authenticate"]
    token: str

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "authenticate", "token": "eyJhbGciOiJIUzI1NiIs..."}]}
    )


TOLD: Final = (ConnectionConfirmed, BulkSeatUpdate, Resync, Ping, TokenExpiring)
"""The messages of both doors (SSE and WebSocket)."""
ANSWERED: Final = (Pong, Misunderstood)
"""The messages of the WebSocket only."""
HEARD: Final = (Authenticate, Ping, Pong)
"""The messages that a WebSocket's client may send."""

PING: Final = b'{"type":"ping"}'
PONG: Final = b'{"type":"pong"}'


def confirmed_json(screening_id: int, version: int, user_id: int | None) -> bytes:
    """A ConnectionConfirmed."""
    return orjson.dumps(
        {"type": "connection_confirmed", "screening_id": screening_id, "version": version, "user_id": user_id}
    )


def bulk_json(screening_id: int, version: int, entries: Sequence[bytes]) -> bytes:
    """A BulkSeatUpdate; `entries` are JSON already."""
    head = b'{"type":"bulk_seat_update","screening_id":%d,"version":%d,"updates":[' % (screening_id, version)
    return head + b",".join(entries) + b"]}"


def resync_json(screening_id: int, version: int, reason: str) -> bytes:
    """A Resync."""
    return orjson.dumps({"type": "resync", "screening_id": screening_id, "version": version, "reason": reason})


def token_expiring_json(expires_at: datetime) -> bytes:
    """A TokenExpiring."""
    return orjson.dumps({"type": "token_expiring", "expires_at": moment(expires_at)})


def misunderstood_json(code: str, detail: str) -> bytes:
    """A Misunderstood."""
    return orjson.dumps({"type": "error", "code": code, "detail": detail})


class Change(Protocol):
    """A seat after its last change: whose it is now, and whose hold the change ended."""

    @property
    def seat_id(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def user_id(self) -> int | None: ...
    @property
    def previous_user_id(self) -> int | None: ...


def changes_json(version: int, entries: Sequence[bytes]) -> bytes:
    """A ChangesOut; `entries` are JSON already."""
    return b'{"version":%d,"updates":[%b]}' % (version, b",".join(entries))


def update_out(change: Change, layout: Layout, listener_id: int | None) -> dict[str, Any]:
    """A ChangeOut, as the user `listener_id` sees it. No other user's id is ever in it."""
    is_mine = listener_id is not None and change.user_id == listener_id
    is_held_by_me = is_mine and change.status == SeatStatus.RESERVED
    was_mine = listener_id is not None and change.previous_user_id == listener_id
    return {
        "seat_id": change.seat_id,
        "label": layout.label_of(change.seat_id),
        "status": SeatStatus.RESERVED_BY_ME if is_held_by_me else change.status,
        "is_mine": is_mine,
        "expires_at": moment(change.expires_at) if change.expires_at else None,
        "previously_reserved_by": listener_id if was_mine else None,
    }


def entry_json(change: Change, layout: Layout, listener_id: int | None) -> bytes:
    """As `update_out`, encoded."""
    return orjson.dumps(update_out(change, layout, listener_id))
