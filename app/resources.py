"""What one process has open while it serves. Made by `main`, asked for by `dependencies`."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.services.health import Health
from app.services.people import People
from app.services.tokens import Tokens
from app.settings import Settings


@dataclass(slots=True)
class Resources:
    """Opened when the process starts, closed when it stops."""

    settings: Settings
    engine: AsyncEngine
    tokens: Tokens
    people: People
    health: Health
