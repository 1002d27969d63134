"""The ids of what is made: reservations, bookings, payments, transfers."""

from uuid import UUID

import uuid_utils
from asyncpg.pgproto import pgproto


def new_id() -> UUID:
    """A new UUIDv7: ids that are made one after the other lie side by side in an index.

    It is of the class that the driver reads ids with, which has its text ready: every answer and every row has it
    (0.03 us instead of 0.8 for the standard library's, *measured*).
    """
    return pgproto.UUID(uuid_utils.uuid7().bytes)
