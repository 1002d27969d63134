"""Accounts from the command line: the only way to the first role, and the way back for a lost password.

Passwords are typed or piped in. They are never arguments: other users of the machine can see those.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from getpass import getpass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.connections import open_for_command
from app.domain.people.people import Role
from app.domain.refusals import UsernameTaken
from app.schemas.people.people import NewPassword, RegisterIn
from app.services.people import appointing

T = TypeVar("T")


def create(database_url: str, username: str, role: Role, email: str | None) -> int:
    """Create an account with a role and the password that is typed. Returns the exit code."""
    try:
        wanted = RegisterIn(username=username, password=_typed_password(), email=email)
        _with_engine(database_url, lambda engine: appointing.appoint(engine, wanted, role))
    except ValidationError as error:
        return _complain(error, "password")
    except UsernameTaken:
        print(
            f"The username {username} is taken. Choose another, or set its password (--reset-password) or its role "
            f"(set-role {username} {role.value}).",
            file=sys.stderr,
        )
        return 1
    print(f"Created the account {wanted.username} with the role {role.value}.")
    return 0


def reset_password(database_url: str, username: str) -> int:
    """Set the password of an account to what is typed, and end its sessions. Returns the exit code."""
    try:
        password = TypeAdapter(NewPassword).validate_python(_typed_password())
    except ValidationError as error:
        return _complain(error, "password")
    if not _with_engine(database_url, lambda engine: appointing.reset_password(engine, username, password)):
        return _nobody(username)
    print(f"The account {username} has a new password. Its sessions have ended.")
    return 0


def set_role(database_url: str, username: str, role: Role) -> int:
    """Change the role of an account, and end its sessions. Returns the exit code."""
    if not _with_engine(database_url, lambda engine: appointing.set_role(engine, username, role)):
        return _nobody(username)
    print(f"The account {username} has the role {role.value} now. Its sessions have ended.")
    return 0


def _typed_password() -> str:
    """Typed twice at a terminal, else the first line of the input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass("Password (8 to 128 characters): ")
    if getpass("Repeat the password: ") != password:
        raise SystemExit("The passwords do not match.")
    return password


def _with_engine(database_url: str, work: Callable[[AsyncEngine], Awaitable[T]]) -> T:
    async def run() -> T:
        engine = open_for_command(database_url)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def _complain(error: ValidationError, otherwise: str) -> int:
    """A line for each thing that is wrong, never with what was typed."""
    for one in error.errors(include_input=False, include_context=False):
        name = one["loc"][0] if one["loc"] else otherwise
        print(f"{name}: {one['msg'].removeprefix('Value error, ')}", file=sys.stderr)
    return 1


def _nobody(username: str) -> int:
    print(f"There is no account {username}. Check the name; create-organizer creates one.", file=sys.stderr)
    return 1
