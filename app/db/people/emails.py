"""Which users have or had an email, as a keyed hash: all of them are one buyer (docs/decisions/0013).

The hash of an email that is a user's no more stays as long as limits count what was taken with it.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

COUNTED_DAYS: Final = 2
"""A day of any time zone is over within two of ours."""

USERS_AT_ONCE: Final = 1_000
"""So many are looked at in one step."""

SAME_BUYERS: Final = """
WITH RECURSIVE buyers(user_id, member_id) AS (
     SELECT id, id FROM unnest({ids}) AS id
      UNION
     SELECT buyers.user_id, theirs.user_id
       FROM buyers JOIN buyer_emails mine ON mine.user_id = buyers.member_id
                   JOIN buyer_emails theirs ON theirs.email_key = mine.email_key)
SELECT user_id, member_id FROM buyers
"""
"""Users who have or had the same email are one buyer; so is who shares another email with one of them."""

_SAME_BUYER = text(SAME_BUYERS.format(ids="ARRAY[CAST(:user_id AS bigint)]"))

_KEY = "sha256((SELECT secret FROM email_secret) || convert_to(lower(CAST(:email AS text)), 'UTF8'))"

_LEAVE = text(f"""
    UPDATE buyer_emails SET left_at = clock_timestamp()
     WHERE user_id = :user_id AND left_at IS NULL
       AND (CAST(:email AS text) IS NULL OR email_key <> {_KEY})
""")  # noqa: S608 - our own names
_GIVE = text(f"""
    INSERT INTO buyer_emails (email_key, user_id) VALUES ({_KEY}, :user_id)
    ON CONFLICT (email_key, user_id) DO UPDATE SET left_at = NULL
""")  # noqa: S608 - our own names

_TAKE_OVER = text("""
    INSERT INTO buyer_emails (email_key, user_id, left_at)
    SELECT email_key, :by, clock_timestamp() FROM buyer_emails WHERE user_id = :user_id
    ON CONFLICT (email_key, user_id) DO NOTHING
""")

_LEFT = text("""
    SELECT DISTINCT user_id FROM buyer_emails
     WHERE left_at < statement_timestamp() - make_interval(days => :days) AND user_id > :after
     ORDER BY user_id LIMIT :at_most
""")
# What is counted: holds that have not run out, bookings of today, bookings of screenings that are on sale yet.
_COUNTED = text("""
    SELECT DISTINCT r.user_id FROM reservations r
     WHERE r.user_id = ANY(CAST(:user_ids AS bigint[])) AND r.status IN ('held', 'paying')
       AND r.expires_at > statement_timestamp()
""")
_COUNTED_TODAY = text("""
    SELECT DISTINCT b.user_id
      FROM bookings b JOIN screening_states s ON s.screening_id = b.screening_id
     WHERE b.user_id = ANY(CAST(:user_ids AS bigint[])) AND b.status = 'confirmed'
       AND (b.created_at > statement_timestamp() - make_interval(days => :days)
            OR coalesce(s.sales_close_at, s.starts_at) > statement_timestamp())
""")
_FORGET = text("""
    DELETE FROM buyer_emails
     WHERE user_id = ANY(CAST(:user_ids AS bigint[]))
       AND left_at < statement_timestamp() - make_interval(days => :days)
""")


async def change(connection: AsyncConnection, user_id: int, email: str | None) -> None:
    """This is the user's email from now on, or they have none. What they took with another one counts on.

    Call it in the transaction that writes `users.email`.
    """
    given = {"user_id": user_id, "email": email}
    await connection.execute(_LEAVE, given)
    if email is not None:
        await connection.execute(_GIVE, given)


async def take_over(connection: AsyncConnection, user_id: int, by: int) -> None:
    """Another user has taken over what this one took: they are one buyer, as long as it counts."""
    await connection.execute(_TAKE_OVER, {"user_id": user_id, "by": by})


async def same_buyer(connection: AsyncConnection, user_id: int) -> list[int]:
    """All users who are one buyer with this one, who is among them."""
    return [member_id for _, member_id in await connection.execute(_SAME_BUYER, {"user_id": user_id})]


async def forget(connection: AsyncConnection) -> None:
    """Delete the hashes of emails that are nobody's any more, once no limit counts them."""
    after = 0
    while True:
        page = {"days": COUNTED_DAYS, "after": after, "at_most": USERS_AT_ONCE}
        left = list(await connection.scalars(_LEFT, page))
        if not left:
            return
        given = {"days": COUNTED_DAYS, "user_ids": left}
        counted = {*await connection.scalars(_COUNTED, given), *await connection.scalars(_COUNTED_TODAY, given)}
        await connection.execute(_FORGET, {**given, "user_ids": [each for each in left if each not in counted]})
        after = left[-1]
