"""Accounts: users with a username and a password. `users.era` counts when all sessions of a user were ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.people import emails
from app.db.people.user_ids import new_id
from app.domain.refusals import UsernameTaken


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is needed to sign a user in. Guests and users of API keys have no password."""

    id: int
    username: str | None
    password_hash: str | None
    role: str
    is_guest: bool
    era: int


@dataclass(frozen=True, slots=True)
class Era:
    """The current era of a user. Sessions of earlier eras have ended, except the spared one."""

    user_id: int
    era: int
    spared_session_id: UUID | None


_CREDENTIALS = "SELECT id, username, password_hash, role, is_guest, era FROM users WHERE deleted_at IS NULL AND"
_OF_USERNAME = text(f"{_CREDENTIALS} username_key = :key")
_OF_ID = text(f"{_CREDENTIALS} id = :id")

_INSERT_ACCOUNT = text("""
    INSERT INTO users (id, username, username_key, email, password_hash, role)
    VALUES (:id, :username, :key, :email, :password_hash, :role)
""")
_INSERT_MACHINE = text("INSERT INTO users (id, role) VALUES (:id, :role)")

_REHASH = text("UPDATE users SET password_hash = :new WHERE id = :id AND password_hash = :old")

_NEW_ERA = "era = era + 1, era_began_at = clock_timestamp()"
_BECOME_ACCOUNT = text(f"""
    UPDATE users
       SET username = :username, username_key = :key, email = coalesce(:email, email), password_hash = :password_hash,
           is_guest = false, {_NEW_ERA}, spared_session_id = NULL
     WHERE id = :id AND is_guest AND deleted_at IS NULL AND joined_id IS NULL
    RETURNING id, era, spared_session_id
""")  # noqa: S608 - our own names
_CHANGE_PASSWORD = text(f"""
    UPDATE users SET password_hash = :new, {_NEW_ERA}, spared_session_id = :spared_session_id
     WHERE id = :id AND password_hash = :old AND deleted_at IS NULL
    RETURNING id, era, spared_session_id
""")  # noqa: S608 - our own names
_RESET_PASSWORD = text(f"""
    UPDATE users SET password_hash = :new, {_NEW_ERA}, spared_session_id = NULL
     WHERE username_key = :key AND deleted_at IS NULL RETURNING id
""")  # noqa: S608 - our own names
_SET_ROLE = text(f"""
    UPDATE users SET role = :role, {_NEW_ERA}, spared_session_id = NULL
     WHERE username_key = :key AND deleted_at IS NULL RETURNING id
""")  # noqa: S608 - our own names
_DELETE = text(f"""
    UPDATE users
       SET username = NULL, username_key = NULL, email = NULL, password_hash = NULL, deleted_at = clock_timestamp(),
           {_NEW_ERA}, spared_session_id = NULL
     WHERE id = :id AND password_hash IS NOT DISTINCT FROM :old AND deleted_at IS NULL
    RETURNING id, era, spared_session_id
""")  # noqa: S608 - our own names
_ERAS = text("""
    SELECT id, era, spared_session_id FROM users
     WHERE era_began_at > statement_timestamp() - make_interval(secs => :seconds)
""")


async def credentials_of(connection: AsyncConnection, username_key: str) -> Credentials | None:
    """The user with this username, by its key (see `usernames.key`); None if there is none."""
    row = (await connection.execute(_OF_USERNAME, {"key": username_key})).one_or_none()
    return Credentials(*row) if row else None


async def credentials(connection: AsyncConnection, user_id: int) -> Credentials | None:
    """The user with this id; None if there is none, or the account was deleted."""
    row = (await connection.execute(_OF_ID, {"id": user_id})).one_or_none()
    return Credentials(*row) if row else None


async def insert_account(
    connection: AsyncConnection, username: str, key: str, email: str | None, password_hash: str, role: str
) -> int:
    """Create an account, and return its id. Raises UsernameTaken."""
    user_id = new_id()
    given = {"id": user_id, "username": username, "key": key, "email": email, "password_hash": password_hash}
    with _a_name_is_taken_once():
        await connection.execute(_INSERT_ACCOUNT, given | {"role": role})
    await emails.change(connection, user_id, email)
    return user_id


async def become_account(
    connection: AsyncConnection, user_id: int, username: str, key: str, email: str | None, password_hash: str
) -> Era | None:
    """Turn a guest into an account, with everything that they have, and end their tokens, which no password guards.

    None if it is not a guest any more. Raises UsernameTaken.
    """
    given = {"id": user_id, "username": username, "key": key, "email": email, "password_hash": password_hash}
    with _a_name_is_taken_once():
        row = (await connection.execute(_BECOME_ACCOUNT, given)).one_or_none()
    if row is not None and email is not None:
        await emails.change(connection, user_id, email)
    return Era(*row) if row else None


async def insert_machine(connection: AsyncConnection, role: str) -> int:
    """Create the user of an API key, and return its id. It is neither a guest nor an account."""
    user_id = new_id()
    await connection.execute(_INSERT_MACHINE, {"id": user_id, "role": role})
    return user_id


async def rehash(connection: AsyncConnection, user_id: int, old: str, new: str) -> None:
    """Store a new hash of the same password, unless the password was changed in the meantime."""
    await connection.execute(_REHASH, {"id": user_id, "old": old, "new": new})


async def change_password(
    connection: AsyncConnection, user_id: int, old: str, new: str, spared_session_id: UUID | None
) -> Era | None:
    """Store the hash of a new password and begin a new era; None if `old` is not the current hash any more."""
    given = {"id": user_id, "old": old, "new": new, "spared_session_id": spared_session_id}
    row = (await connection.execute(_CHANGE_PASSWORD, given)).one_or_none()
    return Era(*row) if row else None


async def reset_password(connection: AsyncConnection, username_key: str, new: str) -> bool:
    """Store the hash of a new password and begin an era without sessions; False if there is no such account."""
    return (await connection.execute(_RESET_PASSWORD, {"key": username_key, "new": new})).one_or_none() is not None


async def set_role(connection: AsyncConnection, username_key: str, role: str) -> bool:
    """Change the role and begin an era without sessions; False if there is no such account."""
    return (await connection.execute(_SET_ROLE, {"key": username_key, "role": role})).one_or_none() is not None


async def delete(connection: AsyncConnection, user_id: int, old: str | None) -> Era | None:
    """Delete a user's personal data, and begin an era without sessions; None if `old` is not the current hash."""
    row = (await connection.execute(_DELETE, {"id": user_id, "old": old})).one_or_none()
    if row is None:
        return None
    await emails.change(connection, user_id, None)
    return Era(*row)


async def eras_of_the_last(connection: AsyncConnection, seconds: float) -> list[Era]:
    """The eras that began within the last seconds."""
    return [Era(*row) for row in await connection.execute(_ERAS, {"seconds": seconds})]


@contextmanager
def _a_name_is_taken_once() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if getattr(getattr(error.orig, "__cause__", None), "constraint_name", None) == "users_username_key":
            raise UsernameTaken from None
        raise
