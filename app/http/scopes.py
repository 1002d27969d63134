"""The scope that an API key needs for an operation: declared at the route, shown in the document, checked by `Bearer`.

A key without the scope gets 403, whatever its role.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, TypeVar

from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext

from app.domain.people.people import KeyScope
from app.http.credentials import admin, bearer, organizer, signed_in
from app.http.request import ApiRequest

Guard = Callable[[ApiRequest], Awaitable[None]]

F = TypeVar("F", bound=Callable[..., Any])

MEANINGS: Final = {
    KeyScope.READ: "Read what the role may read: maps, reservations, bookings, who I am.",
    KeyScope.SELL: "Hold, book, release, cancel.",
    KeyScope.HOUSE: "What staff and organizers do: theaters, layouts, screenings, blocks, history, check-in.",
    KeyScope.PEOPLE: "Accounts and API keys.",
}

_DECLARED: Final = "__api_key_scope__"


def api_key_scope(scope: KeyScope) -> Callable[[F], F]:
    """Declares the scope that an API key needs for this operation. Put it below the route's own decorator."""

    def declare(operation: F) -> F:
        setattr(operation, _DECLARED, scope)
        return operation

    return declare


def scope_of(route: RouteContext) -> KeyScope | None:
    """The scope that an operation declares; None where nobody shows a token.

    Raises:
        TypeError: it asks for the caller and declares no scope, or the other way round.
    """
    scope: KeyScope | None = getattr(route.endpoint, _DECLARED, None)
    asks_who = bearer in set(calls_of(route.dependant))
    if asks_who and scope is None:
        raise TypeError(f"{route.path}: say which scope an API key needs, with @api_key_scope under the route.")
    if scope is not None and not asks_who:
        raise TypeError(f"{route.path}: @api_key_scope does nothing here, for the operation never asks who is calling.")
    return scope


def guard_of(route: RouteContext) -> Guard | None:
    """What refuses a caller without reading the body, as the operation itself would; None if anybody may call it.

    It raises Unauthenticated or Forbidden.
    """
    calls: set[Any] = set(calls_of(route.dependant))
    if bearer not in calls:
        return None

    async def guard(request: ApiRequest) -> None:
        caller = await bearer(request)
        if signed_in in calls:
            person = await signed_in(caller)
            if organizer in calls:
                await organizer(person)
            if admin in calls:
                await admin(person)

    return guard


def calls_of(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    """What an operation calls: its function and all that it depends on."""
    yield dependant.call
    for below in dependant.dependencies:
        yield from calls_of(below)
