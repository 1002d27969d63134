"""Who is asking."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user may do: buy, work the door, run the house, run Usher."""

    CUSTOMER = "customer"
    STAFF = "staff"
    ORGANIZER = "organizer"
    ADMIN = "admin"


class KeyScope(StrEnum):
    """What an API key may be used for, within what its role allows."""

    READ = "read"
    SELL = "sell"
    HOUSE = "house"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Person:
    """A caller who was believed. A guest is a customer without a password.

    `scopes` None: whatever the role allows; an API key may do less.
    """

    id: int
    role: Role = Role.CUSTOMER
    is_guest: bool = False
    scopes: frozenset[KeyScope] | None = None

    def may(self, scope: KeyScope) -> bool:
        """Is this within what they came for? People always may, machines as their key says."""
        return self.scopes is None or scope in self.scopes

    @property
    def runs_the_house(self) -> bool:
        """May see everybody's bookings and edit theaters and screenings."""
        return self.role in (Role.ORGANIZER, Role.ADMIN)

    @property
    def works_the_door(self) -> bool:
        """May let people in."""
        return self.role is not Role.CUSTOMER

    @property
    def runs_usher(self) -> bool:
        """May make and revoke API keys."""
        return self.role is Role.ADMIN
