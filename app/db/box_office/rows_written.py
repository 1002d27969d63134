"""What a batch writes, row by row: each kind's type, and the part of the statement that writes it.

A row is a plain dict of its type's members: nothing is quicker to make and to send (*measured*: 0.6 microseconds for
one of twelve members, 1.1 as a tuple that gets its names later, 1.7 as a NamedTuple or a dataclass).
"""

from typing import Annotated, NotRequired, TypedDict
from uuid import UUID

from app.db.box_office.parts import (
    NOW,
    BigInt,
    BigInts,
    Body,
    Bool,
    Bytes,
    Int,
    ItsVersion,
    Json,
    Moment,
    More,
    Ordinal,
    Since,
    Sql,
    StatusBefore,
    StatusIfAsRead,
    Tail,
    Text,
    Uuid,
    Version,
    VersionIfAsRead,
    change,
    delete,
    insert,
    part,
)


class VersionsMoved(TypedDict):
    """How many changes a screening sees, and how it was read. `edits`: the sum of both revisions, which only grow."""

    ordinal: Ordinal
    screening_id: BigInt
    version_before: ItsVersion
    moves: Int
    edits: Int
    must_be_as_read: Bool


# A version cannot be null: then nothing is written. This comes first, so that rivals wait for each other here, in the
# order of the ids. `ordinal` counts from 1.
_MOVE = (
    "UPDATE screening_states t SET version = CASE WHEN t.revision + t.layout_revision = w.edits"
    " AND NOT (w.must_be_as_read AND t.version <> w.version_before) THEN t.version + w.moves END"
    " FROM {{rows}} WHERE t.screening_id = {} RETURNING {}t.version - w.moves - w.version_before AS shift"
)
VERSIONS_MOVED = part(
    "versions_moved",
    VersionsMoved,
    _MOVE.format("w.screening_id", "w.ordinal, "),
    _MOVE.format("$2", ""),
)


class GuestMade(TypedDict):
    """A guest whom nobody knew until they took something: they are as durable as that."""

    id: BigInt


GUESTS_MADE = insert("guests_made", "users", GuestMade, is_guest="true", created_at=NOW)


class SeatOf(TypedDict):
    """A seat of a screening."""

    screening_id: BigInt
    seat_id: BigInt


class Claimed(SeatOf):
    """Who has it now."""

    status: Text
    user_id: BigInt | None
    reservation_id: Uuid | None
    booking_id: Uuid | None
    expires_at: Moment | None
    reason: Text | None


CLAIMS_MADE = insert("claims_made", "seat_claims", Claimed)
CLAIMS_CHANGED = change("claims_changed", "seat_claims", Claimed, "screening_id", "seat_id")
CLAIMS_FREED = delete("claims_freed", "seat_claims", SeatOf)


class ReservationMade(TypedDict):
    """A new reservation."""

    screening_id: BigInt
    id: Uuid
    user_id: BigInt
    status: Text
    first_held_at: Since | None
    expires_at: Moment
    booking_id: Uuid | None
    version: Version
    ordinal: Ordinal


class ReservationChanged(TypedDict):
    """What may change of one, and the version at which it was read."""

    screening_id: BigInt
    id: Uuid
    status: Text
    expires_at: Moment
    booking_id: Uuid | None
    version_before: ItsVersion
    version: VersionIfAsRead
    ordinal: Ordinal


class ReservationBackdated(ReservationChanged):
    """The same of one whose cap counts from an earlier moment: a seat joined it that its buyer had before."""

    first_held_at: Moment


class ReservationSeat(TypedDict):
    """A seat of a reservation, or one that it had until it was released; and whose the reservation is."""

    screening_id: BigInt
    reservation_id: Uuid
    seat_id: BigInt
    user_id: BigInt
    amount_minor: BigInt
    currency: Text
    released_at: Moment | None


RESERVATIONS_MADE = insert("reservations_made", "reservations", ReservationMade, created_at=NOW)
RESERVATIONS_CHANGED = change("reservations_changed", "reservations", ReservationChanged, "screening_id", "id")
RESERVATIONS_BACKDATED = change("reservations_backdated", "reservations", ReservationBackdated, "screening_id", "id")
RESERVATION_SEATS_MADE = insert("reservation_seats_made", "reservation_seats", ReservationSeat)
RESERVATION_SEATS_CHANGED = change(
    "reservation_seats_changed", "reservation_seats", ReservationSeat, "screening_id", "reservation_id", "seat_id"
)


class HeldFromThere(TypedDict):
    """From where a reservation was made or taken again, by somebody without an account."""

    screening_id: BigInt
    reservation_id: Uuid
    address_key: Bytes
    network_key: Bytes


HELD_FROM = insert(
    "held_from",
    "anonymous_holds",
    HeldFromThere,
    on_conflict=" ON CONFLICT (screening_id, reservation_id)"
    " DO UPDATE SET address_key = excluded.address_key, network_key = excluded.network_key",
)


class SeatKept(TypedDict):
    """The last hold of a seat from an address, by somebody without an account."""

    screening_id: BigInt
    address_key: Bytes
    seat_id: BigInt
    reservation_id: Uuid
    counted_ms: BigInt
    began_at: Moment
    forget_at: Moment


SEATS_KEPT = insert(
    "seats_kept",
    "kept_seats",
    SeatKept,
    on_conflict=" ON CONFLICT (screening_id, address_key, seat_id)"
    " DO UPDATE SET reservation_id = excluded.reservation_id, counted_ms = excluded.counted_ms,"
    " began_at = excluded.began_at, forget_at = excluded.forget_at",
)


class BookingMade(TypedDict):
    """A new booking."""

    screening_id: BigInt
    id: Uuid
    user_id: BigInt
    reservation_id: Uuid | None
    status: Text
    payment_provider: Text
    payment_reference: Text
    paid_minor: BigInt
    cancelled_at: Moment | None
    version: Version
    ordinal: Ordinal


class BookingChanged(TypedDict):
    """What may change of one, and the version at which it was read."""

    screening_id: BigInt
    id: Uuid
    status: Text
    cancelled_at: Moment | None
    cancel_reason: Annotated[str | None, Sql("text", "coalesce(w.cancel_reason, t.cancel_reason)")]
    payment_provider: Text
    payment_reference: Text
    paid_minor: BigInt
    version_before: ItsVersion
    version: VersionIfAsRead
    ordinal: Ordinal


class BookingSeat(TypedDict):
    """A seat of a booking, or one that it had until it was cancelled."""

    screening_id: BigInt
    booking_id: Uuid
    seat_id: BigInt
    amount_minor: BigInt
    currency: Text
    cancelled_at: Moment | None


BOOKINGS_MADE = insert("bookings_made", "bookings", BookingMade, created_at=NOW)
BOOKINGS_CHANGED = change("bookings_changed", "bookings", BookingChanged, "screening_id", "id")
BOOKING_SEATS_MADE = insert("booking_seats_made", "booking_seats", BookingSeat)
BOOKING_SEATS_CHANGED = change(
    "booking_seats_changed", "booking_seats", BookingSeat, "screening_id", "booking_id", "seat_id"
)


class PaymentAtOnce(TypedDict):
    """A payment whose charge cannot fail. It has the id of its booking, unless that is said: it is for an exchange. The
    last two are there if money goes back.
    """

    screening_id: BigInt
    id: Uuid
    user_id: BigInt
    reservation_id: Uuid | None
    provider: Text
    reference: Text
    amount_minor: BigInt
    currency: Text
    booking_id: NotRequired[Annotated[UUID, Sql("uuid", "coalesce(w.booking_id, w.id)")]]
    refunding_minor: NotRequired[Annotated[int, Sql("bigint", "coalesce(w.refunding_minor, 0)")]]
    cause: NotRequired[Text]


class PaymentBegun(TypedDict):
    """A payment about which the provider decides. `next_ask_at`: when it is asked."""

    screening_id: BigInt
    id: Uuid
    user_id: BigInt
    reservation_id: Uuid | None
    provider: Text
    reference: Text | None
    status: Text
    amount_minor: BigInt
    currency: Text
    deadline: Moment
    next_ask_at: Moment
    plan: Json


class PaymentChanged(TypedDict):
    """What may change of one. `refunding_minor`: so much more goes back. `next_ask_at`: is it still asked for?"""

    screening_id: BigInt
    id: Uuid
    status: StatusIfAsRead
    status_before: StatusBefore
    booking_id: Uuid | None
    reference: Text | None
    amount_minor: BigInt
    currency: Text
    captured_minor: BigInt
    refunding_minor: More
    cause: Text | None
    decline_reason: Text | None
    redirect_url: Text | None
    client_secret: Text | None
    next_ask_at: Annotated[bool, Sql("bool", "CASE WHEN w.next_ask_at THEN t.next_ask_at END")]


class RefundAsked(TypedDict):
    """Money that is to go back."""

    screening_id: BigInt
    id: Uuid
    payment_id: Uuid
    booking_id: Uuid | None
    amount_minor: BigInt
    currency: Text
    cause: Text


class EntryMade(TypedDict):
    """What happened with a payment."""

    screening_id: BigInt
    payment_id: Uuid
    id: Uuid
    kind: Text
    amount_minor: BigInt
    currency: Text
    reference: Text | None
    cause: Text | None


# What follows from a charge that cannot fail (the entry, the dummy's books) is made from what this returns.
PAYMENTS_AT_ONCE = insert(
    "payments_made",
    "payments",
    PaymentAtOnce,
    on_conflict=" RETURNING id, provider, reference, amount_minor, currency, screening_id",
    status="'captured'",
    captured_minor="w.amount_minor",
    created_at=NOW,
)
PAYMENTS_BEGUN = insert("payments_begun", "payments", PaymentBegun, created_at=NOW)
PAYMENTS_CHANGED = change("payments_changed", "payments", PaymentChanged, "screening_id", "id")
REFUNDS_ASKED = insert("refunds_made", "refunds", RefundAsked, created_at=NOW, next_try_at=NOW)
ENTRIES_MADE = insert("entries_made", "payment_entries", EntryMade, at=NOW)


class TransferMade(TypedDict):
    """Seats of a booking that are offered."""

    screening_id: BigInt
    id: Uuid
    booking_id: Uuid
    seat_ids: BigInts
    code_hash: Bytes
    status: Text
    accepted_as: Uuid | None


class TransferChanged(TypedDict):
    """What became of an offer."""

    screening_id: BigInt
    id: Uuid
    status: StatusIfAsRead
    status_before: StatusBefore
    accepted_as: Uuid | None


class PaymentShared(TypedDict):
    """A payment that stands behind a booking that it was not made for."""

    screening_id: BigInt
    booking_id: Uuid
    payment_id: Uuid


TRANSFERS_MADE = insert("transfers_made", "transfers", TransferMade, created_at=NOW)
TRANSFERS_CHANGED = change("transfers_changed", "transfers", TransferChanged, "screening_id", "id")
PAYMENTS_SHARED = insert("shared_payments_made", "shared_payments", PaymentShared)


class KeyMade(TypedDict):
    """What was answered to a request with an idempotency key."""

    screening_id: BigInt
    owner_id: BigInt
    key: Text
    fingerprint: Bytes
    user_id: BigInt
    created: Bool
    location: Text | None
    body: Body
    version: ItsVersion | None
    tail: Tail
    ordinal: Ordinal | None


class KeyReplayed(TypedDict):
    """That it was answered again."""

    screening_id: BigInt
    owner_id: BigInt
    key: Text
    replayed_at: Moment


KEYS_MADE = insert("keys_made", "idempotency_keys", KeyMade, created_at=NOW)
# A replay writes too, so that its COMMIT waits for a synchronous standby as the first one should have.
KEYS_REPLAYED = change("keys_replayed", "idempotency_keys", KeyReplayed, "screening_id", "owner_id", "key")


class EventMade(TypedDict):
    """That a seat changed, and why."""

    screening_id: BigInt
    version: Version
    seat_id: BigInt
    from_status: Text
    to_status: Text
    user_id: BigInt | None
    previous_user_id: BigInt | None
    expires_at: Moment | None
    cause: Text
    actor_id: BigInt | None
    request_id: Text | None
    ordinal: Ordinal


EVENTS_MADE = insert("events_made", "seat_events", EventMade, at=NOW)
