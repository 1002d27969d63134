"""Callers: users, their roles, and the scopes of API keys."""

from enum import StrEnum

from app.domain.values import value


class Role(StrEnum):
    """What a user may do: buy, work at the door, organize (theaters, screenings, bookings), administer the service."""

    CUSTOMER = "customer"
    STAFF = "staff"
    ORGANIZER = "organizer"
    ADMIN = "admin"


class KeyScope(StrEnum):
    """What an API key may be used for, within its role."""

    READ = "read"
    SELL = "sell"
    HOUSE = "house"
    PEOPLE = "people"


@value(frozen=True, slots=True)
class Person:
    """An authenticated caller. A guest is a customer without a password.

    `scopes` None: everything that the role allows; an API key may be allowed less. `is_new`: a guest whom nobody knows
    yet; they are written down together with what they take, and else never.
    """

    id: int
    role: Role = Role.CUSTOMER
    is_guest: bool = False
    scopes: frozenset[KeyScope] | None = None
    is_new: bool = False

    def may(self, scope: KeyScope) -> bool:
        """Whether the scope allows this call. Users have all scopes, API keys only their own."""
        return self.scopes is None or scope in self.scopes

    @property
    def runs_the_house(self) -> bool:
        """Whether they are an organizer or an admin: may see everybody's bookings, and edit theaters and screenings."""
        return self.role in (Role.ORGANIZER, Role.ADMIN)

    @property
    def is_staff(self) -> bool:
        """Whether they work here: may see and release everybody's holds, find bookings, and check tickets."""
        return self.role is not Role.CUSTOMER

    @property
    def runs_usher(self) -> bool:
        """Whether they may create and revoke API keys."""
        return self.role is Role.ADMIN
