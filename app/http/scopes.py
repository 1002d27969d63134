"""Which scope an API key needs for each operation: one rule, told in the document and asked for at one place.

People's affairs need `people`, the house's own `house`; otherwise reading needs `read`, and all else takes or gives
back seats: `sell`. A key without the scope gets 403, whatever its role (`dependencies.Bearer`).
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext

from app.dependencies import admin, door_staff, organizer
from app.domain.people import KeyScope

_READING: Final = {"GET", "HEAD"}

MEANINGS: Final = {
    KeyScope.READ: "Read what the role may read: maps, reservations, bookings, who I am.",
    KeyScope.SELL: "Hold, book, release, cancel.",
    KeyScope.HOUSE: "What staff and organizers do: theaters, layouts, screenings, blocks, history, check-in.",
    KeyScope.PEOPLE: "Accounts and API keys.",
}


def scope_of(route: RouteContext) -> KeyScope:
    """The scope that this operation needs."""
    asks_for = set(calls_of(route.dependant)) if route.dependant else set()
    is_reading = set(route.methods or ()) <= _READING
    if admin in asks_for or ("people" in (route.tags or ()) and not is_reading):
        return KeyScope.PEOPLE
    if organizer in asks_for or door_staff in asks_for:
        return KeyScope.HOUSE
    return KeyScope.READ if is_reading else KeyScope.SELL


def calls_of(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    """What an operation calls: its function and all that it depends on."""
    yield dependant.call
    for below in dependant.dependencies:
        yield from calls_of(below)
