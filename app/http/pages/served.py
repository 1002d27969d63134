"""Which parts of the API this application has, in the words that pages use to show or hide what needs them."""

from functools import lru_cache
from typing import Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

_NEEDS: Final = {
    "best": "/screenings/{}/best-available",
    "tickets": "/bookings/{}/tickets",
    "calendar": "/bookings/{}.ics",
    "exchange": "/bookings/{}/exchange",
    "payments": "/payments",
}


@lru_cache(maxsize=16)
def features_of(app: FastAPI) -> frozenset[str]:
    """The features whose call is served."""
    paths = {_shape(route.path) for route in iter_route_contexts(app.routes) if route.path}
    return frozenset(name for name, path in _NEEDS.items() if f"/api/v1{path}" in paths)


def _shape(path: str) -> str:
    """The path with its parameters' names left out."""
    head, *rest = path.split("{")
    return head + "".join("{" + part[part.index("}") :] for part in rest)
