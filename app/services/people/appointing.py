"""What the command line does to accounts. Nobody gets a role, or somebody else's password, over the network."""

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.people import accounts
from app.domain.people import usernames
from app.domain.people.people import Role
from app.schemas.people.people import RegisterIn
from app.services.people.passwords import SCHEME, normal


async def appoint(engine: AsyncEngine, wanted: RegisterIn, role: Role) -> int:
    """Create an account with a role, and return its id. Raises UsernameTaken."""
    hashed = SCHEME.hash(normal(wanted.password))
    async with engine.begin() as connection:
        key = usernames.key(wanted.username)
        return await accounts.insert_account(connection, wanted.username, key, wanted.email, hashed, role)


async def reset_password(engine: AsyncEngine, username: str, password: str) -> bool:
    """Set another password, and end all sessions; False if there is no such account."""
    hashed = SCHEME.hash(normal(password))
    async with engine.begin() as connection:
        return await accounts.reset_password(connection, usernames.key(username), hashed)


async def set_role(engine: AsyncEngine, username: str, role: Role) -> bool:
    """Change the role, and end all sessions: tokens say the role of their time. False if there is no such account."""
    async with engine.begin() as connection:
        return await accounts.set_role(connection, usernames.key(username), role)
