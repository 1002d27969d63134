"""Changes in JSON: the same entries as in live messages (docs/api.md, section 9), told from the listener's side."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

import orjson

from app.domain.seats import Layout, SeatStatus
from app.schemas.format.moments import moment


class Change(Protocol):
    """What a seat is since its last change, whose it is, and whose hold it was before."""

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


def changes_json(version: int, changes: Iterable[Change], layout: Layout, listener_id: int | None) -> bytes:
    """The version that the changes lead to, and one entry for each seat that changed."""
    updates = [update_out(change, layout, listener_id) for change in changes]
    return orjson.dumps({"version": version, "updates": updates})


def update_out(change: Change, layout: Layout, listener_id: int | None) -> dict[str, Any]:
    """One seat as a listener sees it: their own id is the only one that ever appears."""
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
