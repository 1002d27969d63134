"""The schema on one page. Migrations repeat it; `alembic check` compares the two.

Every table that a seat transaction writes has `screening_id` first in its primary key and in every unique constraint,
so that one screening's rows can live on one node (docs/architecture.md, past one machine); all but `users`, where a new
guest comes with what they take. The named constraints repeat the rules of `domain/` that must never break, each with
its reason.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, UUID

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(constraint_name)s",
    }
)

MOMENT = TIMESTAMP(timezone=True)


def _one_of(column: str, *values: str) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


theaters = Table(
    "theaters",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("layout_revision", Integer, nullable=False, server_default="1"),
    # Where people look, as its layout says. Not set: the middle of the front.
    Column("focal_x", Double),
    Column("focal_y", Double),
    Column("created_at", MOMENT, nullable=False, server_default=func.now()),
    # A theater that was taken away keeps its row: past screenings and old bookings stay readable.
    Column("removed_at", MOMENT),
    CheckConstraint("(focal_x IS NULL) = (focal_y IS NULL)", name="theaters_focal_point_is_whole"),
)

seats = Table(
    "seats",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("theater_id", ForeignKey("theaters.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("section", Text, nullable=False),
    Column("row", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("category", Text, nullable=False),
    Column("accessible", Boolean, nullable=False, server_default="false"),
    Column("companion", Boolean, nullable=False, server_default="false"),
    Column("restricted_view", Boolean, nullable=False, server_default="false"),
    Column("x", Double, nullable=False),
    Column("y", Double, nullable=False),
    Column("aisle_after", Boolean, nullable=False, server_default="false"),
    Column("removed_at", MOMENT),
    # A label names one seat of the house as it stands; a seat that was taken out keeps its label for old tickets.
    Index("seats_label_in_use", "theater_id", "label", unique=True, postgresql_where=text("removed_at IS NULL")),
    # What becomes of a layout: read whole, in its order.
    Index("seats_in_order", "theater_id", "position"),
)

former_layouts = Table(
    "former_layouts",
    metadata,
    Column("theater_id", ForeignKey("theaters.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    # The seats in their order, as they were: by the names of the columns. Only where a screening still stands on them.
    Column("seats", JSONB, nullable=False),
    Column("focal_x", Double),
    Column("focal_y", Double),
    PrimaryKeyConstraint("theater_id", "revision"),
    CheckConstraint("(focal_x IS NULL) = (focal_y IS NULL)", name="former_layouts_focal_point_is_whole"),
)


def _decides_about_sales() -> tuple[Column[Any], ...]:
    """What the rules look at, in the plan of a screening and in its state."""
    return (
        Column("starts_at", MOMENT, nullable=False),
        Column("sales_open_at", MOMENT),
        Column("sales_close_at", MOMENT),
        # Until when customers may cancel; not set: until it starts.
        Column("cancel_until", MOMENT),
        Column("hold_seconds", Integer),
        Column("max_hold_seconds", Integer),
        Column("prices", JSONB, nullable=False),
        Column("max_seats_per_reservation", Integer),
        Column("max_seats_per_user", Integer),
        Column("max_active_reservations_per_user", Integer),
        Column("bookings_per_user_per_day", Integer),
        Column("orphan_rule", Text, nullable=False, server_default="off"),
        Column("reserved_places", Text, nullable=False, server_default="kept"),
        Column("cancelled_at", MOMENT),
        # The theater's, written again for each screening: whoever waited for the lock of the state reads it anew with
        # it. A screening that has begun, or was cancelled, keeps the one that it has.
        Column("layout_revision", Integer, nullable=False, server_default="1"),
    )


# What organizers say. Whoever changes a row holds the lock of the screening's state, and changes both.
screenings = Table(
    "screenings",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("theater_id", ForeignKey("theaters.id"), nullable=False),
    Column("title", Text, nullable=False),
    *_decides_about_sales(),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("created_at", MOMENT, nullable=False, server_default=func.now()),
    CheckConstraint("hold_seconds > 0 AND max_hold_seconds > 0", name="screening_holds_take_time"),
    CheckConstraint(_one_of("orphan_rule", "off", "lenient", "strict"), name="orphan_rule_is_known"),
    CheckConstraint(_one_of("reserved_places", "kept", "released"), name="reserved_places_are_known"),
    # Not set is the default of the environment, and -1 no limit at all.
    *(
        CheckConstraint(f"{limit} > 0 OR {limit} = -1", name=f"{limit}_is_a_limit")
        for limit in (
            "max_seats_per_reservation",
            "max_seats_per_user",
            "max_active_reservations_per_user",
            "bookings_per_user_per_day",
        )
    ),
    Index("screenings_of_theater", "theater_id", "starts_at", "id"),
    Index("screenings_soonest_first", "starts_at", "id"),
)

# What every batch reads, locks and moves: one row for each screening. It has no foreign key to the plan, because the
# two may live on different machines.
screening_states = Table(
    "screening_states",
    metadata,
    Column("screening_id", BigInteger, primary_key=True, autoincrement=False),
    Column("theater_id", BigInteger, nullable=False),
    Column("timezone", Text, nullable=False),
    *_decides_about_sales(),
    # Counts edits. It is not the revision of the plan: a fence (db/box_office/reading.py) moves only this one.
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("version", BigInteger, nullable=False, server_default="0"),
    # Every change of seats updates `version`: room on the page keeps that update away from the index (HOT).
    postgresql_with={"fillfactor": "70"},
)

users = Table(
    "users",
    metadata,
    # Drawn at random (db/people/user_ids.py); the sequence is for an earlier release while an upgrade is under way.
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("username", Text),
    # The same for every way to write the username (domain/people/usernames.py).
    Column("username_key", Text),
    Column("email", Text),
    Column("password_hash", Text),
    Column("role", Text, nullable=False, server_default="customer"),
    Column("is_guest", Boolean, nullable=False, server_default="false"),
    # Sessions and tokens of an earlier era are over, but for the session that began this one.
    Column("era", Integer, nullable=False, server_default="0"),
    Column("spared_session_id", UUID),
    Column("era_began_at", MOMENT),
    Column("created_at", MOMENT, nullable=False, server_default=func.now()),
    Column("deleted_at", MOMENT),
    # The account that this guest has signed in to: what they had is that one's now.
    Column("joined_id", ForeignKey("users.id")),
    # The user of the API key that sells for this customer, and what it calls them.
    Column("owner_id", ForeignKey("users.id")),
    Column("reference", Text),
    CheckConstraint("joined_id IS NULL OR is_guest", name="only_a_guest_joins"),
    CheckConstraint("(owner_id IS NULL) = (reference IS NULL)", name="a_reference_has_its_owner"),
    CheckConstraint(_one_of("role", "customer", "staff", "organizer", "admin"), name="user_role_is_known"),
    CheckConstraint("(username IS NULL) = (username_key IS NULL)", name="a_username_has_its_key"),
    CheckConstraint("password_hash IS NULL OR username IS NOT NULL", name="a_password_has_its_username"),
    CheckConstraint("NOT is_guest OR username IS NULL", name="a_guest_has_no_username"),
    # Whoever goes takes their data along; the row stays for their bookings.
    CheckConstraint(
        "deleted_at IS NULL OR (username IS NULL AND email IS NULL AND password_hash IS NULL)",
        name="a_deleted_user_has_no_data",
    ),
    Index("users_username_key", "username_key", unique=True),
    # What every process asks again and again: whose sessions ended lately?
    Index("users_by_era", "era_began_at", postgresql_where=text("era_began_at IS NOT NULL")),
    # One customer for each reference, also when two processes meet it at the same time.
    Index(
        "users_owner_id_reference_key",
        "owner_id",
        "reference",
        unique=True,
        postgresql_where=text("owner_id IS NOT NULL"),
    ),
    # Staff find bookings by email.
    Index("users_by_email", text("lower(email)"), postgresql_where=text("email IS NOT NULL")),
)

# The key under which emails are hashed. It is one for the installation: every process must find the same buyers.
email_secret = Table(
    "email_secret",
    metadata,
    Column("is_the_only_one", Boolean, primary_key=True, server_default="true"),
    Column("secret", LargeBinary, nullable=False),
    CheckConstraint("is_the_only_one", name="email_secret_is_one_row"),
)

# Which users have or had an email: all of them are one buyer. `left_at`: since when it is theirs no more.
buyer_emails = Table(
    "buyer_emails",
    metadata,
    Column("email_key", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("left_at", MOMENT),
    Index("emails_of_user", "user_id"),
    Index("emails_left", "left_at", postgresql_where=text("left_at IS NOT NULL")),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("era", Integer, nullable=False),
    # Of the newest refresh token; whoever shows an earlier one ends the session.
    Column("token_hash", LargeBinary, nullable=False),
    # Of what all refresh tokens of the session have in common: who knows it had one of them, and may end the session.
    Column("family_hash", LargeBinary),
    Column("created_at", MOMENT, nullable=False, server_default=func.now()),
    Column("expires_at", MOMENT, nullable=False),
    Column("ended_at", MOMENT),
    Index("sessions_by_end", "expires_at"),
    # What every process asks again and again: which sessions ended lately?
    Index("sessions_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    # The user that the key acts as: nobody else does. The role is theirs.
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("prefix", Text, nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    Column("created_by", ForeignKey("users.id"), nullable=False),
    Column("created_at", MOMENT, nullable=False, server_default=func.now()),
    Column("last_used_at", MOMENT),
    Column("revoked_at", MOMENT),
    CheckConstraint("cardinality(scopes) > 0", name="a_key_is_good_for_something"),
    UniqueConstraint("key_hash"),
    UniqueConstraint("user_id"),
)

seat_claims = Table(
    "seat_claims",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("seat_id", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("user_id", BigInteger),
    Column("reservation_id", UUID),
    Column("booking_id", UUID),
    Column("expires_at", MOMENT),
    # Why the house took it off sale.
    Column("reason", Text),
    # The promise itself: a second owner of a seat cannot be written down.
    PrimaryKeyConstraint("screening_id", "seat_id"),
    CheckConstraint(_one_of("status", "held", "booked", "blocked"), name="claim_status_is_known"),
    # A hold without an end would never run out; a booking with one might.
    CheckConstraint("(status = 'held') = (expires_at IS NOT NULL)", name="a_hold_has_an_end"),
    CheckConstraint("(status = 'booked') = (booking_id IS NOT NULL)", name="a_booked_claim_has_a_booking"),
    CheckConstraint("status <> 'held' OR reservation_id IS NOT NULL", name="a_hold_has_a_reservation"),
    CheckConstraint("(status = 'blocked') = (user_id IS NULL)", name="a_claim_is_somebodys_or_the_houses"),
    # It does not fit who looks for a seat: to a plan that is made of an empty table, it would seem as good as the key.
    Index("claims_of_user", "screening_id", "user_id", postgresql_where=text("user_id IS NOT NULL")),
    # A hold that becomes a booking stays on its page, and its index entries stay as they are (HOT).
    postgresql_with={"fillfactor": "70"},
)

reservations = Table(
    "reservations",
    metadata,
    Column("screening_id", ForeignKey("screening_states.screening_id"), nullable=False),
    Column("id", UUID, nullable=False),
    # Whoever has anything exists.
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("first_held_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("booking_id", UUID),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("screening_id", "id"),
    CheckConstraint(
        _one_of("status", "held", "paying", "booked", "released", "expired"), name="reservation_status_is_known"
    ),
    CheckConstraint("(status = 'booked') = (booking_id IS NOT NULL)", name="a_booked_reservation_has_a_booking"),
    CheckConstraint("first_held_at <= created_at AND created_at < expires_at", name="a_hold_takes_time"),
    # Mine, newest first (ids are UUIDv7); and the screening of one of mine, when only its id is known.
    Index("reservations_of_user", "user_id", "id"),
    # What the sweeper asks: which holds end next?
    Index("reservations_run_out", "expires_at", postgresql_where=text("status IN ('held', 'paying')")),
)

reservation_seats = Table(
    "reservation_seats",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("reservation_id", UUID, nullable=False),
    Column("seat_id", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("released_at", MOMENT),
    # Whose the reservation is. Unknown of what is too old to count.
    Column("user_id", BigInteger),
    PrimaryKeyConstraint("screening_id", "reservation_id", "seat_id"),
    CheckConstraint("amount_minor >= 0", name="a_held_price_is_not_negative"),
    # What every hold asks: had this buyer this seat before? However much others, or this buyer, have had.
    Index("reservation_seats_of_user", "screening_id", "user_id", "seat_id", "reservation_id"),
)

# From where somebody without an account holds seats: keyed hashes, for as long as they hold them.
anonymous_holds = Table(
    "anonymous_holds",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("reservation_id", UUID, nullable=False),
    Column("address_key", LargeBinary, nullable=False),
    Column("network_key", LargeBinary, nullable=False),
    PrimaryKeyConstraint("screening_id", "reservation_id"),
    Index("anonymous_holds_of_network", "screening_id", "network_key"),
)

# How they kept a seat from there, so that the same seats are not held again and again. `counted_ms`: for how long the
# holds before the last one lasted, in milliseconds.
kept_seats = Table(
    "kept_seats",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("address_key", LargeBinary, nullable=False),
    Column("seat_id", BigInteger, nullable=False),
    Column("reservation_id", UUID, nullable=False),
    Column("counted_ms", BigInteger, nullable=False),
    Column("began_at", MOMENT, nullable=False),
    Column("forget_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("screening_id", "address_key", "seat_id"),
    Index("kept_seats_by_age", "forget_at"),
)

bookings = Table(
    "bookings",
    metadata,
    Column("screening_id", ForeignKey("screening_states.screening_id"), nullable=False),
    Column("id", UUID, nullable=False),
    # Whoever has anything exists.
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("reservation_id", UUID),
    Column("status", Text, nullable=False),
    Column("payment_provider", Text, nullable=False, server_default="dummy"),
    # The provider's name for what was paid first.
    Column("payment_reference", Text, nullable=False),
    # All that was paid in. What went back is in refunds.
    Column("paid_minor", BigInteger, nullable=False, server_default="0"),
    Column("created_at", MOMENT, nullable=False),
    Column("cancelled_at", MOMENT),
    # Why it was cancelled, in words, for the house.
    Column("cancel_reason", Text),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("screening_id", "id"),
    CheckConstraint(_one_of("status", "confirmed", "cancelled"), name="booking_status_is_known"),
    CheckConstraint("paid_minor >= 0", name="nobody_pays_less_than_nothing"),
    CheckConstraint("(status = 'cancelled') = (cancelled_at IS NOT NULL)", name="a_cancelled_booking_says_when"),
    # Mine, newest first; and the screening of one of mine, when only its id is known.
    Index("bookings_of_user", "user_id", "id"),
    # The organizers' list of everybody's, newest first.
    Index("bookings_newest_first", "id"),
)

booking_seats = Table(
    "booking_seats",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("booking_id", UUID, nullable=False),
    Column("seat_id", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("cancelled_at", MOMENT),
    PrimaryKeyConstraint("screening_id", "booking_id", "seat_id"),
    ForeignKeyConstraint(["screening_id", "booking_id"], ["bookings.screening_id", "bookings.id"]),
    CheckConstraint("amount_minor >= 0", name="a_booked_price_is_not_negative"),
    # The promise once more, in the books: a seat of a screening has one live booking.
    Index(
        "one_live_booking_per_seat",
        "screening_id",
        "seat_id",
        unique=True,
        postgresql_where=text("cancelled_at IS NULL"),
    ),
)

# Money as we know it. A row for each attempt to pay; the provider's key of the attempt is made from its id.
payments = Table(
    "payments",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("id", UUID, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("reservation_id", UUID),
    # Set when something is booked for the money.
    Column("booking_id", UUID),
    Column("provider", Text, nullable=False),
    # The provider's name for it, once it has said one.
    Column("reference", Text),
    Column("status", Text, nullable=False),
    # What is to be paid; what was taken, if the provider took something else.
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("captured_minor", BigInteger, nullable=False, server_default="0"),
    # What went back, and what is on its way back.
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("refunding_minor", BigInteger, nullable=False, server_default="0"),
    # Why the money went back, the last time.
    Column("cause", Text),
    # Why the provider declined.
    Column("decline_reason", Text),
    Column("redirect_url", Text),
    Column("client_secret", Text),
    # Until when the provider has time, and when it is asked again; not set: it is decided.
    Column("deadline", MOMENT),
    Column("next_ask_at", MOMENT),
    Column("asks", Integer, nullable=False, server_default="0"),
    # What is to be done when it is decided (domain/payments.py).
    Column("plan", JSONB),
    Column("created_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("screening_id", "id"),
    CheckConstraint(
        _one_of("status", "pending", "requires_action", "captured", "failed", "voided"), name="payment_is_known"
    ),
    CheckConstraint("amount_minor >= 0", name="a_payment_is_not_negative"),
    CheckConstraint("captured_minor IN (0, amount_minor)", name="a_capture_is_whole"),
    CheckConstraint("captured_minor = 0 OR status = 'captured'", name="money_was_captured"),
    # Nothing goes back that was not taken, and nothing twice.
    CheckConstraint(
        "refunded_minor >= 0 AND refunding_minor >= 0 AND refunded_minor + refunding_minor <= captured_minor",
        name="no_more_goes_back_than_came",
    ),
    CheckConstraint(
        "(status IN ('pending', 'requires_action')) = (next_ask_at IS NOT NULL)", name="what_is_open_is_asked_for"
    ),
    CheckConstraint("next_ask_at IS NULL OR deadline IS NOT NULL", name="what_is_open_has_a_deadline"),
    # Nobody pays twice for the same seats at the same time.
    Index(
        "one_open_payment_per_reservation",
        "screening_id",
        "reservation_id",
        unique=True,
        postgresql_where=text("next_ask_at IS NOT NULL"),
    ),
    Index("payments_of_booking", "screening_id", "booking_id"),
    # What somebody tried to pay, who joins an account.
    Index("payments_for_nothing", "screening_id", "reservation_id", postgresql_where=text("booking_id IS NULL")),
    # What the finisher asks.
    Index("payments_to_ask", "next_ask_at", postgresql_where=text("next_ask_at IS NOT NULL")),
    # What a webhook names.
    Index("payments_by_reference", "reference"),
    # The organizers' list, newest first (ids are UUIDv7).
    Index("payments_newest_first", "id"),
)

# What happened with money, in order; nothing is ever changed or deleted. The capture of a payment has the id of the
# payment, and that of a refund the id of the refund: so neither can be written down twice. A refund that did not arrive
# has a `fail` with its cause, and what is given back again an id made from that of the refund and its tries.
payment_entries = Table(
    "payment_entries",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("payment_id", UUID, nullable=False),
    Column("id", UUID, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reference", Text),
    Column("cause", Text),
    PrimaryKeyConstraint("screening_id", "payment_id", "id"),
    CheckConstraint(_one_of("kind", "capture", "refund", "void", "fail"), name="entry_kind_is_known"),
    CheckConstraint("amount_minor >= 0", name="an_entry_is_not_negative"),
)

# Refunds, written by the transaction that frees the seats, and carried out later; the provider's key is made from the
# id. They stay when they are done. `tries` grows whenever something is learnt of one: who knows an older number knows
# nothing.
refunds = Table(
    "refunds",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("id", UUID, nullable=False),
    Column("payment_id", UUID, nullable=False),
    # For which booking; not set: nothing was booked for the money.
    Column("booking_id", UUID),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    # Not set: it is done.
    Column("next_try_at", MOMENT),
    Column("done_at", MOMENT),
    PrimaryKeyConstraint("screening_id", "id"),
    CheckConstraint("amount_minor > 0", name="a_refund_is_of_something"),
    CheckConstraint(
        _one_of("cause", "cancelled", "exchanged", "screening_cancelled", "too_late", "wrong_amount"),
        name="refund_cause_is_known",
    ),
    CheckConstraint("(next_try_at IS NULL) = (done_at IS NOT NULL)", name="a_refund_is_tried_until_it_is_done"),
    Index("refunds_of_booking", "screening_id", "booking_id"),
    Index("refunds_to_try", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
)

# Seats of a booking that are offered to whoever has the code: of that there is a hash only. Time expires an offer, and
# an offer of what its booking has no more is good for nothing: neither is written down.
transfers = Table(
    "transfers",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("id", UUID, nullable=False),
    Column("booking_id", UUID, nullable=False),
    Column("seat_ids", ARRAY(BigInteger), nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    # The taker's booking.
    Column("accepted_as", UUID),
    PrimaryKeyConstraint("screening_id", "id"),
    CheckConstraint(_one_of("status", "offered", "accepted", "withdrawn"), name="transfer_status_is_known"),
    CheckConstraint("(status = 'accepted') = (accepted_as IS NOT NULL)", name="what_is_accepted_is_in_a_booking"),
    CheckConstraint("cardinality(seat_ids) > 0", name="a_transfer_is_of_something"),
    # Whoever has a code.
    Index("transfers_by_code", "screening_id", "code_hash", unique=True),
    # What is offered of a booking that changes.
    Index("transfers_of_booking", "screening_id", "booking_id"),
)

# Payments that came along when seats were handed over: they stand behind the taker's booking, too.
shared_payments = Table(
    "shared_payments",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("booking_id", UUID, nullable=False),
    Column("payment_id", UUID, nullable=False),
    PrimaryKeyConstraint("screening_id", "booking_id", "payment_id"),
)

# The books of the dummy provider: a bank's, as it were, in a schema of its own. Whatever is not certain beforehand is
# written over a connection of its own and committed at once; a charge that cannot fail by the transaction that books.
dummy_charges = Table(
    "dummy_charges",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("created_at", MOMENT, nullable=False),
    # When it was charged; in the future: when it will be.
    Column("charged_at", MOMENT),
    # What becomes of it at `decides_at`; not set: it is decided, or the payer has to.
    Column("decides_at", MOMENT),
    Column("becomes", Text),
    # A void comes too late for it.
    Column("is_stubborn", Boolean, nullable=False, server_default="false"),
    Column("refunds_to_fail", Integer, nullable=False, server_default="0"),
    # How many reports are to be made, and from when on.
    Column("reports", Integer, nullable=False, server_default="0"),
    Column("report_at", MOMENT),
    PrimaryKeyConstraint("screening_id", "key"),
    CheckConstraint(
        "refunded_minor >= 0 AND (refunded_minor = 0 OR refunded_minor <= amount_minor)",
        name="the_bank_gives_back_what_it_has",
    ),
    Index("dummy_charges_by_reference", "reference"),
    Index("dummy_charges_to_report", "report_at", postgresql_where=text("reports > 0")),
    schema="dummy_bank",
)

dummy_refunds = Table(
    "dummy_refunds",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("screening_id", "key"),
    schema="dummy_bank",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    # 0 for what belongs to none: an organizer's key for a theater, or for a screening that it made.
    Column("screening_id", BigInteger, nullable=False),
    # Keys belong to the user; 0 are the keys of callers whom nobody knew yet.
    Column("owner_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    # The user whom the answer was for: with an anonymous key, the guest who was made for it.
    Column("user_id", BigInteger, nullable=False),
    Column("created", Boolean, nullable=False),
    Column("location", Text),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", MOMENT, nullable=False),
    Column("replayed_at", MOMENT),
    PrimaryKeyConstraint("screening_id", "owner_id", "key"),
    # A key says one thing whatever screening it is sent to.
    # Newer than the primary key, which has the two as well: of an empty table, a plan takes the newest of equal ways.
    Index("keys_of_owner", "owner_id", "key"),
    # What the sweeper asks: which are too old? They come in the order of time, which costs writers next to nothing.
    Index("idempotency_keys_by_age", "created_at"),
)

seat_events = Table(
    "seat_events",
    metadata,
    Column("screening_id", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("seat_id", BigInteger, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("from_status", Text, nullable=False),
    Column("to_status", Text, nullable=False),
    # Whose the seat is after the change, and whose hold it was before it.
    Column("user_id", BigInteger),
    Column("previous_user_id", BigInteger),
    Column("expires_at", MOMENT),
    Column("cause", Text, nullable=False),
    Column("actor_id", BigInteger),
    Column("request_id", Text),
    PrimaryKeyConstraint("screening_id", "version", "seat_id"),
    CheckConstraint(_one_of("cause", "api", "expiry", "staff"), name="event_cause_is_known"),
    Index("seat_events_by_age", "at"),
)

redis_mistrust = Table(
    "redis_mistrust",
    metadata,
    Column("is_the_only_one", Boolean, primary_key=True, server_default="true"),
    # Redis missed a change of some process: nobody believes it before this.
    Column("until", MOMENT, nullable=False),
    CheckConstraint("is_the_only_one", name="redis_mistrust_is_one_row"),
)

sweeper_lease = Table(
    "sweeper_lease",
    metadata,
    Column("is_the_only_one", Boolean, primary_key=True, server_default="true"),
    # The process that asks which holds end next, for all processes, as long as it renews this.
    Column("holder", UUID),
    Column("until", MOMENT, nullable=False),
    CheckConstraint("is_the_only_one", name="sweeper_lease_is_one_row"),
)
