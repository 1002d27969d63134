"""Organizers for tests, with a token that Usher itself would have signed."""

from time import time

import jwt

from app.domain.people.people import Role
from tests.conftest import JWT_SECRET
from tests.order import Connection


async def token_of(database: Connection, role: Role = Role.ORGANIZER) -> str:
    """The token of a new user with this role."""
    user_id = await database.fetchval("INSERT INTO users (role) VALUES ($1) RETURNING id", role)
    now = int(time())
    claims = {"sub": str(user_id), "role": role, "guest": False, "typ": "access", "jti": f"test {user_id}"}
    return jwt.encode(claims | {"iat": now, "exp": now + 600}, JWT_SECRET, "HS256")
