"""A guest joins an account: what they have and what they paid becomes the account's, screening by screening."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.box_office import states
from app.db.people import emails
from app.db.people.accounts import Era
from app.db.seat_maps.seat_events import SeatChange
from app.domain.claims import SEEN_AS, ClaimStatus
from app.domain.seats import SeatStatus

_HELD_IN = text("SELECT DISTINCT screening_id FROM reservations WHERE user_id = :guest_id")
_BOOKED_IN = text("SELECT DISTINCT screening_id FROM bookings WHERE user_id = :guest_id")

# Whose a seat is shows in the personal map, so it is a change like any other, with a version and its events. What has
# run out and was not swept reads available before and after.
_CLAIMS = text("""
    SELECT seat_id, status, expires_at, expires_at IS NULL OR expires_at > statement_timestamp() AS is_live,
           statement_timestamp() AS now
      FROM seat_claims WHERE screening_id = CAST(:screening_id AS bigint) AND user_id = :guest_id ORDER BY seat_id
""")
_CHANGE_CLAIMS = text("""
    UPDATE seat_claims SET user_id = :account_id
     WHERE screening_id = CAST(:screening_id AS bigint) AND user_id = :guest_id
""")
_MOVE_VERSION = text("""
    UPDATE screening_states SET version = version + 1 WHERE screening_id = CAST(:screening_id AS bigint)
    RETURNING version, version + revision + layout_revision AS map_version
""")
# A new version of a reservation or a booking tells a rival who read it before.
_CHANGE_RESERVATIONS = text("""
    UPDATE reservations SET user_id = :account_id, version = coalesce(CAST(:version AS bigint), version)
     WHERE screening_id = CAST(:screening_id AS bigint) AND user_id = :guest_id
""")
_CHANGE_SEATS = text("""
    UPDATE reservation_seats s SET user_id = :account_id FROM reservations r
     WHERE r.screening_id = CAST(:screening_id AS bigint) AND r.user_id = :guest_id
       AND s.screening_id = CAST(:screening_id AS bigint) AND s.reservation_id = r.id
""")
_CHANGE_BOOKINGS = text("""
    UPDATE bookings SET user_id = :account_id, version = coalesce(CAST(:version AS bigint), version)
     WHERE screening_id = CAST(:screening_id AS bigint) AND user_id = :guest_id
""")
# What they paid, or tried to, by what it was for. Payments that came along with a transfer are another's.
_CHANGE_PAYMENTS = text("""
    UPDATE payments p SET user_id = :account_id FROM bookings b
     WHERE b.screening_id = CAST(:screening_id AS bigint) AND b.user_id = :guest_id
       AND p.screening_id = CAST(:screening_id AS bigint) AND p.booking_id = b.id AND p.user_id = :guest_id
""")
_CHANGE_TRIES = text("""
    UPDATE payments p SET user_id = :account_id FROM reservations r
     WHERE r.screening_id = CAST(:screening_id AS bigint) AND r.user_id = :guest_id
       AND p.screening_id = CAST(:screening_id AS bigint) AND p.reservation_id = r.id AND p.booking_id IS NULL
""")
# Keys that the account has used stay its own. It may use one at this moment: what changes no seat waits for no lock. So
# they are made anew, and whoever came first has the key. The guest's are of no use to anybody, and are forgotten when
# they are old.
_TAKE_KEYS = text("""
    INSERT INTO idempotency_keys (screening_id, owner_id, key, fingerprint, user_id, created, location, body,
                                  created_at, replayed_at)
    SELECT k.screening_id, CAST(:account_id AS bigint), k.key, k.fingerprint, k.user_id, k.created, k.location, k.body,
           k.created_at, k.replayed_at
      FROM idempotency_keys k WHERE k.screening_id = CAST(:screening_id AS bigint) AND k.owner_id = :guest_id
        ON CONFLICT (screening_id, owner_id, key) DO NOTHING
""")
_TELL = text("""
    INSERT INTO seat_events (screening_id, version, seat_id, at, from_status, to_status, user_id, previous_user_id,
                             expires_at, cause, actor_id, request_id)
    SELECT s.screening_id, CAST(:version AS bigint), w.seat_id, CAST(:now AS timestamptz), w.status, w.status,
           w.user_id, w.previous_user_id, w.expires_at, 'api', CAST(:account_id AS bigint), CAST(:request_id AS text)
      FROM screening_states s,
           unnest(CAST(:seat_ids AS bigint[]), CAST(:statuses AS text[]), CAST(:user_ids AS bigint[]),
                  CAST(:previous_user_ids AS bigint[]), CAST(:ends AS timestamptz[]))
               AS w(seat_id, status, user_id, previous_user_id, expires_at)
     WHERE s.screening_id = CAST(:screening_id AS bigint)
""")

# Again, when the first answer was lost: then the tokens are over already.
_JOIN = text("""
    UPDATE users
       SET joined_id = :account_id, era = era + (joined_id IS NULL)::int, spared_session_id = NULL,
           era_began_at = CASE WHEN joined_id IS NULL THEN clock_timestamp() ELSE era_began_at END
     WHERE id = :guest_id AND is_guest AND deleted_at IS NULL AND (joined_id IS NULL OR joined_id = :account_id)
    RETURNING id, era, spared_session_id
""")
_JOINED = text("SELECT joined_id FROM users WHERE id = :guest_id")


@dataclass(frozen=True, slots=True)
class Moved:
    """A screening in which seats became the account's: its new version, that of its map, and the seats."""

    screening_id: int
    version: int
    map_version: int
    changes: tuple[SeatChange, ...]


async def screenings_of(connection: AsyncConnection, guest_id: int) -> list[int]:
    """The screenings in which this guest has, or had, anything."""
    given = {"guest_id": guest_id}
    return sorted({*await connection.scalars(_HELD_IN, given), *await connection.scalars(_BOOKED_IN, given)})


async def move(
    connection: AsyncConnection, screening_ids: Sequence[int], guest_id: int, account_id: int, request_id: str | None
) -> list[Moved]:
    """Make the account's what the guest has in these screenings, and return those in which it shows.

    They are locked as a batch of the box office locks them, in the order of the ids, and stay so until the transaction
    ends: whoever decides about these seats waits for us, or finds that what they read is not so any more.
    """
    await states.lock_all(connection, screening_ids)
    moved = [await _move(connection, each, guest_id, account_id, request_id) for each in sorted(screening_ids)]
    return [each for each in moved if each is not None]


async def _move(
    connection: AsyncConnection, screening_id: int, guest_id: int, account_id: int, request_id: str | None
) -> Moved | None:
    given: dict[str, object] = {"screening_id": screening_id, "guest_id": guest_id, "account_id": account_id}
    claims = (await connection.execute(_CLAIMS, {"screening_id": screening_id, "guest_id": guest_id})).all()
    version: int | None = None
    moved: Moved | None = None
    if claims:
        await connection.execute(_CHANGE_CLAIMS, given)
        version, map_version = (await connection.execute(_MOVE_VERSION, {"screening_id": screening_id})).one()
        changes = tuple(_change(version, claim, guest_id, account_id) for claim in claims)
        moved = Moved(screening_id, version, map_version, changes)
        told = {
            "screening_id": screening_id,
            "account_id": account_id,
            "version": version,
            "now": claims[0].now,
            "request_id": request_id,
            "seat_ids": [each.seat_id for each in changes],
            "statuses": [each.status for each in changes],
            "user_ids": [each.user_id for each in changes],
            "previous_user_ids": [each.previous_user_id for each in changes],
            "ends": [each.expires_at for each in changes],
        }
        await connection.execute(_TELL, told)
    for statement in (_CHANGE_SEATS, _CHANGE_PAYMENTS, _CHANGE_TRIES):
        await connection.execute(statement, given)
    for statement in (_CHANGE_RESERVATIONS, _CHANGE_BOOKINGS):
        await connection.execute(statement, {**given, "version": version})
    await connection.execute(_TAKE_KEYS, given)
    return moved


def _change(version: int, claim: Row[Any], guest_id: int, account_id: int) -> SeatChange:
    if not claim.is_live:
        return SeatChange(version, claim.seat_id, SeatStatus.AVAILABLE, None, None, None)
    status = SEEN_AS[ClaimStatus(claim.status)]
    was_held_by = guest_id if claim.status == ClaimStatus.HELD else None
    return SeatChange(version, claim.seat_id, status, claim.expires_at, account_id, was_held_by)


async def join(connection: AsyncConnection, guest_id: int, account_id: int) -> Era | None:
    """Write down that the guest is this account, and end all of their tokens.

    None if they are no guest any more: deleted, an account themselves, or part of another one.
    """
    row = (await connection.execute(_JOIN, {"guest_id": guest_id, "account_id": account_id})).one_or_none()
    if row is not None:
        await emails.take_over(connection, guest_id, account_id)
    return Era(*row) if row else None


async def account_of(connection: AsyncConnection, guest_id: int) -> int | None:
    """The account that this guest has joined; None if they have joined none."""
    found: int | None = await connection.scalar(_JOINED, {"guest_id": guest_id})
    return found
