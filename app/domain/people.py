"""Who is asking."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user may do: buy, work the door, run the house, run Usher."""

    CUSTOMER = "customer"
    STAFF = "staff"
    ORGANIZER = "organizer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Person:
    """A caller whose token was believed. A guest is a customer without a password."""

    id: int
    role: Role = Role.CUSTOMER
    is_guest: bool = False

    @property
    def runs_the_house(self) -> bool:
        """May see everybody's bookings and edit theaters and screenings."""
        return self.role in (Role.ORGANIZER, Role.ADMIN)
